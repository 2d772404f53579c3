"""The tables behind the database record store that all collections share; declared collections have their own
(`records/database/tables.py`). Statements on the paths that matter are written by hand and read these columns.
Those of the outbox stand beside what uses them, in `outbox/tables.py`.
"""

from typing import ClassVar

from django.db import models

from storage_app.outbox.tables import OutboxLine, PendingChange, SentBatch
from storage_app.records.database.columns import CodePointTextField

__all__ = [
    "FreeRecord",
    "OutboxLine",
    "PendingChange",
    "RecordCount",
    "RecordEntry",
    "RecordQuarantine",
    "RecordSequence",
    "RecordStream",
    "RecordTally",
    "RecordWords",
    "SentBatch",
    "StorageCheck",
]


class FreeRecord(models.Model):
    """Records of collections that users named at run time: no indexed fields."""

    pk = models.CompositePrimaryKey("project", "collection", "id")
    project = CodePointTextField()
    collection = CodePointTextField()
    id = models.BigIntegerField()
    version = models.BigIntegerField()
    document = models.TextField()

    def __str__(self) -> str:
        return f"{self.collection}/{self.id}"


class RecordSequence(models.Model):
    """The highest number a sequence ever gave out."""

    pk = models.CompositePrimaryKey("project", "collection")
    project = CodePointTextField()
    collection = CodePointTextField()
    last = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.collection}: {self.last}"


class RecordStream(models.Model):
    """A stream of a record, present or in quarantine."""

    project = CodePointTextField()
    collection = CodePointTextField()
    record = CodePointTextField()
    name = CodePointTextField()
    last = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "collection", "record", "name"], name="record_stream_name")
        ]

    def __str__(self) -> str:
        return f"{self.collection}/{self.record}/{self.name}"


class RecordEntry(models.Model):
    """One entry of a stream. No foreign key: the streams of a record are removed with their entries by hand."""

    pk = models.CompositePrimaryKey("stream", "position")
    stream = models.BigIntegerField()
    position = models.BigIntegerField()
    source = CodePointTextField()
    number = models.BigIntegerField(null=True)
    data = models.TextField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stream", "source", "number"],
                condition=models.Q(number__isnull=False),
                name="record_entry_number",
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream}/{self.position}"


class RecordTally(models.Model):
    """What a collection holds and how often it changed; `stream` is empty for its records. The sum over the shards
    counts: several writers at once would wait for each other at one row.
    """

    pk = models.CompositePrimaryKey("project", "collection", "stream", "shard")
    project = CodePointTextField()
    collection = CodePointTextField()
    stream = CodePointTextField()
    shard = models.SmallIntegerField()
    changes = models.BigIntegerField()
    records = models.BigIntegerField()
    entries = models.BigIntegerField()
    bytes = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.collection}/{self.stream}"


class RecordCount(models.Model):
    """How many records have these values in the fields of a counter; the sum over the shards counts."""

    pk = models.CompositePrimaryKey("project", "collection", "counter", "value", "shard")
    project = CodePointTextField()
    collection = CodePointTextField()
    counter = CodePointTextField()
    value = CodePointTextField()
    shard = models.SmallIntegerField()
    whole_value = models.TextField(null=True)  # noqa: DJ001 - null: `value` is the whole value
    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.collection}/{self.counter}/{self.value}"


class RecordWords(models.Model):
    """The words of a record as search engines get them. The index beside it is made by hand, for each database
    its own (`records/database/words.py`).
    """

    number = models.BigAutoField(primary_key=True)
    project = CodePointTextField()
    collection = CodePointTextField()
    record = CodePointTextField()
    newest = models.BigIntegerField()
    part = CodePointTextField(null=True)
    length = models.IntegerField()
    form = models.SmallIntegerField()  # the version of the tokenizer
    scope = models.TextField()
    tokens = CodePointTextField()
    folded = CodePointTextField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "collection", "record"], name="record_words_record")
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "collection", "-newest", "record", "part"], name="record_words_newest"),
            models.Index(fields=["project", "collection", "length"], name="record_words_length"),
        ]

    def __str__(self) -> str:
        return f"{self.collection}/{self.record}"


class RecordQuarantine(models.Model):
    """A record set aside; its streams wait under its id."""

    project = CodePointTextField()
    collection = CodePointTextField()
    record = CodePointTextField()
    version = models.BigIntegerField()
    reason = models.TextField()
    at = models.BigIntegerField()
    text = models.TextField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "collection", "record"], name="record_quarantine_record")
        ]

    def __str__(self) -> str:
        return f"{self.collection}/{self.record}"


class StorageCheck(models.Model):
    """How a storage was when it was last asked; `since` is when it began to be so."""

    alias = models.CharField(max_length=64, primary_key=True)
    healthy = models.BooleanField()
    message = models.TextField(blank=True)
    details = models.JSONField(default=dict)
    checked_at = models.DateTimeField()
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.alias}: {'healthy' if self.healthy else self.message}"
