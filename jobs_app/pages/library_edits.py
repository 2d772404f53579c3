"""Writing prompts and exercises: a new one, an edit with its preview, both texts where two edited, rename, delete."""

from typing import Any, TypedDict

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from jobs_app.domain import library as rules
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.front_matter import FrontMatterError
from jobs_app.domain.library import Kind, Text
from jobs_app.errors import (
    AlreadyExistsError,
    ContentTooLargeError,
    InvalidError,
    PreconditionFailedError,
)
from jobs_app.models import Project
from jobs_app.pages import document_diff
from jobs_app.pages.forms import tell
from jobs_app.pages.library import body_of, kind_of
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, library

SAMPLE = """---
title: What it does, in a few words
variables:
  - name: language
    default: en
    description: Of the answer.
---
Write the prompt here. A worker puts its variables in.
"""


class _Condition(TypedDict):
    expected_hash: str | None
    deferred: bool


class TextForm(forms.Form):
    """`based_on` is the content that the edit started from."""

    content = forms.CharField(
        label="Text",
        strip=False,
        max_length=rules.LARGEST_TEXT,
        widget=forms.Textarea({"rows": 20, "spellcheck": "true", "class": "library-text"}),
        help_text="Markdown. Front matter between two lines --- may give a title and declare variables.",
    )
    message = forms.CharField(
        label="What changes", max_length=2000, required=False, help_text="Kept in the history of the storage."
    )
    deferred = forms.BooleanField(required=False, label="Send with the next batch")
    based_on = forms.CharField(required=False, max_length=128, widget=forms.HiddenInput)
    crlf = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """A browser sends every line end as two characters, so the form knows which the text has."""
        cleaned = super().clean() or {}
        if "content" in cleaned:
            unified = str(cleaned["content"]).replace("\r\n", "\n")
            cleaned["content"] = unified.replace("\n", "\r\n") if cleaned.get("crlf") else unified
        return cleaned


class NewTextForm(TextForm):
    name = forms.CharField(
        max_length=rules.LONGEST_NAME,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
        help_text=f"How jobs name it: {rules.NAME_SENTENCE}.",
    )
    field_order = ("name", "content", "message", "deferred")


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: PageRequest, slug: str, kind: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.WRITE)
    shelf = kind_of(kind)
    form = NewTextForm(
        request.POST if request.method == "POST" else None, initial={"content": SAMPLE, **_way(actor, slug)}
    )
    previewed = _previewed(request)
    if form.is_valid() and previewed is None:
        name = form.cleaned_data["name"]
        try:
            library.write(
                actor,
                slug,
                shelf,
                name,
                form.cleaned_data["content"],
                form.cleaned_data["message"],
                overwrite=False,
                deferred=form.cleaned_data["deferred"],
            )
        except (InvalidError, AlreadyExistsError, ContentTooLargeError) as error:
            tell(form, error)
        else:
            messages.success(request, f"The {shelf.singular} {name} is there.")
            return redirect("library-show", slug, shelf.value, name)
    context = {"form": form, "is_new": True, "name": ""}
    return _editor(request, project, shelf, form, previewed, context)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PageRequest, slug: str, kind: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.WRITE)
    shelf = kind_of(kind)
    if request.method != "POST":
        entry = library.read(actor, slug, shelf, name)
        ends = {"crlf": "\r\n" in entry.content}
        form = TextForm(initial={"content": entry.content, "based_on": entry.hash, **ends, **_way(actor, slug)})
        if _has_mixed_ends(entry.content):
            form.fields["content"].help_text += " Its line ends are of two kinds; saving makes all of them CRLF."
        return _editor(request, project, shelf, form, entry.content, {"name": name})
    form = TextForm(request.POST)
    previewed = _previewed(request)
    if form.is_valid() and previewed is None:
        content, based_on = form.cleaned_data["content"], form.cleaned_data["based_on"]
        try:
            library.write(
                actor,
                slug,
                shelf,
                name,
                content,
                form.cleaned_data["message"],
                overwrite=bool(based_on),
                expected_hash=based_on or None,
                deferred=form.cleaned_data["deferred"],
            )
        except PreconditionFailedError as error:
            return _conflict(request, project, shelf, name, content, error)
        except (InvalidError, AlreadyExistsError, ContentTooLargeError) as error:
            tell(form, error)
        else:
            messages.success(request, f"The {shelf.singular} {name} is saved.")
            return redirect("library-show", slug, shelf.value, name)
    return _editor(request, project, shelf, form, previewed, {"name": name})


@require_POST
def preview(request: PageRequest, slug: str) -> HttpResponse:
    """What the text will look like; keeps nothing."""
    access.project_for(actor_of(request), slug, Scope.READ)
    content = request.POST.get("content", "")[: rules.LARGEST_TEXT].replace("\r\n", "\n")
    return render(request, "library/edit/_preview.html", {"preview": _read(content)})


@require_POST
def rename(request: PageRequest, slug: str, kind: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    shelf, to = kind_of(kind), request.POST.get("name", "").strip()
    try:
        library.rename(actor, slug, shelf, name, to, expected_hash=_condition(request)["expected_hash"])
    except (InvalidError, AlreadyExistsError, PreconditionFailedError) as error:
        messages.error(request, error.detail)
        return redirect("library-show", slug, shelf.value, name)
    messages.success(request, f"It is called {to} now.")
    return redirect("library-show", slug, shelf.value, to)


@require_POST
def delete(request: PageRequest, slug: str, kind: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    shelf = kind_of(kind)
    try:
        library.delete(actor, slug, shelf, name, **_condition(request))
    except PreconditionFailedError as error:
        messages.error(request, error.detail)
        return redirect("library-show", slug, shelf.value, name)
    messages.success(request, f"The {shelf.singular} {name} is deleted. Jobs can still read what they use of it.")
    response = redirect("library", slug)
    if shelf is not Kind.PROMPTS:
        response["Location"] += f"?kind={shelf.value}"
    return response


def _has_mixed_ends(text: str) -> bool:
    return 0 < text.count("\r\n") < text.count("\n")


def _way(actor: Actor, slug: str) -> dict[str, bool]:
    """Where each commit costs of a limit, edits wait unless the person wants otherwise."""
    return {"deferred": library.is_rate_limited(actor, slug)}


def _condition(request: PageRequest) -> _Condition:
    """That it is the text that the person saw."""
    return {"expected_hash": request.POST.get("hash", "")[:128] or None, "deferred": "deferred" in request.POST}


def _previewed(request: PageRequest) -> str | None:
    """The text, where a browser without scripts asked what it will look like."""
    if request.method == "POST" and "preview" in request.POST:
        return request.POST.get("content", "")[: rules.LARGEST_TEXT].replace("\r\n", "\n")
    return None


def _read(content: str) -> dict[str, object]:
    """With the fault of its head it is shown as it stands."""
    try:
        text, fault = rules.read(content), ""
    except FrontMatterError as error:
        text, fault = Text(content), str(error)
    return {"html": body_of(text), "text": text, "fault": fault}


def _editor(
    request: PageRequest,
    project: Project,
    kind: Kind,
    form: TextForm,
    previewed: str | None,
    further: dict[str, object],
) -> HttpResponse:
    shown = previewed if previewed is not None else str(form["content"].value() or "")
    context = {"project": project, "kind": kind, "form": form, "preview": _read(shown), **further}
    is_wrong = previewed is None and form.is_bound and bool(form.errors)
    return render(request, "library/edit.html", context, status=422 if is_wrong else 200)


def _conflict(
    request: PageRequest, project: Project, kind: Kind, name: str, mine: str, error: PreconditionFailedError
) -> HttpResponse:
    """Both texts, and a form that starts from what is there now."""
    current = error.extra["current"]
    theirs = current["content"] if current else ""
    form = TextForm(
        initial={
            "content": mine,
            "based_on": current["hash"] if current else "",
            "crlf": "\r\n" in mine,
            "message": request.POST.get("message", ""),
            "deferred": "deferred" in request.POST,
        }
    )
    context = {
        "project": project,
        "kind": kind,
        "name": name,
        "form": form,
        "is_gone": current is None,
        "mine": mine,
        "theirs": theirs,
        "diff": document_diff.between(theirs, mine),
        "preview": _read(mine),
    }
    return render(request, "library/conflict.html", context, status=409)
