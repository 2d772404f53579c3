"""The content of a change becomes the last column of its row: SQLite walks through all of it to reach what follows."""

from typing import Any, ClassVar

from django.db import migrations, models
from django.db.models import F


def copy(apps: Any, schema_editor: Any) -> None:
    """Row by row within the database; nothing passes through this process."""
    changes = apps.get_model("storage_app", "PendingChange")
    changes.objects.using(schema_editor.connection.alias).update(body=F("content"))


def copy_back(apps: Any, schema_editor: Any) -> None:
    changes = apps.get_model("storage_app", "PendingChange")
    changes.objects.using(schema_editor.connection.alias).update(content=F("body"))


class Migration(migrations.Migration):
    dependencies: ClassVar = [("storage_app", "0003_record_words")]

    operations: ClassVar = [
        migrations.AddField("pendingchange", "body", models.BinaryField(null=True)),
        migrations.RunPython(copy, copy_back),
        migrations.RemoveField("pendingchange", "content"),
        migrations.RenameField("pendingchange", "body", "content"),
    ]
