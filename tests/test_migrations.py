"""Migrations make all that the declared collections need in a database, also what no model stands for."""

import pytest
from django.core.management import call_command
from django.db import connection

from jobs_app.stores.collections import COLLECTIONS
from storage_app.records.database import words
from storage_app.records.database.layout import Layout
from storage_app.records.declarations import Kind


@pytest.mark.django_db
def test_models_and_migrations_say_the_same() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
def test_every_collection_with_words_to_search_has_its_index_of_words() -> None:
    wanted = {
        Layout(collection).texts_table
        for collection in COLLECTIONS
        if any(field.kind is Kind.SEARCH for field in collection.fields)
    }
    assert len(wanted) > 1
    assert wanted <= set(connection.introspection.table_names())


@pytest.mark.django_db
def test_the_index_of_words_has_the_index_that_keeps_its_searches_from_the_texts() -> None:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, words.TABLE)
    assert "part" in constraints[words.NEWEST]["columns"]
    assert (words.SLIM in constraints) == (connection.vendor == "sqlite")
