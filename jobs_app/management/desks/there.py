"""The jobs of a project on a server, over its API."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final
from urllib.parse import quote

import httpx

from jobs_app.errors import LeaseLostError, RefusedError
from jobs_app.management.desks import TransientError, Value
from storage_app import strict_json

PAGE: Final = 500
MOST_AT_ONCE: Final = 1000
LARGEST_LOG_PAGE: Final = 1000
PATIENCE: Final = 30.0  # seconds for an answer that does not wait
PAUSE: Final = 2.0


class ServerRefusedError(RefusedError):
    """The server's own sentence; its code is in `extra`."""

    code: ClassVar[str] = "refused"


class UnreachableError(TransientError, RefusedError):
    code = "network_error"


class JobsThere:
    """`url` is the server's address, `token` is sent in the header alone."""

    def __init__(self, url: str, token: str, slug: str) -> None:
        self._base = f"{url.rstrip('/')}/api/v1/projects/{_part(slug)}/jobs"
        self._line = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)

    def create(self, new: Sequence[Value]) -> list[Value]:
        made: list[Value] = []
        for start in range(0, len(new), MOST_AT_ONCE):
            body = {"jobs": list(new[start : start + MOST_AT_ONCE])}
            made += self._call("POST", "/batch", body)["items"]
        return made

    def find(self, filters: Value, order: str, most: int | None) -> Iterator[Value]:
        left = most
        query = {**filters, "order": order}
        while left is None or left > 0:
            page = self._call("GET", "", limit=PAGE if left is None else min(left, PAGE), **query)
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            query["cursor"] = page["next_cursor"]
            if page["next_cursor"] is None:
                return

    def get(self, id: str) -> Value:
        return self._call("GET", f"/{_part(id)}")

    def attempts(self, id: str) -> list[Value]:
        found: list[Value] = []
        after: str | None = "0"
        while after is not None:
            page = self._call("GET", f"/{_part(id)}/attempts", after=after, limit=PAGE)
            found += page["items"]
            after = page["next_cursor"]
        return found

    def retry(self, id: str, reason: str) -> Value:
        return self._call("POST", f"/{_part(id)}/retry", {"reason": reason})

    def cancel(self, id: str, reason: str) -> Value:
        return self._call("POST", f"/{_part(id)}/cancel", {"reason": reason})

    def log(self, id: str, level: str | None, words: str | None, tail: int | None) -> Iterator[Value]:
        if tail is not None:
            yield from self._last(id, level, words, tail)
            return
        after: str | None = "0"
        while after is not None:
            page = self._lines(id, level, words, LARGEST_LOG_PAGE, after=after)
            yield from page["items"]
            after = page["next_cursor"]

    def follow(self, id: str, level: str | None, words: str | None, after: int) -> Iterator[Value]:
        """Goes on where it was when the line breaks."""
        while True:
            try:
                for name, data in self._events(id, level, words, after):
                    if name == "gone":
                        raise ServerRefusedError(data)
                    if name == "ended":
                        return
                    if name == "message":
                        line: dict[str, Any] = dict(strict_json.loads_object(data))
                        after = line["number"]
                        yield line
            except TransientError:
                time.sleep(PAUSE)

    def claim(
        self, worker_id: str, content_types: Sequence[str] | None, lease_seconds: int, wait: float
    ) -> Value | None:
        body = {
            "worker_id": worker_id,
            "lease_seconds": lease_seconds,
            "wait_seconds": wait,
            "worker_version": "jobs work",
            **({"content_types": list(content_types)} if content_types else {}),
        }
        found = self._call("POST", "/claim", body, patience=PATIENCE + wait)["jobs"]
        return found[0] if found else None

    def heartbeat(self, id: str, token: str, percent: float | None, message: str | None) -> bool:
        told = {name: value for name, value in {"progress": percent, "message": message}.items() if value is not None}
        return bool(self._call("POST", f"/{id}/heartbeat", {"lease_token": token, **told})["cancel_requested"])

    def append_log(self, id: str, token: str, entries: Sequence[Value]) -> None:
        self._call("POST", f"/{id}/logs", {"lease_token": token, "entries": list(entries)})

    def complete(self, id: str, token: str, result: Any) -> Value:
        return self._call("POST", f"/{id}/complete", {"lease_token": token, "result_data": result})

    def fail(self, id: str, token: str, message: str, traceback: str | None, retryable: bool) -> Value:
        told = {"error_message": message, "traceback": traceback, "retryable": retryable}
        return self._call("POST", f"/{id}/fail", {"lease_token": token, **told})

    def release(self, id: str, token: str) -> Value:
        return self._call("POST", f"/{id}/release", {"lease_token": token})

    def leave(self) -> None:
        """Nothing belongs to a thread: the connections are everybody's."""

    def close(self) -> None:
        self._line.close()

    def _last(self, id: str, level: str | None, words: str | None, tail: int) -> list[Value]:
        found: list[Value] = []
        where: dict[str, Any] = {"tail": "true"}
        while len(found) < tail:
            page = self._lines(id, level, words, min(tail - len(found), LARGEST_LOG_PAGE), **where)
            found = [*page["items"], *found]
            if page["previous_cursor"] is None:
                break
            where = {"before": page["previous_cursor"]}
        return found

    def _lines(self, id: str, level: str | None, words: str | None, limit: int, **where: Any) -> dict[str, Any]:
        return self._call("GET", f"/{_part(id)}/logs", level=level, q=words, limit=limit, **where)

    def _events(self, id: str, level: str | None, words: str | None, after: int) -> Iterator[tuple[str, str]]:
        """Name and data of each server-sent event."""
        query = _given({"level": level, "q": words, "after": after})
        try:
            with self._line.stream("GET", f"{self._base}/{_part(id)}/logs/stream", params=query) as answer:
                if answer.status_code != HTTPStatus.OK:
                    answer.read()
                    _raise_refusal(answer)
                yield from _parsed(answer.iter_lines())
        except httpx.HTTPError as error:
            raise UnreachableError(f"The server does not answer: {error}") from error

    def _call(
        self, method: str, path: str, body: Any = None, patience: float = PATIENCE, **query: Any
    ) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._line.request(
                method, self._base + path, content=content, headers=headers, params=_given(query), timeout=patience
            )
        except httpx.HTTPError as error:
            raise UnreachableError(f"The server does not answer: {str(error) or type(error).__name__}") from error
        _raise_refusal(answer)
        return dict(strict_json.loads_object(answer.content))


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _part(id: str) -> str:
    """One part of the address, whatever was typed."""
    return quote(id, safe="")


def _parsed(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    name, data = "message", []
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data.append(line[6:])
        elif not line and data:
            yield name, "\n".join(data)
            name, data = "message", []


def _raise_refusal(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    problem = _problem(answer)
    code, detail = problem.get("code", ""), problem.get("detail") or f"The server answered {answer.status_code}."
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise UnreachableError(detail)
    if code == LeaseLostError.code:
        raise LeaseLostError(detail)
    raise ServerRefusedError(detail, server_code=code)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = strict_json.loads(answer.content)
    except ValueError:
        return {}  # a proxy's own page: its status is all that is told
    return found if isinstance(found, dict) else {}
