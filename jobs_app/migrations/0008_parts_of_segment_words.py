from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from storage_app.records.database import words


def enter_parts(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Each text is marked with its tier, and those in the trash are found no more."""
    words.enter_parts(editor, "segments", "records_segments", "key_tier", ["trashed"])


class Migration(migrations.Migration):
    dependencies = [
        ("jobs_app", "0007_segments"),
        ("storage_app", "0005_parts_of_words"),
    ]

    operations = [
        migrations.RunPython(enter_parts, migrations.RunPython.noop),
    ]
