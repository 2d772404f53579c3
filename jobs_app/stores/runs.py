"""Runs as records."""

from typing import Any, Final

from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import Wanted
from jobs_app.domain.run import Phase, Run, Start
from jobs_app.stores.noun_records import Noun
from jobs_app.stores.values import by_in, by_out, known_time, mapping, number, optional_text, text, texts, time_out
from storage_app.records.declarations import Collection, Field, Kind, Order
from storage_app.records.operations import Record

RUNS: Final = Collection(
    "runs",
    fields=(
        Field("phase", Kind.TEXT),
        Field("created_at", Kind.TIME),
        Field("search", Kind.SEARCH),
    ),
    partition="phase",
    orders=(Order(("created_at",), within=("phase",)),),
)


def to_document(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "created_at": time_out(run.created_at),
        "created_by": by_out(run.created_by),
        "content_type": run.content_type,
        "options": dict(run.options),
        "outputs": list(run.outputs),
        "uses": [{"kind": use.kind, "name": use.name, "variables": dict(use.variables)} for use in run.uses],
        "storage": run.storage,
        "priority": run.priority,
        "tags": list(run.tags),
        "max_retries": run.max_retries,
        "phase": run.phase.value,
        "start": _start_out(run.start),
        "cancelled_by": by_out(run.cancelled_by) if run.cancelled_by else None,
        "cloned_from": run.cloned_from,
        "ended": {state.value: number for state, number in run.ended.items()},
        "taken_out": list(run.taken_out),
        "search": "\n".join((run.name, *run.tags)),
    }


def from_record(record: Record) -> Run:
    document = record.document
    return Run(
        id=str(record.id),
        version=record.version,
        name=text(document["name"]),
        created_at=known_time(document["created_at"]),
        created_by=by_in(document["created_by"]),
        content_type=text(document["content_type"]),
        options=mapping(document["options"]),
        outputs=texts(document["outputs"]),
        uses=tuple(
            Wanted(text(use["kind"]), text(use["name"]), mapping(use["variables"])) for use in document.get("uses", ())
        ),
        storage=text(document["storage"]),
        priority=number(document["priority"]),
        tags=texts(document["tags"]),
        max_retries=number(document["max_retries"]),
        phase=Phase(document["phase"]),
        start=_start_in(document["start"]),
        cancelled_by=by_in(document["cancelled_by"]) if document["cancelled_by"] is not None else None,
        cloned_from=optional_text(document["cloned_from"]),
        ended={JobState(state): number(count) for state, count in mapping(document["ended"]).items()},
        taken_out=texts(document.get("taken_out", [])),
    )


RUN: Final = Noun("run", RUNS, from_record, to_document)


def _start_out(start: Start | None) -> dict[str, Any] | None:
    if start is None:
        return None
    return {"at": time_out(start.at), "by": by_out(start.by), "force": start.force}


def _start_in(value: Any) -> Start | None:
    if value is None:
        return None
    if not isinstance(value["force"], bool):
        raise TypeError(f"{value['force']!r} is neither true nor false")
    return Start(known_time(value["at"]), by_in(value["by"]), value["force"])
