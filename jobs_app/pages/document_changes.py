"""What a person changes: a new file, an edit, an upload without scripts, another name, a deletion.

Each change carries the hash it was made for. Where the file is another one by now, the person sees both texts.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from jobs_app.domain.access import Actor, Scope
from jobs_app.errors import BusyError, RefusedError
from jobs_app.pages import document_diff, document_preview
from jobs_app.pages import document_places as places
from jobs_app.pages.documents import around
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, files
from jobs_app.services.files import Written
from jobs_app.templatetags import wording
from storage_app.providers import FileChange, FileDelete, FileWrite, StorageError, StorageErrorCode

if TYPE_CHECKING:
    AnyUpload: TypeAlias = UploadedFile[Any]
else:
    AnyUpload = UploadedFile  # to be subscripted in the types alone

LARGEST_EDITED: Final = document_preview.LARGEST_TEXT
LARGEST_RENAMED: Final = 10 * 1024 * 1024
MOST_UPLOADED: Final = 100


class TextForm(forms.Form):
    """`sha` is what the text was made from; empty: there was no file."""

    text = forms.CharField(required=False, strip=False, max_length=LARGEST_EDITED, widget=forms.Textarea)
    sha = forms.CharField(required=False, max_length=128, widget=forms.HiddenInput)
    message = forms.CharField(required=False, max_length=500, label="What was changed")
    deferred = forms.BooleanField(required=False, label="Send with the next batch")


class NewFileForm(TextForm):
    path = forms.CharField(max_length=2000, strip=False)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.WRITE)
    folder = request.GET.get("folder", "")
    context = around(actor, project, storage, folder, tree=False)
    start = {"path": f"{folder}/" if folder else "", "deferred": context["defers"]}
    form = NewFileForm(request.POST or None, initial=start)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        content = _unified(given["text"], crlf=False).encode()
        try:
            written = files.write(
                actor, slug, storage, given["path"], content, given["message"],
                overwrite=False, deferred=given["deferred"],
            )  # fmt: skip
        except StorageError as error:
            form.add_error("path", error.message)
        except BusyError as error:
            form.add_error(None, error.detail)
        else:
            _tell(request, written, "made")
            return redirect(places.file_url(slug, storage, given["path"].replace("\\", "/").removeprefix("/")))
    return render(request, "documents/new.html", {**context, "form": form}, status=_status(form))


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    actor, path = actor_of(request), request.GET.get("path", "")
    project = access.project_for(actor, slug, Scope.WRITE)
    current = _current(actor, slug, storage, path)
    if request.method != "POST" and current is None:
        return redirect(places.file_url(slug, storage, path))
    context = around(actor, project, storage, places.folder_of(path), tree=False)
    text, sha = current or ("", "")
    form = TextForm(request.POST or None, initial={"text": text, "sha": sha, "deferred": context["defers"]})
    context |= {
        "form": form,
        "path": path,
        "name": places.name_of(path),
        "steps": places.steps(slug, storage, places.folder_of(path), last_has_address=True),
        "file_url": places.file_url(slug, storage, path),
    }
    if request.method == "POST" and form.is_valid():
        mine = _unified(form.cleaned_data["text"], crlf="\r\n" in text)
        try:
            written = _saved(actor, slug, storage, path, mine, form.cleaned_data)
        except StorageError as error:
            if not _is_lost_race(error):
                form.add_error(None, error.message)
            else:
                return _conflict(request, context, mine, _current(actor, slug, storage, path))
        except BusyError as error:
            form.add_error(None, error.detail)
        else:
            _tell(request, written, "saved")
            return redirect(places.file_url(slug, storage, path))
    return render(request, "documents/edit.html", context, status=_status(form))


@require_POST
def upload(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    """The form for who has no scripts; the others send each file to the API and see how far it is."""
    actor, folder = actor_of(request), request.POST.get("folder", "")
    access.project_for(actor, slug, Scope.WRITE)
    sent = request.FILES.getlist("files")
    if not 1 <= len(sent) <= MOST_UPLOADED:
        messages.error(request, f"Choose 1 to {MOST_UPLOADED} files.")
        return redirect(places.folder_url(slug, storage, folder))
    for file in sent:
        _upload(request, actor, slug, storage, folder, file)
    return redirect(places.folder_url(slug, storage, folder))


@require_POST
def delete(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    actor, path = actor_of(request), request.POST.get("path", "")
    access.project_for(actor, slug, Scope.WRITE)
    sha, deferred = request.POST.get("sha") or None, bool(request.POST.get("deferred"))

    def change() -> Written:
        return files.delete(actor, slug, storage, path, expected_sha=sha, deferred=deferred)

    if _tried(request, change, "deleted"):
        return redirect(places.folder_url(slug, storage, places.folder_of(path)))
    return redirect(places.file_url(slug, storage, path))


@require_POST
def rename(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    """One commit that writes the new name and deletes the old one."""
    actor, path, to = actor_of(request), request.POST.get("path", ""), request.POST.get("to", "")
    access.project_for(actor, slug, Scope.WRITE)
    info = files.info(actor, slug, storage, path)
    if info.is_directory or info.size > LARGEST_RENAMED:
        messages.error(request, f"Only a file of at most {wording.size(LARGEST_RENAMED)} can be renamed here.")
        return redirect(places.file_url(slug, storage, path))
    sha = request.POST.get("sha") or info.sha

    def change() -> Written:
        content = document_preview.content_of(actor, slug, storage, path)
        wanted: list[FileChange] = [FileWrite(to, content, overwrite=False), FileDelete(path, sha)]
        deferred = bool(request.POST.get("deferred"))
        return files.batch(actor, slug, storage, wanted, f"Rename {path} to {to}", deferred=deferred)

    if _tried(request, change, "renamed"):
        return redirect(places.file_url(slug, storage, to.replace("\\", "/").removeprefix("/")))
    return redirect(places.file_url(slug, storage, path))


def _saved(actor: Actor, slug: str, storage: str, path: str, text: str, given: dict[str, Any]) -> Written:
    sha = given["sha"] or None
    return files.write(
        actor, slug, storage, path, text.encode(), given["message"],
        overwrite=sha is not None, expected_sha=sha, deferred=given["deferred"],
    )  # fmt: skip


def _conflict(
    request: PageRequest, context: dict[str, Any], mine: str, current: tuple[str, str] | None
) -> HttpResponse:
    """Both texts, what differs, and the form again: made for what is there now."""
    theirs, sha = current or ("", "")
    form = TextForm(initial={**request.POST.dict(), "text": mine, "sha": sha})
    context |= {"form": form, "theirs": theirs, "gone": current is None, "diff": document_diff.between(theirs, mine)}
    return render(request, "documents/conflict.html", context, status=409)


def _current(actor: Actor, slug: str, storage: str, path: str) -> tuple[str, str] | None:
    """Text and hash of the file that is there, if it is one that can be edited."""
    try:
        info = files.info(actor, slug, storage, path)
        if info.is_directory or info.size > LARGEST_EDITED:
            return None
        file = files.read(actor, slug, storage, path)
    except StorageError as error:
        if error.is_absence:
            return None
        raise
    return (file.content_text, file.sha) if file.encoding == "utf-8" else None


def _upload(request: PageRequest, actor: Actor, slug: str, storage: str, folder: str, file: AnyUpload) -> None:
    name = file.name or ""
    path = f"{folder}/{name}" if folder else name
    overwrite, deferred = bool(request.POST.get("overwrite")), bool(request.POST.get("deferred"))

    def change() -> Written:
        return files.write_pieces(
            actor, slug, storage, path, file.chunks(), file.size or 0, overwrite=overwrite, deferred=deferred
        )

    _tried(request, change, "uploaded", name)


def _tried(request: PageRequest, change: Callable[[], Written], said: str, name: str = "") -> bool:
    """Whether it was done; what was refused is said."""
    start = f"{name}: " if name else ""
    try:
        written = change()
    except StorageError as error:
        messages.error(request, f"{start}{error.message}")
        return False
    except RefusedError as error:
        messages.error(request, f"{start}{error.detail}")
        return False
    _tell(request, written, said, name)
    return True


def _tell(request: PageRequest, written: Written, said: str, name: str = "") -> None:
    what = name or "The file"
    later = " It waits in the outbox until it is sent." if written.deferred else ""
    messages.success(request, f"{what} was {said}.{later}")


def _is_lost_race(error: StorageError) -> bool:
    return error.code in (StorageErrorCode.ALREADY_EXISTS, StorageErrorCode.NOT_FOUND) or (
        error.code is StorageErrorCode.CONFLICT and "actual" in error.details
    )


def _unified(text: str, *, crlf: bool) -> str:
    """A form sends every line end as CR LF; the file keeps its own."""
    unified = text.replace("\r\n", "\n")
    return unified.replace("\n", "\r\n") if crlf else unified


def _status(form: forms.Form) -> int:
    return 422 if form.is_bound and form.errors else 200
