"""The outbox lives in Django's database, content and all: one transaction makes a change durable whole, and every
server that shares the database shares the outbox.
"""

from typing import ClassVar

from django.db import models

from storage_app.records.database.columns import CodePointTextField


class PendingState(models.TextChoices):
    WAITING = "waiting"  # for its batch
    SENDING = "sending"  # in a batch that is under way, or whose outcome is not known yet
    PARKED = "parked"  # refused; waits for a person


class PendingAction(models.TextChoices):
    WRITE = "write"
    DELETE = "delete"


class SentBatch(models.Model):
    """What went, or goes, out as one commit. `mark` stands in the commit, where the storage can carry one."""

    mark = models.UUIDField(unique=True, editable=False)
    alias = models.CharField(max_length=64)
    project = models.CharField(max_length=63)
    message = models.TextField()
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    commit = models.CharField(max_length=128, blank=True)
    files = models.JSONField(default=list)
    tries = models.PositiveIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["alias", "project", "-id"], name="outbox_batches_sent"),
            models.Index(fields=["alias"], condition=models.Q(ended_at=None), name="outbox_batches_open"),
        ]

    def __str__(self) -> str:
        return f"{self.alias}: {self.mark}"


class PendingChange(models.Model):
    """One file as it is to be. Conditions are those of the first change since the storage's own state, since each later
    one was held against what was pending.
    """

    alias = models.CharField(max_length=64)
    project = models.CharField(max_length=63)
    path = CodePointTextField()
    action = models.CharField(max_length=6, choices=PendingAction.choices)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=71, blank=True)
    git = models.CharField(max_length=44, blank=True)
    overwrite = models.BooleanField(default=True)
    expected_sha = models.CharField(max_length=128, null=True)  # noqa: DJ001 - null: any will do
    may_be_missing = models.BooleanField(default=False)
    message = models.TextField(blank=True)
    author = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=7, choices=PendingState.choices, default=PendingState.WAITING)
    batch = models.ForeignKey(SentBatch, on_delete=models.PROTECT, null=True, related_name="changes")
    # What the storage had when the batch began, once that was looked up; by it an unknown outcome is told.
    looked = models.BooleanField(default=False)
    before = models.CharField(max_length=128, null=True)  # noqa: DJ001 - null: no file
    asked = models.BooleanField(default=False)  # to be sent without waiting for the batch window
    reason = models.JSONField(default=dict)  # why it is parked
    waiting_since = models.DateTimeField()
    changed_at = models.DateTimeField()
    # Last, since SQLite walks through all of it to reach what follows: a look at what waits must not read contents.
    content = models.BinaryField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["alias", "project", "path"],
                condition=models.Q(state=PendingState.WAITING),
                name="outbox_one_waiting",
            ),
            models.UniqueConstraint(
                fields=["alias", "project", "path"],
                condition=models.Q(state=PendingState.SENDING),
                name="outbox_one_sending",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["alias", "state", "project"], name="outbox_changes_due")]

    def __str__(self) -> str:
        return f"{self.action} {self.path}"


class OutboxLine(models.Model):
    """One for each storage: who sends there now, until when nothing is tried, and how often something was sent."""

    alias = models.CharField(max_length=64, primary_key=True)
    holder = models.CharField(max_length=32, blank=True)
    held_until = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    reason = models.JSONField(default=dict)  # why nothing goes out for now
    sent = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.alias
