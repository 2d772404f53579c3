"""What the ORM keeps under every record store: projects, members, tokens, audit, sessions, maintenance."""

import hashlib
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from jobs_app.domain import project as project_rules
from jobs_app.domain.access import Role
from jobs_app.domain.maintenance import RunOutcome
from jobs_app.stores.collections import COLLECTIONS
from storage_app.records.database.tables import record_model


def _check_slug(value: str) -> None:
    if not project_rules.is_slug(value):
        raise ValidationError(f"Use {project_rules.SLUG_SENTENCE}.")


class Project(models.Model):
    """The unit of isolation."""

    slug = models.CharField(max_length=63, unique=True, validators=[_check_slug])
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=2000, blank=True, default="")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Membership(models.Model):
    """A person's role in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=[(role.value, role.value) for role in Role])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_role_per_person_and_project")]

    def __str__(self) -> str:
        return f"{self.user} as {self.role} of {self.project}"


class Token(models.Model):
    """A program's key. Only its digest is kept; `hint` lets a person tell it from others."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tokens", null=True, blank=True)
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"


class Appended(models.QuerySet["AuditEntry"]):
    """Rows that are written once: neither changed nor deleted through the ORM."""

    def update(self, **_values: Any) -> NoReturn:
        raise TypeError("The audit log is only ever appended to.")

    def delete(self) -> NoReturn:
        raise TypeError("The audit log is only ever appended to.")


class AuditEntry(models.Model):
    """One change, refusal or login. Names stand as text, so that the entry outlives what it speaks of."""

    at = models.DateTimeField(auto_now_add=True)
    project_slug = models.CharField(max_length=63, blank=True)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64)
    actor_name = models.CharField(max_length=200)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64)
    target_kind = models.CharField(max_length=32, blank=True)
    target_id = models.CharField(max_length=200, blank=True)
    target_name = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=10)
    detail = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    objects = Appended.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["project_slug", "-id"], name="audit_by_project"),
            models.Index(fields=["project_slug", "action", "-id"], name="audit_by_action"),
            models.Index(fields=["project_slug", "actor_name", "-id"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.target_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("The audit log is only ever appended to.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("The audit log is only ever appended to.")


class PersonSession(AbstractBaseSession):
    """A login on one device; kept by the server, so that it can be listed and ended."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="login_sessions", null=True, blank=True
    )
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[BaseSessionManager[Any]] = BaseSessionManager()

    class Meta:
        ordering = ["-seen_at"]

    @property
    def name(self) -> str:
        """What a page may show and a form may send in place of the key, which would be the login itself."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:16]

    @classmethod
    def get_session_store_class(cls) -> Any:
        from jobs_app.sessions import SessionStore  # the store imports this model

        return SessionStore


class MustChangePassword(models.Model):
    """Stands beside a person whose password somebody else has seen."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True)

    def __str__(self) -> str:
        return str(self.user)


class Throttle(models.Model):
    """How often something was tried in the current window, counted for all processes together."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    window_ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"


class IdempotentAnswer(models.Model):
    """The first answer to a POST that came with an `Idempotency-Key`; sealed, since it may hold a secret."""

    key_digest = models.CharField(max_length=64, primary_key=True)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    location = models.CharField(max_length=500, blank=True)
    nonce = models.BinaryField(max_length=32)
    sealed_body = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return self.key_digest[:12]


class TaskSchedule(models.Model):
    """When a maintenance task is due next, and who runs it now."""

    name = models.CharField(max_length=64, primary_key=True)
    due_at = models.DateTimeField()
    held_by = models.BigIntegerField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class TaskRun(models.Model):
    """One run of a maintenance task: asked for, started, ended."""

    name = models.CharField(max_length=64)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=200)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=[(outcome.value, outcome.value) for outcome in RunOutcome])
    counts = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    consumer = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["name", "-id"], name="task_runs_by_name"),
            models.Index(fields=["outcome", "id"], name="task_runs_by_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.outcome}"


class ConsumerBeat(models.Model):
    """A consumer that said it is alive, and when it last did."""

    consumer = models.CharField(max_length=100, primary_key=True)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.consumer


class ChangeCounter(models.Model):
    """Grows with every change of its topic; live pages and long polls compare it, which costs one small read."""

    topic = models.CharField(max_length=120, primary_key=True)
    value = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.topic} {self.value}"


# The tables of the collections, for the record store that is a database; statements of its own read and write them.
RECORD_MODELS: list[type[models.Model]] = [record_model(collection, __name__) for collection in COLLECTIONS]
