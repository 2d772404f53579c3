"""Data fixes on records, whichever store they live in: pages of the admin site that are no ORM model's.

A kind of record joins by one line in `FIXABLE`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import urlencode

from jobs_app.errors import NotFoundError, PreconditionFailedError, RefusedError
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, data_fixes, quarantine
from jobs_app.services.data_fixes import Fixable, Shown
from jobs_app.services.job_fixes import JobFixes
from jobs_app.services.record_fixes import RecordFixes
from jobs_app.services.segment_fixes import SegmentFixes
from storage_app.records.errors import RecordStoreError

FIXABLE: Final[Mapping[str, Fixable]] = {fixes.name: fixes for fixes in (JobFixes(), SegmentFixes(), RecordFixes())}
ALL_KINDS: Final = "records"


class ReasonForm(forms.Form):
    """What every change asks for; the version is the one that was looked at."""

    reason = forms.CharField(
        label="Reason",
        max_length=data_fixes.LONGEST_REASON,
        widget=forms.TextInput({"class": "vTextField", "autocomplete": "off"}),
        help_text="It stands in the audit log beside before and after.",
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class CorrectForm(ReasonForm):
    # not stripped: the text is JSON, and a fault in it is told by its place
    document = forms.CharField(
        label="Document",
        strip=False,
        widget=forms.Textarea({"class": "vLargeTextField records-text", "rows": 30, "spellcheck": "false"}),
    )
    field_order = ("document", "reason", "version")


class MoveForm(ReasonForm):
    target = forms.ChoiceField(label="To")
    field_order = ("target", "reason", "version")


class EraseForm(ReasonForm):
    sure = forms.BooleanField(label="Yes, for good: it cannot be brought back")


class MendForm(forms.Form):
    text = forms.CharField(
        label="Text",
        strip=False,
        widget=forms.Textarea({"class": "vLargeTextField records-text", "rows": 20, "spellcheck": "false"}),
        help_text="Mend it so that it can be read, then restore it.",
    )


def index(request: PageRequest, kind: str) -> HttpResponse:
    """Records of a project: searched, by part, a page at a time."""
    fixes, actor = _kind(kind), actor_of(request)
    projects = list(access.visible_projects(actor).order_by("slug"))
    slug = request.GET.get("project") or (projects[0].slug if projects else "")
    text, part = request.GET.get("q", ""), request.GET.get("part", "")
    context: dict[str, Any] = {"projects": projects, "slug": slug, "text": text, "part": part}
    if slug:
        try:
            context["parts"] = fixes.parts(actor, slug)
            found = fixes.find(actor, slug, text, part, request.GET.get("cursor") or None)
        except NotFoundError as error:
            raise Http404(error.detail) from error
        except RefusedError as error:
            context["error"] = error.detail
        else:
            context |= {
                "rows": found.rows,
                "is_complete": found.is_complete,
                "next_url": link_with(request, cursor=found.next_cursor) if found.next_cursor else "",
                "first_url": link_without(request, "cursor") if "cursor" in request.GET else "",
                "quarantined": [item for item in quarantine.of(actor, slug) if fixes.holds(item.collection)],
            }
    return _page(request, "index", fixes, **context)


def show(request: PageRequest, kind: str, slug: str, record_id: str) -> HttpResponse:
    """One record as JSON, with everything that may be done to it; a refusal keeps what was typed."""
    fixes, actor = _kind(kind), actor_of(request)
    shown = _get(request, fixes, slug, record_id)
    forms_ = _forms(fixes, shown)
    if request.method == "POST":
        name = request.POST.get("action", "")
        if name not in forms_:
            raise Http404(f"There is no action {name!r} here.")
        form = forms_[name] = type(forms_[name])(request.POST, prefix=name)
        _offer_moves(form, shown)
        if form.is_valid():
            try:
                _act(fixes, actor, slug, shown, name, form.cleaned_data)
            except PreconditionFailedError:
                shown = _get(request, fixes, slug, record_id)
                form = forms_[name] = _with_version(form, shown.version)
                form.add_error(
                    None, "It was changed meanwhile: below is what it is now. Sending this again goes on from there."
                )
            except RefusedError as error:
                form.add_error(None, ValidationError(error.detail))
            else:
                messages.success(request, f"{DONE[name].format(noun=fixes.noun, title=shown.title)}")
                return redirect(_address(fixes, slug, "" if name == "erase" else record_id))
    return _page(
        request,
        "show",
        fixes,
        slug=slug,
        shown=shown,
        forms=forms_,
        correctable=sorted(shown.correctable),
        now_text=data_fixes.as_text(shown.document),
        page_url=reverse(shown.page_url_name, args=[slug, shown.id])
        if shown.page_url_name and not shown.is_removed
        else "",
        list_url=_address(fixes, slug),
        status=422 if any(form.errors for form in forms_.values()) else 200,
    )


def set_aside(request: PageRequest, kind: str, name: str) -> HttpResponse:
    """A record in quarantine: mended and restored, or let go."""
    fixes, actor = _kind(kind), actor_of(request)
    try:
        item = quarantine.get(actor, name)
    except NotFoundError as error:
        raise Http404(error.detail) from error
    form = MendForm(request.POST or None, initial={"text": item.text})
    if request.method == "POST" and request.POST.get("action") == "discard":
        quarantine.discard(actor, name)
        messages.success(request, f"{item} is gone for good.")
        return redirect(_address(fixes, item.project))
    if form.is_valid():
        text = form.cleaned_data["text"]
        try:
            quarantine.restore(actor, name, None if _unchanged(text, item.text) else text)
        except (RefusedError, RecordStoreError) as error:
            form.add_error("text", str(error))
        else:
            messages.success(request, f"{item} is back.")
            return redirect(_address(fixes, item.project))
    context = {"item": item, "form": form, "list_url": _address(fixes, item.project), "slug": item.project}
    return _page(request, "quarantine", fixes, status=422 if form.errors else 200, **context)


DONE: Final = {
    "correct": "The {noun} {title} was corrected.",
    "move": "The {noun} {title} was moved.",
    "remove": "The {noun} {title} was deleted; it can be brought back from here.",
    "bring_back": "The {noun} {title} was brought back.",
    "erase": "The {noun} {title} is gone for good.",
}


def urls() -> list[URLPattern | URLResolver]:
    def own(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        return admin.site.admin_view(view)

    return [
        path("records/<kind>/", own(index), name="records"),
        path("records/<kind>/quarantine/<name>/", own(set_aside), name="records-quarantine"),
        path("records/<kind>/<slug:slug>/<record_id>/", own(show), name="records-show"),
    ]


def listing() -> dict[str, Any]:
    """The kinds of records as an app of the admin's index."""
    models = [
        {
            "name": fixes.name.capitalize(),
            "object_name": fixes.name,
            "admin_url": reverse("admin:records", args=[fixes.name]),
            "add_url": None,
            "view_only": False,
            "perms": {"add": False, "change": True, "delete": True, "view": True},
        }
        for fixes in FIXABLE.values()
    ]
    url = models[0]["admin_url"]
    return {"name": "Records", "app_label": ALL_KINDS, "app_url": url, "has_module_perms": True, "models": models}


def _kind(name: str) -> Fixable:
    if name not in FIXABLE:
        raise Http404(f"There are no records of the kind {name!r}.")
    return FIXABLE[name]


def _get(request: PageRequest, fixes: Fixable, slug: str, record_id: str) -> Shown:
    try:
        return fixes.get(actor_of(request), slug, record_id)
    except NotFoundError as error:
        raise Http404(error.detail) from error


def _forms(fixes: Fixable, shown: Shown) -> dict[str, Any]:
    version = {"version": shown.version}
    if shown.is_removed:
        kinds: dict[str, type[ReasonForm]] = {"bring_back": ReasonForm, "correct": CorrectForm, "erase": EraseForm}
    else:
        kinds = {"correct": CorrectForm, "move": MoveForm, "remove": ReasonForm}
    if not fixes.has_trash:
        kinds = {"correct": CorrectForm, "erase": EraseForm}
    if not shown.moves:
        kinds.pop("move", None)
    made = {
        name: form(prefix=name, initial={**version, "document": data_fixes.as_text(shown.document)})
        for name, form in kinds.items()
    }
    for form in made.values():
        _offer_moves(form, shown)
    return made


def _offer_moves(form: forms.Form, shown: Shown) -> None:
    if isinstance(form, MoveForm):
        field = form.fields["target"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(move.value, move.label) for move in shown.moves]


def _with_version(form: forms.Form, version: int) -> forms.Form:
    """The same answers, on what the record is now."""
    data = {**form.data.dict(), f"{form.prefix}-version": version}  # type: ignore[attr-defined]  # a QueryDict here
    again = type(form)(data, prefix=form.prefix)
    if isinstance(again, MoveForm):
        again.fields["target"].choices = form.fields["target"].choices  # type: ignore[attr-defined]
    again.is_valid()
    return again


def _act(fixes: Fixable, actor: Any, slug: str, shown: Shown, name: str, told: Mapping[str, Any]) -> None:
    version, reason = told["version"] or shown.version, told["reason"]
    match name:
        case "correct":
            if version != shown.version:
                raise PreconditionFailedError("It was changed meanwhile.")
            changes = data_fixes.changes_in(shown, told["document"])
            fixes.correct(actor, slug, shown.id, changes, version, reason)
        case "move":
            fixes.move(actor, slug, shown.id, told["target"], version, reason)
        case "remove":
            fixes.remove(actor, slug, shown.id, version, reason)
        case "bring_back":
            fixes.bring_back(actor, slug, shown.id, reason)
        case _:
            fixes.erase(actor, slug, shown.id, reason)


def _address(fixes: Fixable, slug: str, record_id: str = "") -> str:
    if record_id:
        return reverse("admin:records-show", args=[fixes.name, slug, record_id])
    return f"{reverse('admin:records', args=[fixes.name])}?{urlencode({'project': slug})}"


def _unchanged(text: str, before: str) -> bool:
    """A form sends every line with CRLF."""
    return text.replace("\r\n", "\n") == before.replace("\r\n", "\n")


def _page(request: HttpRequest, name: str, fixes: Fixable, *, status: int = 200, **context: Any) -> HttpResponse:
    shared = {**admin.site.each_context(request), "fixes": fixes, "title": fixes.name.capitalize()}
    return render(request, f"admin/records/{name}.html", {**shared, **context}, status=status)
