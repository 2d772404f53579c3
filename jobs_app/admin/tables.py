"""Data fixes on what the ORM keeps. Every change is in the audit log with before and after; secrets are not shown."""

from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse

from jobs_app.models import (
    AuditEntry,
    ChangeCounter,
    ConsumerBeat,
    Membership,
    PersonSession,
    Project,
    TaskRun,
    TaskSchedule,
    Token,
)
from jobs_app.pages.login import log_out
from jobs_app.pages.requests import actor_of
from jobs_app.services import audit

if TYPE_CHECKING:  # generic in its types only
    Admin: TypeAlias = admin.ModelAdmin[Any]
else:
    Admin = admin.ModelAdmin

HIDDEN_FIELDS = frozenset({"password", "digest", "session_key", "session_data"})


class Audited(Admin):
    """Writes each change into the audit log, in the transaction of the change."""

    def save_model(self, request: HttpRequest, obj: Model, form: "forms.ModelForm[Any]", change: bool) -> None:
        before = _values(type(obj)._default_manager.get(pk=obj.pk)) if change else {}
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            after = _values(obj)
            detail = {"before": _differing(before, after), "after": _differing(after, before)}
            _record(request, "admin.change" if change else "admin.create", obj, detail)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        with transaction.atomic():
            _record(request, "admin.delete", obj, {"before": _values(obj)})
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        with transaction.atomic():
            for obj in queryset:
                self.delete_model(request, obj)


class ReadOnly(Admin):
    """To look at: what writes it is the product alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Project)
class ProjectAdmin(Audited):
    list_display = ("slug", "name", "created_at")
    search_fields = ("slug", "name")
    readonly_fields = ("version", "created_at", "updated_at")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # a project is deleted under its settings, with everything that lives outside these tables

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields


@admin.register(Membership)
class MembershipAdmin(Audited):
    list_display = ("user", "project", "role")
    list_filter = ("role",)
    search_fields = ("user__username", "project__slug")
    autocomplete_fields = ("user", "project")


@admin.register(Token)
class TokenAdmin(Audited):
    list_display = ("name", "hint", "project", "created_at", "last_used_at", "expires_at", "revoked_at")
    search_fields = ("name", "hint", "project__slug")
    readonly_fields = ("project", "hint", "scopes", "created_at", "created_by", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a secret is shown once, which only the settings page and the command line do


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("at", "actor_name", "action", "target_name", "project_slug", "outcome")
    list_filter = ("outcome", "actor_kind")
    search_fields = ("actor_name", "action", "target_name", "project_slug")


@admin.register(TaskRun)
class TaskRunAdmin(ReadOnly):
    list_display = ("name", "outcome", "asked_by", "started_at", "ended_at")
    list_filter = ("name", "outcome")


@admin.register(PersonSession)
class PersonSessionAdmin(ReadOnly):
    list_display = ("user", "address", "agent", "created_at", "seen_at")
    list_display_links = None  # a link would name the session's key, which is the login itself
    fields = ("user", "address", "agent", "created_at", "seen_at")
    search_fields = ("user__username",)


for model in (TaskSchedule, ConsumerBeat, ChangeCounter):
    admin.site.register(model, ReadOnly)


class PersonAdmin(Audited, UserAdmin):  # type: ignore[type-arg]  # generic in its types only
    """People are made with `manage.py people`, and put right here."""

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and isinstance(response, HttpResponseRedirect):
            _record(request, "person.password", User.objects.get(pk=unquote(id)), {"by": "admin"})
        return response


admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.register(User, PersonAdmin)
admin.site.site_header = "Holdfast data"
admin.site.site_title = "Holdfast data"
admin.site.site_url = "/"


def login_page(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The one login, with its throttle and its audit; the admin has no second one."""
    return redirect(f"{reverse('login')}?{urlencode({'next': request.GET.get('next', reverse('admin:index'))})}")


def password_page(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    return redirect("account-password")


def _runs_the_server(request: HttpRequest) -> bool:
    """A staff member with a few of Django's permissions could otherwise give themselves the rest."""
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


admin.site.login = login_page  # type: ignore[method-assign]
admin.site.logout = log_out  # type: ignore[method-assign, assignment]
admin.site.password_change = password_page  # type: ignore[method-assign, assignment]
admin.site.has_permission = _runs_the_server  # type: ignore[method-assign]


def _record(request: HttpRequest, action: str, obj: Model, detail: dict[str, Any]) -> None:
    project = obj if isinstance(obj, Project) else getattr(obj, "project", None)
    audit.record(actor_of(request), action, obj, project=project, detail=detail)  # type: ignore[arg-type]


def _values(obj: Model) -> dict[str, Any]:
    """What may be shown of a row, as JSON knows it."""
    fields = [field for field in obj._meta.concrete_fields if field.name not in HIDDEN_FIELDS]
    return {field.name: _plain(field.value_from_object(obj)) for field in fields}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str | list | dict) else str(value)


def _differing(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if others.get(name) != value}
