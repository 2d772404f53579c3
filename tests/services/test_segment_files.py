"""Files of segments: the same bytes out, in and out again; whatever is broken, what is whole comes in."""

import json
from typing import Any, Final

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.segment import Source, Tier
from jobs_app.errors import InvalidError
from jobs_app.models import Project
from jobs_app.services import segment_files, segment_search, segments
from jobs_app.services.segment_files import FileForm, Imported, OnConflict
from jobs_app.services.segments import SegmentFilter
from tests.conftest import Clock
from tests.factories import make_project, make_segment

pytestmark = pytest.mark.django_db
SAMPLE: Final = 3


def exported(project: Project, form: FileForm = FileForm.SINGLE) -> bytes:
    return b"".join(segment_files.export(COMMAND, project.slug, form))


def imported(project: Project, data: bytes, form: FileForm = FileForm.SINGLE, **more: Any) -> Imported:
    return segment_files.import_(COMMAND, project.slug, segment_files.read(data, form), **more)


def ids(data: bytes) -> list[str]:
    return [str(one.value["segment_id"]) for one in segment_files.read(data, FileForm.SINGLE).found]


@pytest.fixture
def sample(project: Project, clock: Clock) -> bytes:
    """A file of three segments with everything that makes reading hard."""
    make_segment(
        project, 'quotes " and {braces}, [brackets] \\ é 東京 😀\nline', metadata={"a": {"text": "x"}}, task_id="t"
    )
    clock.advance(seconds=1)
    make_segment(
        project, "def f(): return {}", type="code", file_path="src/ü.py", tags=["x", "y"], tier=Tier.STASHED,
        source=Source(job_id="j1", path="p", digest="sha256:0"), metadata={"n": 10**25, "f": 1.0},
    )  # fmt: skip
    clock.advance(seconds=1)
    third = make_segment(project, "three", tokens=77, tags=["x"])
    segments.change(COMMAND, project.slug, third.id, {"pinned": True})
    return exported(project)


@pytest.mark.usefixtures("record_store")
def test_export_import_and_export_again_is_byte_for_byte_the_same(project: Project, clock: Clock) -> None:
    for number in range(12):
        make_segment(project, f"text {number} 東京", tags=["b", "a"][: number % 3], task_id=f"t{number % 2}")
        clock.advance(seconds=number % 2)
    for form in (FileForm.SINGLE, FileForm.LINES):
        before = exported(project, form)
        with_foreign = before.replace(b'"pinned":false', b'"pinned":false,"colour":"red"', 1)
        empty = make_project()
        done = imported(empty, with_foreign, form)
        assert (done.created, done.faults, done.duplicates) == (12, [], 0)
        again = exported(empty, form).replace(empty.slug.encode(), project.slug.encode())
        assert b'"colour":"red"' in again
        third = make_project()
        imported(third, again, form)
        assert exported(third, form).replace(third.slug.encode(), project.slug.encode()) == again


def test_the_single_file_has_the_form_that_others_read(sample: bytes, project: Project) -> None:
    value = json.loads(sample)
    assert value["version"] == "1.0"
    entry = value["projects"][project.slug]
    first, second, third = entry["segments"]
    assert entry["indexes"] == {
        "by_task": {"t": [first["segment_id"]]},
        "by_file": {"src/ü.py": [second["segment_id"]]},
        "by_tag": {"x": [second["segment_id"], third["segment_id"]], "y": [second["segment_id"]]},
    }
    assert (third["version"], third["pinned"], third["tokens"]) == (2, True, 77)


def test_the_file_cut_at_every_byte_gives_every_whole_segment(sample: bytes) -> None:
    ends = []
    for one in json.loads(sample)["projects"].popitem()[1]["segments"]:
        line = json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode()
        assert line in sample
        ends.append(sample.index(line) + len(line))
    whole = ids(sample)
    assert len(whole) == SAMPLE
    for cut in range(len(sample) - 1):
        contents = segment_files.read(sample[:cut], FileForm.SINGLE)
        found = [one.value["segment_id"] for one in contents.found]
        assert found == whole[: sum(end <= cut for end in ends)], cut
        assert contents.faults, cut
        assert contents.faults[0].position <= cut
    assert segment_files.read(sample[:-1], FileForm.SINGLE).whole


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"pinned":true', b'"pinned":NaN', "NaN"),
        (b'"pinned":true', b'"pinned":true,"pinned":true', "twice|uplicate"),
        (b'"pinned":true', b'"pinned":tru', ""),
        (b'"pinned":true', b'"pinned" true', ""),
        (b'"pinned":true', b'"pinned":1e999', ""),
        (b'"text":"three"', b'"text":"thr\\ud800ee"', "surrogate"),
        (b'"text":"three"', b'"text":"thr\\u0000ee"', "0000"),
        (b'"text":"three"', b'"text":"thr\xffee"', "UTF-8"),
        (b'"text":"three"', b'"text":"three', ""),
        (b'"text":"three"', b'"text":"thr\nee"', ""),
        (b'"text":"three"', b'"text":' + b"[" * 70 + b"]" * 70, "deep|nest"),
        (b'"text":"three"', b'"text":"three",', ""),
    ],
)
def test_a_fault_in_one_segment_loses_that_one_alone(
    sample: bytes, project: Project, old: bytes, new: bytes, reason: str
) -> None:
    assert sample.count(old) == 1
    data = sample.replace(old, new)
    contents = segment_files.read(data, FileForm.SINGLE)
    assert [one.value["segment_id"] for one in contents.found] == ids(sample)[:2]
    assert [one.project for one in contents.found] == [project.slug] * 2
    fault = contents.faults[0]
    assert fault.line > 0
    assert abs(len(data[: data.index(new)].decode()) - fault.position) < 100
    assert any(part.lower() in fault.reason.lower() for part in reason.split("|"))


def test_a_broken_first_segment_does_not_hide_the_others(sample: bytes) -> None:
    data = sample.replace(b'"task_id":"t"', b'"task_id":t')
    assert [one.value["segment_id"] for one in segment_files.read(data, FileForm.SINGLE).found] == ids(sample)[1:]


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b'{"projects": []}', b'{"projects": {"a": 1}}', b"\xff"])
def test_what_is_no_such_file_is_told(project: Project, data: bytes) -> None:
    done = imported(project, data)
    assert (done.created, bool(done.faults)) == (0, True)


def test_running_an_import_again_changes_nothing_unless_asked(project: Project, sample: bytes) -> None:
    target = make_project()
    assert imported(target, sample).created == SAMPLE
    assert imported(target, sample).unchanged == SAMPLE
    changed = sample.replace(b'"three"', b'"drei"')
    kept = imported(target, changed)
    assert (kept.kept, kept.unchanged) == (1, 2)
    assert imported(target, changed, on_conflict=OnConflict.REPLACE).replaced == 1
    (found,) = segment_search.search(COMMAND, target.slug, "drei", SegmentFilter()).items
    assert segments.as_of(COMMAND, target.slug, found.segment.id, 2)["text"] == "three"


def test_of_several_projects_the_one_of_the_name_or_the_one_that_is_named_comes_in(project: Project) -> None:
    one = {"segments": [{"segment_id": "a", "text": "one"}], "indexes": {}}
    two = {"segments": [{"segment_id": "b", "text": "two"}], "indexes": {}}
    both = json.dumps({"version": "1.0", "projects": {"first": one, "second": two}}).encode()
    with pytest.raises(InvalidError, match="'first', 'second'"):
        imported(project, both)
    assert imported(project, both, entry="second").project == "second"
    own = json.dumps({"version": "1.0", "projects": {project.slug: one, "second": two}}).encode()
    assert imported(project, own).project == project.slug
    assert segments.get(COMMAND, project.slug, "a").text == "one"
    with pytest.raises(InvalidError):
        imported(project, both, entry="third")


def test_what_is_no_segment_is_told_and_the_others_come_in(project: Project) -> None:
    listed: list[Any] = [
        {"segment_id": "a", "text": "fine", "created_at": "2026-01-01T00:00:00"},
        {"segment_id": "b"},
        {"segment_id": "c/d", "text": "x"},
        {"segment_id": "e", "text": "x", "tags": "no list"},
        {"segment_id": "f", "text": "x", "created_at": "yesterday"},
        {"segment_id": "a", "text": "again"},
        7,
    ]
    data = json.dumps({"version": "1.0", "projects": {"p": {"segments": listed}}}).encode()
    done = imported(project, data)
    assert (done.created, len(done.faults)) == (1, 6)


def test_exact_duplicates_of_a_file_are_kept_and_marked(project: Project) -> None:
    make_segment(project, "here already")
    listed = [{"segment_id": id, "text": text} for id, text in (("a", "x"), ("b", "x"), ("c", "here already"))]
    done = imported(project, json.dumps({"projects": {"p": {"segments": listed}}}).encode())
    assert (done.created, done.duplicates) == (3, 2)


def test_lines_that_cannot_be_read_are_told_by_number(project: Project, sample: bytes) -> None:
    lines = exported(project, FileForm.LINES).split(b"\n")
    data = b"\n".join([lines[0], b"{broken", b"", lines[1], lines[2]])
    target = make_project()
    done = imported(target, data, FileForm.LINES)
    assert (done.created, [fault.line for fault in done.faults]) == (3, [2])


def test_the_memory_of_an_mcp_server_becomes_segments(project: Project) -> None:
    data = (
        b'{"type":"entity","name":"Ann","entityType":"person","observations":["likes tea","works on ids"]}\n'
        b'{"type":"relation","from":"Ann","to":"Ben","relationType":"knows"}\n'
        b'{"type":"entity","name":7}\n'
    )
    assert segment_files.form_of("memory.jsonl", data) is FileForm.MEMORY
    done = imported(project, data, FileForm.MEMORY)
    assert (done.created, [fault.line for fault in done.faults]) == (2, [3])
    (found,) = segment_search.search(COMMAND, project.slug, "tea tag:person", SegmentFilter()).items
    assert found.segment.text == "Ann\nlikes tea\nworks on ids"
    assert found.segment.metadata == {"name": "Ann", "entity_type": "person"}
    assert imported(project, data, FileForm.MEMORY).unchanged == 2
