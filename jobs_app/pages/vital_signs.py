"""What the shell says of the whole: banners when something needs a person, and the state of what runs."""

from collections.abc import Iterable, Sequence

from django.http import HttpRequest
from django.urls import reverse

from jobs_app.models import Project
from jobs_app.pages.shell import BANNERS, LIVE_URL, PROJECTS_OF, VITALS, Banner, Vital
from jobs_app.services import access, consumers, health, maintenance, quarantine

SERVER_TOPICS = (consumers.TOPIC, health.TOPIC, maintenance.TOPIC)


def consumer_banner(request: HttpRequest) -> Iterable[Banner]:
    if request.user.is_authenticated and not consumers.alive():
        sentence = "No consumer is running: nothing is swept, sent or cleaned up until one is."
        yield Banner(sentence, "failed", reverse("maintenance"), "Maintenance")


def quarantine_banner(request: HttpRequest) -> Iterable[Banner]:
    """On the pages of a project, for those who can mend what is in it."""
    slug = request.resolver_match.kwargs.get("slug") if request.resolver_match else None
    if not slug or not request.user.is_authenticated:
        return
    project = access.visible_projects(access.actor_for_person(request.user)).filter(slug=slug).first()
    if project and (number := quarantine.count(project)):
        said = "1 record was" if number == 1 else f"{number} records were"
        yield Banner(f"{said} set aside, since it cannot be read.", "failed", reverse("storages", args=[slug]), "Look")


def consumer_vital(request: HttpRequest) -> Iterable[Vital]:
    alive = consumers.alive()
    yield Vital("Consumer", "up" if alive else "down", f"{len(alive)} alive" if alive else "none alive")


def live_url(request: HttpRequest) -> str:
    """What every page follows; a page about one project follows what happens there too."""
    if not request.user.is_authenticated:
        return ""
    return f"{reverse('live')}?topics={','.join(SERVER_TOPICS)}"


def projects_of(request: HttpRequest) -> Sequence[Project]:
    if not request.user.is_authenticated:
        return []
    return list(access.visible_projects(access.actor_for_person(request.user)))


def wire() -> None:
    """Called once, when the app is ready."""
    BANNERS.extend((consumer_banner, quarantine_banner))
    VITALS.append(consumer_vital)
    LIVE_URL.append(live_url)
    PROJECTS_OF.append(projects_of)
