"""What the shell says of the whole: banners when something needs a person, and the state of what runs."""

from collections.abc import Iterable, Sequence

from django.http import HttpRequest
from django.urls import reverse

from jobs_app.errors import NotFoundError
from jobs_app.models import Project
from jobs_app.pages.shell import BANNERS, LIVE_URL, PROJECTS_OF, VITALS, Banner, Vital, slug_of
from jobs_app.services import (
    access,
    consumers,
    files,
    health,
    live_counters,
    maintenance,
    outbox,
    pauses,
    quarantine,
    storages,
)
from jobs_app.services.changes import project_topic
from jobs_app.services.storages import StorageState

SERVER_TOPICS = (consumers.TOPIC, health.TOPIC, maintenance.TOPIC, storages.TOPIC)
PROJECT_NOUNS = (
    *("jobs", "workers", live_counters.PAUSES, "job-numbers", "operations"),
    *("runs", "documents", "artifacts", files.NOUN),
)
LOG_PAGES = ("jobs-show",)
MOST_PAUSES_SAID = 3
MOST_STORAGES_SAID = 5


def consumer_banner(request: HttpRequest) -> Iterable[Banner]:
    if request.user.is_authenticated and not consumers.alive():
        sentence = "No consumer is running: nothing is swept, sent or cleaned up until one is."
        yield Banner(sentence, "failed", reverse("maintenance"), "Maintenance")


def pause_banner(request: HttpRequest) -> Iterable[Banner]:
    """On every page of the project, who stopped what and why."""
    slug = slug_of(request)
    if not slug or not request.user.is_authenticated:
        return
    try:
        found = pauses.of(access.actor_for_person(request.user), slug)
    except NotFoundError:
        return  # the page itself says so
    for pause in found[:MOST_PAUSES_SAID]:
        what = f"{pause.content_type} is" if pause.content_type else "This project is"
        sentence = f"{what} paused by {pause.stop.by.name}: {pause.stop.why}"
        yield Banner(sentence, "timeout", reverse("pauses", args=[slug]), "Pauses")
    if len(found) > MOST_PAUSES_SAID:
        rest = f"{len(found) - MOST_PAUSES_SAID} more content types are paused."
        yield Banner(rest, "timeout", reverse("pauses", args=[slug]), "Pauses")


def quarantine_banner(request: HttpRequest) -> Iterable[Banner]:
    """On the pages of a project, for those who can mend what is in it."""
    slug = slug_of(request)
    if not slug or not request.user.is_authenticated:
        return
    project = access.visible_projects(access.actor_for_person(request.user)).filter(slug=slug).first()
    if project and (number := quarantine.count(project)):
        said = "1 record was" if number == 1 else f"{number} records were"
        yield Banner(f"{said} set aside, since it cannot be read.", "failed", reverse("storages", args=[slug]), "Look")


def outbox_banner(request: HttpRequest) -> Iterable[Banner]:
    """On the pages of a project: changes of files that were refused and wait for a person."""
    slug = slug_of(request)
    if not slug or not request.user.is_authenticated:
        return
    actor = access.actor_for_person(request.user)
    if not access.visible_projects(actor).filter(slug=slug).exists() or not outbox.parked(slug):
        return
    for state in outbox.states(actor, slug):
        if number := state.queue.parked:
            said = "1 change was" if number == 1 else f"{number} changes were"
            sentence = f"{said} not taken by the storage {state.storage}, and waits for a person."
            if number > 1:
                sentence = sentence.replace("waits", "wait")
            yield Banner(sentence, "timeout", reverse("documents-outbox", args=[slug, state.storage]), "Look")


def storage_banner(request: HttpRequest) -> Iterable[Banner]:
    """On the pages of a project: storages of its that do not answer, or take nothing for a while."""
    slug = slug_of(request)
    if not slug or not request.user.is_authenticated:
        return
    try:
        found = storages.unhealthy(access.actor_for_person(request.user), slug)
    except NotFoundError:
        return  # the page itself says so
    if found:
        yield Banner(_down(found), "failed", reverse("storages", args=[slug]), "Look")


def consumer_vital(request: HttpRequest) -> Iterable[Vital]:
    alive = consumers.alive()
    yield Vital("Consumer", "up" if alive else "down", f"{len(alive)} alive" if alive else "none alive")


def live_url(request: HttpRequest) -> str:
    """What every page follows; a page about one project follows what happens there too."""
    if not request.user.is_authenticated:
        return ""
    topics = list(SERVER_TOPICS)
    slug = slug_of(request)
    if slug and access.visible_projects(access.actor_for_person(request.user)).filter(slug=slug).exists():
        topics += [project_topic(slug, noun) for noun in PROJECT_NOUNS]
        if _page_name(request) in LOG_PAGES:
            topics.append(project_topic(slug, live_counters.JOB_LOGS))
    return f"{reverse('live')}?topics={','.join(topics)}"


def projects_of(request: HttpRequest) -> Sequence[Project]:
    if not request.user.is_authenticated:
        return []
    return list(access.visible_projects(access.actor_for_person(request.user)))


def wire() -> None:
    """Called once, when the app is ready."""
    BANNERS.extend((consumer_banner, storage_banner, pause_banner, quarantine_banner, outbox_banner))
    VITALS.append(consumer_vital)
    LIVE_URL.append(live_url)
    PROJECTS_OF.append(projects_of)


def _down(found: Sequence[StorageState]) -> str:
    """Why, of a single one; of several which, since the page of storages says the rest."""
    if len(found) == 1:
        message = found[0].health.message if found[0].health else ""
        return f"The storage {found[0].alias} is down. {message}"
    named = [state.alias for state in found[:MOST_STORAGES_SAID]]
    more = [f"{len(found) - MOST_STORAGES_SAID} more"] if len(found) > MOST_STORAGES_SAID else []
    return f"{len(found)} storages are down: {', '.join([*named, *more])}."


def _page_name(request: HttpRequest) -> str:
    return (request.resolver_match.url_name or "") if request.resolver_match else ""
