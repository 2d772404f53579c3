"""The pages of segments and records without a browser: what they show, what they refuse, what a form changes."""

import re

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.new_segment import NewSegment
from jobs_app.domain.segment import Source, Tier
from jobs_app.models import Project
from jobs_app.services import free_records, segment_search, segments
from jobs_app.services.segments import SegmentFilter
from storage_app.hashes import git_hash
from tests.conftest import Clock
from tests.factories import make_person, make_segment, run_cast

pytestmark = pytest.mark.django_db
PAGE = "/p/alpha/segments/"
HOSTILE = "<script>alert(1)</script> {{ x }} \" onload=x ' &amp; ../../etc"


def client_of(project: Project, role: Role) -> Client:
    client = Client()
    client.force_login(make_person(roles={project: role}))
    return client


@pytest.fixture
def operator(project: Project) -> Client:
    return client_of(project, Role.OPERATOR)


def body(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.content.decode()


def names(page: str) -> list[str]:
    """Without the marks of what was looked for."""
    found = re.findall(r'class="segment-name__text">(.*?)</(?:span|strong)>', page)
    return [re.sub(r"</?mark>", "", name) for name in found]


def said(client: Client, path: str, **data: object) -> list[tuple[str, str]]:
    """What the server says after a form was sent, and the undo it offers."""
    response = client.post(path, data)
    assert response.status_code == 302, response.content
    return [(str(message), message.extra_tags or "") for message in get_messages(response.wsgi_request)]


def active(project: Project) -> set[str]:
    found = segments.find(COMMAND, project.slug, SegmentFilter(tier=Tier.ACTIVE), limit=500).segments
    return {one.text for one in found}


@pytest.mark.usefixtures("record_store")
def test_a_stashing_of_many_is_undone_at_once_and_once(operator: Client, project: Project) -> None:
    for start in range(0, 250, 50):
        segments.store_many(COMMAND, project.slug, [NewSegment(f"text {start + n}") for n in range(50)])
    make_segment(project, "stashed before", tier=Tier.STASHED)
    ((sentence, undo),) = said(operator, f"{PAGE}budget/", budget="0")
    assert sentence == "250 segments are stashed."
    assert len(undo) < 200
    assert active(project) == set()
    other = client_of(project, Role.VIEWER)
    assert other.post(undo).status_code == 403
    assert said(operator, undo)[-1][0] == "250 segments are active again."
    assert len(active(project)) == segments_active(project) == 250
    assert operator.post(undo).status_code == 404
    assert operator.post(f"{PAGE}unstash/?stashing=odd/name").status_code == 404


def segments_active(project: Project) -> int:
    return segment_search.statistics(COMMAND, project.slug)[Tier.ACTIVE].segments


@pytest.mark.usefixtures("record_store")
def test_what_a_segment_came_from_is_a_link_where_it_has_an_address(operator: Client, project: Project) -> None:
    cast = run_cast(project)
    told = Source(cast["run_job"], cast["drafted"], cast["attached"], path="docs/a.md", digest=git_hash(b"another"))
    page = body(operator, f"{PAGE}{make_segment(project, 'one', source=told).id}/")
    for address in (
        f"/p/alpha/jobs/{cast['run_job']}/",
        f"/p/alpha/runs/{cast['drafted']}/",
        f"/p/alpha/runs/{cast['drafted']}/documents/{cast['attached']}/",
        "/p/alpha/documents/default/file/?path=docs%2Fa.md",
    ):
        assert f'href="{address}"' in page, address
    assert "stale" in page
    odd = Source("a/b", "c/../d", "e/f", "No Storage", "../g")
    page = body(operator, f"{PAGE}{make_segment(project, 'two', source=odd).id}/")
    assert "a/b" in page
    assert '<a class="mono"' not in page


def test_an_empty_project_teaches_how_to_begin(operator: Client, project: Project) -> None:
    assert "http://testserver/api/v1/projects/alpha/segments" in body(operator, PAGE)
    assert "http://testserver/api/v1/projects/alpha/records/tasks" in body(operator, "/p/alpha/records/")
    make_segment(project, "one")
    assert names(body(operator, PAGE)) == ["one"]


def test_what_was_found_is_marked_counted_and_can_be_narrowed(operator: Client, project: Project) -> None:
    make_segment(project, "timed out in src/foo.py", type="code", tags=["net"], file_path="src/foo.py")
    make_segment(project, "timed by hand", tier=Tier.STASHED)
    page = body(operator, f"{PAGE}?q=timed")
    assert names(page) == ["timed by hand", "timed out in src/foo.py"]
    assert "<mark>timed</mark>" in page
    assert "2 segments" in page
    assert "q=timed+tag%3A%22net%22" in page
    assert names(body(operator, f"{PAGE}?q=timed&tier=active")) == ["timed out in src/foo.py"]
    assert names(body(operator, f"{PAGE}?q=%22src/foo.py%22")) == ["timed out in src/foo.py"]
    assert "No segment matches" in body(operator, f"{PAGE}?q=nothing")


def test_a_query_that_cannot_be_read_says_so_on_the_page(operator: Client, project: Project) -> None:
    make_segment(project, "one")
    assert "This bracket is not closed" in body(operator, f"{PAGE}?q=(one")


def test_hostile_texts_are_shown_as_texts(operator: Client, project: Project) -> None:
    made = make_segment(project, HOSTILE, tags=["<b>"], metadata={"<i>": HOSTILE})
    record = free_records.create(COMMAND, "alpha", "tasks", {"<b>": HOSTILE})
    for path in (
        PAGE,
        f"{PAGE}?q=script",
        f"{PAGE}{made.id}/",
        "/p/alpha/records/tasks/",
        f"/p/alpha/records/tasks/{record.id}/",
    ):
        page = body(operator, path)
        assert "<script>alert" not in page
        assert "onload=x" not in re.sub(r"&quot; onload=x|\\&quot; onload=x", "", page), path


def test_a_budget_is_shown_then_kept_then_undone(operator: Client, project: Project, clock: Clock) -> None:
    for text in ("old", "kept", "new"):
        make_segment(project, text, tokens=10, pinned=text == "kept")
        clock.advance(seconds=1)
    page = body(operator, f"{PAGE}?budget=20")
    assert "1 segment would be stashed" in " ".join(page.split())
    assert len(active(project)) == 3
    ((sentence, undo),) = said(operator, f"{PAGE}budget/", budget="20")
    assert "1 segment is stashed" in sentence
    assert active(project) == {"kept", "new"}
    operator.post(undo)
    assert len(active(project)) == 3


def test_several_are_stashed_pinned_and_deleted_at_once(operator: Client, project: Project) -> None:
    ids = [make_segment(project, text).id for text in ("one", "two")]
    said(operator, f"{PAGE}act/", action="stash", id=ids)
    assert active(project) == set()
    said(operator, f"{PAGE}act/", action="unstash", id=ids)
    said(operator, f"{PAGE}act/", action="pin", id=ids[0])
    assert segments.get(COMMAND, "alpha", ids[0]).pinned
    undo = said(operator, f"{PAGE}act/", action="delete", id=ids)[-1][1]
    operator.post(undo)
    assert active(project) == {"one", "two"}
    assert names(body(operator, f"{PAGE}trash/")) == []


def test_an_edit_is_saved_compared_and_taken_back(operator: Client, project: Project) -> None:
    made = make_segment(project, "first\nline", tags=["a"])
    path = f"{PAGE}{made.id}/"
    form = {"text": "second\r\nline", "type": "note", "tags": "a, b", "metadata": '{"n": 1}', "version": "1"}
    assert "Saved" in said(operator, f"{path}change/", **form)[0][0]
    found = segments.get(COMMAND, "alpha", made.id)
    assert (found.text, found.tags, found.metadata) == ("second\nline", ("a", "b"), {"n": 1})
    page = body(operator, f"{path}?compare=1")
    assert "- first" in page
    assert "+ second" in page
    said(operator, f"{path}revert/", to="1")
    assert segments.get(COMMAND, "alpha", made.id).text == "first\nline"


def test_an_edit_of_what_was_changed_meanwhile_shows_both(operator: Client, project: Project) -> None:
    made = make_segment(project, "theirs before")
    segments.change(COMMAND, "alpha", made.id, {"text": "theirs now"})
    form = {"text": "mine", "type": "note", "version": "1"}
    response = operator.post(f"{PAGE}{made.id}/change/", form)
    assert response.status_code == 409
    page = response.content.decode()
    assert "- theirs now" in page
    assert "+ mine" in page
    bad = operator.post(f"{PAGE}{made.id}/change/", {**form, "version": "2", "metadata": "{"})
    assert bad.status_code == 422
    assert segments.get(COMMAND, "alpha", made.id).text == "theirs now"


def test_a_viewer_sees_no_button_and_changes_nothing(project: Project) -> None:
    made = make_segment(project, "one")
    viewer = client_of(project, Role.VIEWER)
    for path in (PAGE, f"{PAGE}{made.id}/"):
        page = body(viewer, path)
        assert 'name="action"' not in page
        assert "Show what would go" not in page
    assert viewer.post(f"{PAGE}act/", {"action": "delete", "id": made.id}).status_code == 403


def test_records_are_listed_filtered_edited_and_deleted(operator: Client, project: Project) -> None:
    for number in range(3):
        free_records.create(COMMAND, "alpha", "tasks", {"n": number})
    assert "tasks" in body(operator, "/p/alpha/records/")
    page = body(operator, '/p/alpha/records/tasks/?q={"n__gt": 1}')
    assert "{&quot;n&quot;:2}" in page
    assert "{&quot;n&quot;:1}" not in page
    assert "JSON" in body(operator, "/p/alpha/records/tasks/?q={")
    said(operator, "/p/alpha/records/tasks/1/save/", data='{"n": 7}', version="1")
    assert free_records.get(COMMAND, "alpha", "tasks", 1).data == {"n": 7}
    stale = operator.post("/p/alpha/records/tasks/1/save/", {"data": '{"n": 8}', "version": "1"})
    assert stale.status_code == 409
    assert "+   &quot;n&quot;" in stale.content.decode() or "+ {&quot;n&quot;: 8}" in stale.content.decode()
    assert operator.post("/p/alpha/records/tasks/1/save/", {"data": "{", "version": "2"}).status_code == 422
    said(operator, "/p/alpha/records/tasks/0/save/", data='{"new": true}')
    assert free_records.get(COMMAND, "alpha", "tasks", 4).data == {"new": True}
    said(operator, "/p/alpha/records/tasks/1/delete/")
    assert operator.get("/p/alpha/records/tasks/1/").status_code == 404
