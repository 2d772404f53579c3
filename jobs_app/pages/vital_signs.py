"""What the shell says of the whole: banners when something needs a person, and the state of what runs."""

from collections.abc import Iterable, Sequence

from django.http import HttpRequest
from django.urls import reverse

from jobs_app.models import Project
from jobs_app.pages.shell import BANNERS, PROJECTS_OF, VITALS, Banner, Vital
from jobs_app.services import access, consumers


def consumer_banner(request: HttpRequest) -> Iterable[Banner]:
    if request.user.is_authenticated and not consumers.alive():
        sentence = "No consumer is running: nothing is swept, sent or cleaned up until one is."
        yield Banner(sentence, "failed", reverse("maintenance"), "Maintenance")


def consumer_vital(request: HttpRequest) -> Iterable[Vital]:
    alive = consumers.alive()
    yield Vital("Consumer", "up" if alive else "down", f"{len(alive)} alive" if alive else "none alive")


def projects_of(request: HttpRequest) -> Sequence[Project]:
    if not request.user.is_authenticated:
        return []
    return list(access.visible_projects(access.actor_for_person(request.user)))


def wire() -> None:
    """Called once, when the app is ready."""
    BANNERS.append(consumer_banner)
    VITALS.append(consumer_vital)
    PROJECTS_OF.append(projects_of)
