"""Domain values as they stand in a record, and back. Reading raises ValueError, KeyError or TypeError for what is none
of ours, and whoever reads sets such a record aside.
"""

from datetime import datetime
from typing import Any

from jobs_app.domain.job import By
from jobs_app.domain.worker import Stop
from storage_app.records.times import to_text


def time_out(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


def time_in(text: Any) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return moment


def known_time(text: Any) -> datetime:
    moment = time_in(text)
    if moment is None:
        raise ValueError("a time is missing")
    return moment


def by_out(by: By) -> dict[str, str]:
    return {"kind": by.kind, "name": by.name}


def by_in(value: Any) -> By:
    return By(text(value["kind"]), text(value["name"]))


def stop_out(stop: Stop) -> dict[str, Any]:
    return {"at": time_out(stop.at), "by": by_out(stop.by), "why": stop.why}


def stop_in(value: Any) -> Stop:
    return Stop(known_time(value["at"]), by_in(value["by"]), text(value["why"]))


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def optional_text(value: Any) -> str | None:
    return None if value is None else text(value)


def number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no object")
    return value


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{value!r} is no array")
    return tuple(text(item) for item in value)
