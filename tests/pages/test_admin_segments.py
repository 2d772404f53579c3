"""Data fixes on segments and free records in the admin site: corrected, moved, removed, with before and after kept."""

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.segment import Tier
from jobs_app.errors import InvalidError, NotFoundError, PermissionDeniedError, PreconditionFailedError
from jobs_app.models import AuditEntry, Project
from jobs_app.services import free_records, segments
from jobs_app.services.record_fixes import RecordFixes
from jobs_app.services.segment_fixes import SegmentFixes
from storage_app.records.base import RecordStore
from tests.factories import make_actor, make_person, make_segment

pytestmark = pytest.mark.django_db
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def chief() -> Client:
    client = Client()
    client.force_login(make_person("chief", runs_the_server=True))
    return client


def document(client: Client, address: str) -> dict[str, Any]:
    """What stands in the form."""
    answer = client.get(address)
    assert answer.status_code == 200
    text = re.search(r'<textarea[^>]*name="correct-document"[^>]*>\n?(.*?)</textarea>', answer.content.decode(), re.S)
    assert text
    found: dict[str, Any] = json.loads(html.unescape(text[1]))
    return found


def do(client: Client, address: str, action: str, **fields: Any) -> int:
    data = {f"{action}-{name}": value for name, value in {"reason": "it was wrong", **fields}.items()}
    return client.post(address, {"action": action, **data}).status_code


@pytest.mark.usefixtures("record_store")
def test_a_segment_is_found_corrected_moved_removed_and_brought_back(chief: Client, project: Project) -> None:
    one = make_segment(project, f"the total {HOSTILE}", tags=["a"])
    listed = chief.get("/admin/records/segments/?project=alpha&q=total").content.decode()
    address = f"/admin/records/segments/alpha/{one.id}/"
    assert address in listed
    assert HOSTILE not in listed
    edited = {**document(chief, address), "text": "the sum", "tags": ["b"]}
    assert do(chief, address, "correct", document=json.dumps(edited), version=1) == 302
    assert do(chief, address, "move", target="stashed", version=2) == 302
    after = segments.get(COMMAND, "alpha", one.id)
    assert (after.text, after.tags, after.tier, after.version) == ("the sum", ("b",), Tier.STASHED, 3)
    trace = AuditEntry.objects.get(action="admin.segment.correct").detail
    assert (trace["before"]["tags"], trace["after"]["tags"], trace["reason"]) == (["a"], ["b"], "it was wrong")
    assert do(chief, address, "remove", version=3) == 302
    assert one.id in chief.get("/admin/records/segments/?project=alpha&part=trashed&q=sum").content.decode()
    assert do(chief, address, "bring_back", version=4) == 302
    assert segments.get(COMMAND, "alpha", one.id).tier is Tier.STASHED
    assert [step.why for step in segments.history(COMMAND, "alpha", one.id)[0]][1:] == ["it was wrong"] * 3
    assert do(chief, address, "remove", version=5) == 302
    assert do(chief, address, "erase", sure="on") == 302
    assert chief.get(address).status_code == 404


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"text": ""}, "text"),
        ({"text": None}, "text"),
        ({"pinned": "yes"}, "pinned"),
        ({"tokens": -1}, "tokens"),
        ({"tags": "a"}, "tags"),
        ({"metadata": []}, "metadata"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"source": {"colour": "red"}}, "source"),
    ],
)
def test_what_makes_no_segment_is_refused_by_place(project: Project, changes: dict[str, Any], place: str) -> None:
    one = make_segment(project, "text")
    with pytest.raises(InvalidError) as caught:
        SegmentFixes().correct(COMMAND, "alpha", one.id, changes, 1, "because")
    assert caught.value.extra["errors"][0]["place"] == place
    assert segments.get(COMMAND, "alpha", one.id) == one


def test_a_fix_needs_an_admin_a_reason_and_the_version(project: Project) -> None:
    one = make_segment(project, "text")
    free_records.create(COMMAND, "alpha", "tasks", {"a": 1})
    operator = make_actor(project, Role.OPERATOR)
    for fixes, id, changes in (
        (SegmentFixes(), one.id, {"text": "x"}),
        (RecordFixes(), "1.tasks", {"data": {"a": 2}}),
    ):
        with pytest.raises(PermissionDeniedError):
            fixes.find(operator, "alpha", "", "", None)
        with pytest.raises(PermissionDeniedError):
            fixes.correct(operator, "alpha", id, changes, 1, "because")
        with pytest.raises(InvalidError, match="say why"):
            fixes.correct(COMMAND, "alpha", id, changes, 1, " ")
        with pytest.raises(PreconditionFailedError):
            fixes.correct(COMMAND, "alpha", id, changes, 7, "because")


@pytest.mark.usefixtures("record_store")
def test_a_free_record_is_found_corrected_and_removed(chief: Client, project: Project) -> None:
    odd = "a/b ü.c"
    free_records.create(COMMAND, "alpha", "tasks", {"n": 1})
    free_records.create(COMMAND, "alpha", odd, {"n": 1, "text": HOSTILE})
    free_records.create(COMMAND, "alpha", odd, {"n": 2})
    listed = chief.get("/admin/records/records/", {"project": "alpha", "part": odd, "q": '{"n": 1}'}).content.decode()
    assert HOSTILE not in listed
    (place,) = re.findall(r'href="(/admin/records/records/alpha/[^"]+)"', listed)
    address = html.unescape(place)
    edited = {**document(chief, address), "data": {"n": 3}}
    assert do(chief, address, "correct", document=json.dumps(edited), version=1) == 302
    assert free_records.get(COMMAND, "alpha", odd, 1).data == {"n": 3}
    assert AuditEntry.objects.get(action="admin.record.correct").detail["after"]["data"] == {"n": 3}
    assert do(chief, address, "remove", version=2) == 404  # there is no trash to put it into
    assert do(chief, address, "erase") == 422
    assert do(chief, address, "erase", sure="on") == 302
    assert AuditEntry.objects.get(action="admin.record.erase").detail["before"]["data"] == {"n": 3}
    assert chief.get(address).status_code == 404
    assert chief.get("/admin/records/records/", {"project": "alpha", "q": "{"}).status_code == 200
    for nothing in ("1", "x.tasks", "².tasks", "1.", "9.tasks"):
        with pytest.raises(NotFoundError):
            RecordFixes().get(COMMAND, "alpha", nothing)


def test_what_was_set_aside_stands_beside_its_own_kind(
    chief: Client, project: Project, memory_store: RecordStore
) -> None:
    one = make_segment(project, "odd")
    free_records.create(COMMAND, "alpha", "tasks", {"a": 1})
    memory_store.quarantine("alpha", "segments", one.id, "looks odd")
    memory_store.quarantine("alpha", "free.tasks", 1, "looks even")
    of_segments = chief.get("/admin/records/segments/?project=alpha").content.decode()
    of_records = chief.get("/admin/records/records/?project=alpha").content.decode()
    assert "looks odd" in of_segments
    assert "looks even" not in of_segments
    assert "looks even" in of_records
    assert "looks odd" not in of_records
