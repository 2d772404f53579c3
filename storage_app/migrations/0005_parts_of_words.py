from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import storage_app.records.database.columns
from storage_app.records.database import words


def make_slim_index(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    words.make_slim_index(editor)


def remove_slim_index(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    words.remove_slim_index(editor)


class Migration(migrations.Migration):
    dependencies = [
        ("storage_app", "0004_outbox_content_last"),
    ]

    operations = [
        migrations.AddField(
            model_name="recordwords",
            name="part",
            field=storage_app.records.database.columns.CodePointTextField(null=True),
        ),
        migrations.RemoveIndex(model_name="recordwords", name="record_words_newest"),
        migrations.AddIndex(
            model_name="recordwords",
            index=models.Index(
                fields=["project", "collection", "-newest", "record", "part"], name="record_words_newest"
            ),
        ),
        migrations.RunPython(make_slim_index, remove_slim_index),
    ]
