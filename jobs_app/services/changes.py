"""Counters that grow with every change of a topic, for pages that live and calls that wait."""

from collections.abc import Iterable

from django.db import connection

from jobs_app.models import ChangeCounter


def touch(*topics: str) -> None:
    """Part of the caller's transaction: nobody is woken for a change that did not happen."""
    table = connection.ops.quote_name(ChangeCounter._meta.db_table)
    with connection.cursor() as cursor:
        for topic in sorted(set(topics)):  # one order for everybody, so that no two wait for each other
            cursor.execute(
                f"INSERT INTO {table} AS t (topic, value) VALUES (%s, 1) "  # noqa: S608 - no user text
                "ON CONFLICT (topic) DO UPDATE SET value = t.value + 1",
                [topic],
            )


def values(topics: Iterable[str] | None = None) -> dict[str, int]:
    rows = ChangeCounter.objects.all() if topics is None else ChangeCounter.objects.filter(topic__in=list(topics))
    return dict(rows.values_list("topic", "value"))


def project_topic(slug: str, noun: str) -> str:
    return f"{slug}/{noun}"


def server_topic(noun: str) -> str:
    """A topic of the whole server; the slash in front keeps it apart from every project's."""
    return f"/{noun}"
