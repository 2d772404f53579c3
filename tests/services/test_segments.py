"""Segments: stored once, loaded within a budget, stashed and fetched back, changed, thrown away, and their past."""

from typing import Any

import pytest

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.new_segment import NewSegment
from jobs_app.domain.segment import Source, Tier, estimated_tokens
from jobs_app.errors import InvalidError, NotFoundError, PermissionDeniedError, PreconditionFailedError
from jobs_app.models import AuditEntry, Project
from jobs_app.services import active_segments, segment_search, segment_stashing, segments
from jobs_app.services.segments import SegmentFilter
from tests.conftest import Clock
from tests.factories import make_actor, make_segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]


def loaded(project: Project, budget: int | None = None, **wanted: object) -> list[str]:
    found = active_segments.load_segments(COMMAND, project.slug, SegmentFilter(**wanted), budget)  # type: ignore[arg-type]  # by name
    return [segment.text for segment in found.segments]


def test_what_is_stored_comes_back_and_is_loaded(project: Project) -> None:
    source = Source(job_id="j1", path="src/a.py", digest="sha256:00")
    made = make_segment(
        project, "Decide on UUIDv7", type="decision", metadata={"n": 10**30}, tags=["ids", "ids"], source=source
    )
    found = segments.get(COMMAND, project.slug, made.id)
    assert found == made
    assert (found.version, found.tier, found.tokens, found.tags) == (1, Tier.ACTIVE, 4, ("ids",))
    assert (found.metadata, found.source) == ({"n": 10**30}, source)
    assert loaded(project) == ["Decide on UUIDv7"]


def test_the_same_text_and_type_are_stored_once(project: Project) -> None:
    first = make_segment(project, "same", tags=["a"], metadata={"x": 1}, tier=Tier.STASHED)
    again = segments.store_segment(
        COMMAND, project.slug, NewSegment("same", tags=["b"], metadata={"y": 2}, task_id="t")
    )
    assert (again.created, again.segment.id, again.segment.version) == (False, first.id, 2)
    assert (again.segment.tags, again.segment.metadata, again.segment.task_id) == (("a", "b"), {"x": 1, "y": 2}, "t")
    assert again.segment.tier is Tier.ACTIVE
    assert make_segment(project, "same", type="code").id != first.id


def test_the_same_text_in_another_project_is_another_segment(project: Project, other_project: Project) -> None:
    assert make_segment(project, "same").id != make_segment(other_project, "same").id
    assert loaded(other_project) == ["same"]


def test_a_given_id_names_the_one_to_replace(project: Project) -> None:
    first = segments.store_segment(COMMAND, project.slug, NewSegment("one", segment_id="mine"))
    second = segments.store_segment(COMMAND, project.slug, NewSegment("two", segment_id="mine", tags=["x"]))
    assert (first.created, second.created, second.segment.version) == (True, False, 2)
    assert segments.as_of(COMMAND, project.slug, "mine", 1)["text"] == "one"
    twin = segments.store_segment(COMMAND, project.slug, NewSegment("two", segment_id="other"))
    assert (twin.created, twin.segment.id) == (False, "other")
    assert twin.segment.duplicate


def test_many_are_stored_together_or_refused_together(project: Project) -> None:
    stored = segments.store_many(COMMAND, project.slug, [NewSegment("a"), NewSegment("b"), NewSegment("a", type="x")])
    assert [one.created for one in stored] == [True, True, True]
    again = segments.store_many(COMMAND, project.slug, [NewSegment("a"), NewSegment("c"), NewSegment("c")])
    assert [one.created for one in again] == [False, True, False]
    with pytest.raises(InvalidError, match=r"segments\.1\.text: is empty"):
        segments.store_many(COMMAND, project.slug, [NewSegment("d"), NewSegment("")])
    assert sorted(loaded(project)) == ["a", "a", "b", "c"]


def test_loading_never_passes_the_budget_and_says_what_is_missing(project: Project, clock: Clock) -> None:
    for text, tokens, pinned in (("old", 5, False), ("pin", 6, True), ("big", 50, False), ("new", 7, False)):
        make_segment(project, text, tokens=tokens, pinned=pinned)
        clock.advance(seconds=1)
    found = active_segments.load_segments(COMMAND, project.slug, SegmentFilter(), 15)
    assert [one.text for one in found.segments] == ["pin", "new"]
    assert found.tokens == 13
    assert [(left.segment.text, left.reason) for left in found.left_out] == [
        ("big", "larger than the whole budget"),
        ("old", "no room left in the budget"),
    ]
    assert loaded(project) == ["pin", "new", "big", "old"]
    assert loaded(project, 0) == []


def test_loading_follows_every_change(project: Project) -> None:
    one = make_segment(project, "one", task_id="t1", tags=["x"])
    assert loaded(project) == ["one"]
    two = make_segment(project, "two", task_id="t2")
    assert sorted(loaded(project)) == ["one", "two"]
    assert loaded(project, task_id="t2") == ["two"]
    segments.stash_segment(COMMAND, project.slug, two.id)
    assert loaded(project) == ["one"]
    segments.change(COMMAND, project.slug, one.id, {"text": "three"})
    assert loaded(project, tag="x") == ["three"]
    segments.delete_segment(COMMAND, project.slug, one.id)
    assert loaded(project) == []


def test_a_changed_segment_keeps_its_past_and_can_go_back(project: Project) -> None:
    made = make_segment(project, "first text", tags=["a"])
    second = segments.change(COMMAND, project.slug, made.id, {"text": "second", "tags": ["b"]}, version=1)
    assert (second.version, second.tokens) == (2, estimated_tokens("second"))
    segments.change(COMMAND, project.slug, made.id, {"pinned": True})
    assert segments.as_of(COMMAND, project.slug, made.id, 1)["text"] == "first text"
    assert segments.as_of(COMMAND, project.slug, made.id, 2)["tags"] == ("b",)
    back = segments.revert(COMMAND, project.slug, made.id, 1)
    assert (back.version, back.text, back.tags, back.pinned) == (4, "first text", ("a",), True)
    steps, _ = segments.history(COMMAND, project.slug, made.id)
    assert [(step.version, step.what) for step in steps] == [(4, "reverted"), (3, "changed"), (2, "changed")]
    with pytest.raises(NotFoundError):
        segments.as_of(COMMAND, project.slug, made.id, 5)


def test_a_change_names_the_version_it_started_from(project: Project) -> None:
    made = make_segment(project, "text")
    segments.change(COMMAND, project.slug, made.id, {"type": "code"}, version=1)
    with pytest.raises(PreconditionFailedError, match="version 2"):
        segments.change(COMMAND, project.slug, made.id, {"type": "x"}, version=1)
    same = segments.change(COMMAND, project.slug, made.id, {"type": "code"})
    assert same.version == 2


def test_a_change_into_anothers_text_makes_a_duplicate(project: Project) -> None:
    make_segment(project, "one")
    other = make_segment(project, "two")
    changed = segments.change(COMMAND, project.slug, other.id, {"text": "one"})
    assert (changed.text, changed.duplicate) == ("one", True)
    assert not segments.change(COMMAND, project.slug, other.id, {"text": "three"}).duplicate


def test_a_deleted_segment_waits_in_the_trash(project: Project) -> None:
    made = make_segment(project, "gone", tier=Tier.STASHED, tags=["x"])
    segments.delete_segment(COMMAND, project.slug, made.id)
    with pytest.raises(NotFoundError):
        segments.get(COMMAND, project.slug, made.id)
    assert segments.find(COMMAND, project.slug, SegmentFilter()).segments == []
    assert segment_search.search(COMMAND, project.slug, "gone", SegmentFilter()).items == []
    (waiting,) = segments.in_trash(COMMAND, project.slug).segments
    assert waiting.id == made.id
    fresh = make_segment(project, "gone")
    assert fresh.id != made.id
    back = segments.restore(COMMAND, project.slug, made.id)
    assert (back.tier, back.duplicate) == (Tier.STASHED, True)
    segments.delete_segment(COMMAND, project.slug, made.id)
    segments.erase(COMMAND, project.slug, made.id)
    assert segments.in_trash(COMMAND, project.slug).segments == []
    with pytest.raises(NotFoundError):
        segments.erase(COMMAND, project.slug, made.id)


def test_stashing_to_a_budget_shows_first_then_does_and_can_be_undone(project: Project, clock: Clock) -> None:
    for text in ("oldest", "pinned", "middle", "newest"):
        make_segment(project, text, tokens=10, pinned=text == "pinned")
        clock.advance(seconds=1)
    seen = segment_stashing.stash_to_budget(COMMAND, project.slug, 20, preview=True)
    assert [one.text for one in seen.segments] == ["oldest", "middle"]
    assert seen.fitting is not None
    assert (seen.fitting.tokens_before, seen.fitting.tokens_after, seen.fitting.over_by) == (40, 20, 0)
    assert len(loaded(project)) == 4
    done = segment_stashing.stash_to_budget(COMMAND, project.slug, 20)
    assert {one.id for one in done.segments} == {one.id for one in seen.segments}
    assert sorted(loaded(project)) == ["newest", "pinned"]
    back = segment_stashing.unstash_ids(COMMAND, project.slug, [one.id for one in done.segments])
    assert len(back) == 2
    assert len(loaded(project)) == 4
    tight = segment_stashing.stash_to_budget(COMMAND, project.slug, 5)
    assert tight.fitting is not None
    assert (loaded(project), tight.fitting.over_by) == (["pinned"], 5)


def test_stashing_by_ids_and_by_what_they_are(project: Project) -> None:
    one, two = make_segment(project, "alpha code", type="code"), make_segment(project, "beta code", type="code")
    make_segment(project, "gamma code", type="code", pinned=True)
    make_segment(project, "alpha note")
    done = segment_stashing.stash_matching(COMMAND, project.slug, SegmentFilter(type="code"), "alpha OR gamma")
    assert ([each.id for each in done.segments], done.pinned_left) == ([one.id], 1)
    named = segment_stashing.stash_ids(COMMAND, project.slug, [one.id, two.id, "absent"])
    assert [each.id for each in named.segments] == [two.id]
    rest = segment_stashing.stash_matching(COMMAND, project.slug, SegmentFilter(), "type:note")
    assert len(rest.segments) == 1
    assert loaded(project) == ["gamma code"]
    tiers = segment_search.statistics(COMMAND, project.slug)
    assert (tiers[Tier.ACTIVE].segments, tiers[Tier.ACTIVE].pinned, tiers[Tier.STASHED].segments) == (1, 1, 3)
    assert tiers[Tier.STASHED].tokens == 3 * 3


def test_who_may_only_look_changes_nothing(project: Project) -> None:
    made = make_segment(project, "text")
    viewer = make_actor(project, Role.VIEWER)
    assert segments.get(viewer, project.slug, made.id).text == "text"
    for act in (
        lambda: segments.store_segment(viewer, project.slug, NewSegment("x")),
        lambda: segments.stash_segment(viewer, project.slug, made.id),
        lambda: segments.change(viewer, project.slug, made.id, {"type": "x"}),
        lambda: segments.delete_segment(viewer, project.slug, made.id),
        lambda: segment_stashing.stash_to_budget(viewer, project.slug, 0),
        lambda: segment_stashing.unstash_ids(viewer, project.slug, [made.id]),
    ):
        with pytest.raises(PermissionDeniedError):
            act()
    assert segment_stashing.stash_to_budget(viewer, project.slug, 0, preview=True).segments
    assert AuditEntry.objects.filter(action="segment.create").count() == 1


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"text": ""}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"text": "x" * 1_000_001}, "text"),
        ({"text": "x", "type": "a\nb"}, "type"),
        ({"text": "x", "file_path": "é" * 300}, "file_path"),
        ({"text": "x", "tags": ["ok", ""]}, "tags"),
        ({"text": "x", "tokens": -1}, "tokens"),
        ({"text": "x", "segment_id": "a/b"}, "segment_id"),
        ({"text": "x", "segment_id": "search"}, "segment_id"),
        ({"text": "\ud800"}, "text"),
        ({"text": "x", "metadata": {"n": float("nan")}}, "document"),
    ],
)
def test_what_cannot_be_a_segment_is_refused_with_its_place(
    project: Project, fields: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        make_segment(project, **fields)
    assert caught.value.extra["errors"][0]["place"] == place
    assert loaded(project) == []
