"""What a person does with segments: each is one POST, says what came of it, and offers the undo where there is one."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from jobs_app.domain.access import Actor, Scope
from jobs_app.errors import InvalidError, NotFoundError, PreconditionFailedError, RefusedError
from jobs_app.pages import segment_marks
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, segment_stashing, segments
from jobs_app.templatetags import wording
from storage_app import strict_json

MOST_AT_ONCE: Final = 500
MOST_IN_AN_ADDRESS: Final = 200  # ids; where they are more, the undo has a name


@require_POST
def act(request: PageRequest, slug: str) -> HttpResponse:
    """Those selected: stash and unstash at once, the rest one by one."""
    actor, action, ids = actor_of(request), request.POST.get("action", ""), _ids(request)
    access.project_for(actor, slug, Scope.WRITE)
    if action not in ACTIONS:
        raise InvalidError.at("action", f"choose one of {', '.join(ACTIONS)}")
    ACTIONS[action](request, actor, slug, ids)
    return redirect(_back(request, reverse("segments", args=[slug])))


@require_POST
def stash_to_budget(request: PageRequest, slug: str) -> HttpResponse:
    given = request.POST.get("budget", "")
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise InvalidError.at("budget", "must be a whole number")
    done = segment_stashing.stash_to_budget(actor_of(request), slug, int(given), f"down to {given} tokens")
    _tell_stashed(request, slug, [one.id for one in done.segments])
    if done.more:
        messages.info(request, "There are more to stash than can go at once. Stash again.")
    return redirect(_back(request, reverse("segments", args=[slug])))


@require_POST
def unstash(request: PageRequest, slug: str) -> HttpResponse:
    """The undo of a stashing: its ids, or the name of a large one, are in its address."""
    if stashing := request.GET.get("stashing", ""):
        back = segment_stashing.undo(actor_of(request), slug, stashing)
    else:
        back = segment_stashing.unstash_ids(actor_of(request), slug, _ids(request), "undone")
    messages.success(request, f"{_count(len(back))} active again.")
    return redirect("segments", slug)


@require_POST
def change(request: PageRequest, slug: str, segment_id: str) -> HttpResponse:
    """What the form holds, if nobody changed the segment meanwhile; else both texts are shown."""
    actor, given = actor_of(request), request.POST
    project = access.project_for(actor, slug, Scope.WRITE)
    version = given.get("version", "")
    try:
        changes = _changes(given)
        segments.change(actor, slug, segment_id, changes, int(version) if version.isdigit() else 0)
    except (InvalidError, PreconditionFailedError) as error:
        return _edit_again(request, project, slug, segment_id, error)
    messages.success(request, "Saved. What was there before is in the history.")
    return redirect("segments-show", slug, segment_id)


@require_POST
def pin(request: PageRequest, slug: str, segment_id: str) -> HttpResponse:
    pinned = request.POST.get("pinned") == "yes"
    segments.change(actor_of(request), slug, segment_id, {"pinned": pinned})
    messages.success(
        request, "Pinned: it is loaded first and never stashed by itself." if pinned else "No longer pinned."
    )
    return redirect("segments-show", slug, segment_id)


@require_POST
def revert(request: PageRequest, slug: str, segment_id: str) -> HttpResponse:
    given = request.POST.get("to", "")
    if not (given.isascii() and given.isdigit() and 0 < len(given) < 16):
        raise InvalidError.at("to", "must be a version")
    segments.revert(actor_of(request), slug, segment_id, int(given))
    messages.success(request, f"Version {given} is back, as a new version.")
    return redirect("segments-show", slug, segment_id)


@require_POST
def restore(request: PageRequest, slug: str) -> HttpResponse:
    """Out of the trash."""
    _each(request, slug, segments.restore, "brought back")
    return redirect("segments-trash", slug)


@require_POST
def erase(request: PageRequest, slug: str) -> HttpResponse:
    """Out of the trash for good."""
    _each(request, slug, segments.erase, "removed for good")
    return redirect("segments-trash", slug)


def _stash(request: PageRequest, actor: Actor, slug: str, ids: list[str]) -> None:
    done = segment_stashing.stash_ids(actor, slug, ids)
    _tell_stashed(request, slug, [one.id for one in done.segments])


def _unstash(request: PageRequest, actor: Actor, slug: str, ids: list[str]) -> None:
    messages.success(request, f"{_count(len(segment_stashing.unstash_ids(actor, slug, ids)))} active again.")


def _pin(request: PageRequest, actor: Actor, slug: str, ids: list[str]) -> None:
    for id in ids:
        segments.change(actor, slug, id, {"pinned": True})
    messages.success(request, f"{_count(len(ids))} pinned.")


def _delete(request: PageRequest, actor: Actor, slug: str, ids: list[str]) -> None:
    gone = []
    for id in ids:
        try:
            gone.append(segments.delete_segment(actor, slug, id).id)
        except NotFoundError as error:
            messages.error(request, error.detail)
    undo = f"{reverse('segments-restore', args=[slug])}?{urlencode({'id': gone}, doseq=True)}"
    can_undo = 0 < len(gone) <= MOST_IN_AN_ADDRESS
    messages.success(request, f"{_count(len(gone))} moved to the trash.", extra_tags=undo if can_undo else "")


ACTIONS: Final[dict[str, Callable[[PageRequest, Actor, str, list[str]], None]]] = {
    "stash": _stash,
    "unstash": _unstash,
    "pin": _pin,
    "delete": _delete,
}


def _tell_stashed(request: PageRequest, slug: str, ids: list[str]) -> None:
    few = len(ids) <= MOST_IN_AN_ADDRESS
    told = {"id": ids} if few else {"stashing": segment_stashing.remember(actor_of(request), slug, ids)}
    undo = f"{reverse('segments-unstash', args=[slug])}?{urlencode(told, doseq=True)}" if ids else ""
    messages.success(request, f"{_count(len(ids))} stashed.", extra_tags=undo)


def _each(request: PageRequest, slug: str, do: Callable[[Actor, str, str], Any], done: str) -> None:
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    count = 0
    for id in _ids(request):
        try:
            do(actor, slug, id)
            count += 1
        except RefusedError as error:
            messages.error(request, error.detail)
    messages.success(request, f"{_count(count)} {done}.")


def _changes(given: Any) -> dict[str, Any]:
    try:
        metadata = strict_json.loads_object(given.get("metadata") or "{}")
    except strict_json.StrictJSONError as error:
        raise InvalidError.at("metadata", str(error)) from error
    return {
        "text": given.get("text", "").replace("\r\n", "\n"),
        "type": given.get("type", "").strip(),
        "task_id": given.get("task_id", "").strip() or None,
        "file_path": given.get("file_path", "").strip() or None,
        "tags": [tag.strip() for tag in given.get("tags", "").split(",") if tag.strip()],
        "metadata": metadata,
    }


def _edit_again(request: PageRequest, project: Any, slug: str, segment_id: str, error: RefusedError) -> HttpResponse:
    segment = segments.get(actor_of(request), slug, segment_id)
    mine = request.POST.get("text", "").replace("\r\n", "\n")
    conflict = isinstance(error, PreconditionFailedError)
    edited = {name: request.POST.get(name, "") for name in ("text", "type", "task_id", "file_path", "tags", "metadata")}
    context = {
        "project": project,
        "segment": segment,
        "title": segment.title or segment.id,
        "steps": [],
        "edited": edited,
        "fault": error.detail,
        "conflict": segment_marks.difference(segment.text, mine) if conflict else None,
        "may_write": True,
    }
    return render(request, "segments/show.html", context, status=409 if conflict else 422)


def _ids(request: PageRequest) -> list[str]:
    ids = list(dict.fromkeys([*request.POST.getlist("id"), *request.GET.getlist("id")]))
    if not 1 <= len(ids) <= MOST_AT_ONCE:
        raise InvalidError.at("id", f"select 1 to {MOST_AT_ONCE} segments")
    return ids


def _count(number: int) -> str:
    return f"{wording.count_of(number, 'segment')} {'is' if number == 1 else 'are'}"


def _back(request: PageRequest, otherwise: str) -> str:
    """To the list as it was, if that is an address of ours."""
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None, require_https=False)
    return back if back.startswith("/") and is_ours else otherwise
