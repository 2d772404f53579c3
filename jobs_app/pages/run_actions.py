"""What an operator does to a run: start, retry, cancel, clone, delete, and attaching documents."""

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.run import Phase
from jobs_app.errors import ConflictError, InvalidError, NotFoundError, RefusedError
from jobs_app.pages import runs as run_pages
from jobs_app.pages.forms import tell
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.pages.run_forms import LARGEST_UPLOAD, AttachForm
from jobs_app.services import access, documents, runs, storages
from jobs_app.templatetags import wording
from storage_app.providers import StorageError

# What can be refused because the page has grown stale; anything else is a page of its own.
STALE = (ConflictError, InvalidError)
Done = tuple[str, str]  # the run to show, and what was done


def _start(actor: Actor, slug: str, id: str, reason: str, force: bool = False) -> Done:
    view = runs.start(actor, slug, id, force=force)
    return id, "The run goes on by itself." if view.run.phase is Phase.STARTING else "The run was started."


def _force(actor: Actor, slug: str, id: str, reason: str) -> Done:
    return _start(actor, slug, id, reason, force=True)


def _cancel(actor: Actor, slug: str, id: str, reason: str) -> Done:
    view = runs.cancel(actor, slug, id, reason)
    return id, "Workers are told to stop." if view.tally.open_jobs else "The run was cancelled."


def _retry(actor: Actor, slug: str, id: str, reason: str) -> Done:
    done = runs.retry_failed(actor, slug, id, reason)
    said = f"{wording.count_of(done.jobs, 'job')} went back into the queue."
    if done.documents:
        said += f" Looked at anew: {wording.count_of(done.documents, 'document')} that had been refused."
    if done.operation:
        said += " An operation goes on with the others."
    return id, f"{said} There are more: do it again." if done.more else said


def _clone(actor: Actor, slug: str, id: str, reason: str) -> Done:
    return runs.clone(actor, slug, id).run.id, "This is the clone."


def _delete(actor: Actor, slug: str, id: str, reason: str) -> Done:
    runs.delete(actor, slug, id)
    return "", "The run was deleted."


ACTIONS: Mapping[str, Callable[[Actor, str, str, str], Done]] = {
    "start": _start,
    "force": _force,
    "retry": _retry,
    "cancel": _cancel,
    "clone": _clone,
    "delete": _delete,
}


@require_POST
def act(request: PageRequest, slug: str, run_id: str) -> HttpResponse:
    actor, action = actor_of(request), request.POST.get("action", "")
    access.project_for(actor, slug, Scope.WRITE)
    if action not in ACTIONS:
        raise InvalidError.at("action", f"choose one of {', '.join(ACTIONS)}")
    try:
        shown, said = ACTIONS[action](actor, slug, run_id, request.POST.get("reason", ""))
    except STALE as error:
        messages.error(request, error.detail)
        return redirect("runs-show", slug, run_id)
    messages.success(request, said)
    return redirect("runs-show", slug, shown) if shown else redirect("runs", slug)


@require_POST
def attach(request: PageRequest, slug: str, run_id: str) -> HttpResponse:
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    form = AttachForm(storages.aliases_of(actor, slug), request.POST)
    if form.is_valid():
        try:
            new, known = _attached(actor, slug, run_id, form)
        except NotFoundError:
            runs.get(actor, slug, run_id)  # the run itself may be what is not there
            form.add_error("paths", "No file matches.")
        except RefusedError as error:
            tell(form, error)
        except StorageError as error:
            form.add_error("paths", error.message)
        else:
            also = f" {known:,} were attached before." if known else ""
            messages.success(request, f"{wording.count_of(new, 'document')} attached.{also}")
            return redirect("runs-show", slug, run_id)
    return run_pages.page(request, slug, run_id, form)


@require_POST
def upload(request: PageRequest, slug: str, run_id: str) -> HttpResponse:
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    sent = request.FILES.get("file")
    try:
        if sent is None:
            raise InvalidError.at("file", "choose one")
        if (sent.size or 0) > LARGEST_UPLOAD:
            raise InvalidError.at("file", f"has {wording.size(sent.size)}; {wording.size(LARGEST_UPLOAD)} is the most")
        document, new = documents.attach_inline(actor, slug, run_id, sent.name or "file", sent.read())
    except STALE as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{document.filename} {'is' if new else 'was'} attached.")
    return redirect("runs-show", slug, run_id)


@require_POST
def detach(request: PageRequest, slug: str, run_id: str, document_id: str) -> HttpResponse:
    try:
        documents.detach(actor_of(request), slug, run_id, document_id)
    except STALE as error:
        messages.error(request, error.detail)
        return redirect("runs-document", slug, run_id, document_id)
    messages.success(request, "The document was taken out. Its file stays.")
    return redirect("runs-show", slug, run_id)


def _attached(actor: Actor, slug: str, run_id: str, form: AttachForm) -> tuple[int, int]:
    storage, options, wanted = form.cleaned_data["storage"], form.cleaned_data["options"], form.wanted
    if "path" in wanted:
        _, is_new = documents.attach(actor, slug, run_id, storage, wanted["path"], options)
        return int(is_new), int(not is_new)
    glob, prefix = wanted.get("glob"), wanted.get("prefix")
    made = documents.attach_many(actor, slug, run_id, storage, glob=glob, prefix=prefix, options=options)
    return made.new, made.known
