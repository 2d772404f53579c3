"""Time and segments: idle ones are stashed, expired ones leave, the trash is emptied, duplicates are counted."""

from datetime import timedelta

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.segment import Tier
from jobs_app.errors import NotFoundError
from jobs_app.models import Project
from jobs_app.services import segment_stashing, segment_upkeep, segments
from jobs_app.services.segments import SegmentFilter
from tests.conftest import Clock
from tests.factories import make_segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]


def run() -> dict[str, int]:
    return dict(segment_upkeep.run(Deadline(timedelta(minutes=1))))


def tiers(project: Project) -> dict[str, Tier]:
    found = segments.find(COMMAND, project.slug, SegmentFilter(), limit=500).segments
    return {one.text: one.tier for one in found}


def test_idle_segments_are_stashed_but_pinned_and_touched_ones_stay(project: Project, clock: Clock) -> None:
    for number in range(5):
        make_segment(project, f"idle {number}")
    make_segment(project, "pinned", pinned=True)
    touched = make_segment(project, "touched")
    clock.advance(days=6)
    segments.change(COMMAND, project.slug, touched.id, {"type": "code"})
    assert run()["stashed"] == 0
    clock.advance(days=2)
    assert run()["stashed"] == 5
    found = tiers(project)
    assert {text for text, tier in found.items() if tier is Tier.ACTIVE} == {"pinned", "touched"}
    assert run()["stashed"] == 0


def test_expired_segments_leave_into_the_trash_and_then_for_good(project: Project, clock: Clock) -> None:
    make_segment(project, "short", expires_at=clock.now + timedelta(hours=1), tier=Tier.STASHED)
    make_segment(project, "long", expires_at=clock.now + timedelta(days=100))
    assert run()["expired"] == 0
    clock.advance(hours=2)
    assert run()["expired"] == 1
    assert set(tiers(project)) == {"long"}
    assert len(segments.in_trash(COMMAND, project.slug).segments) == 1
    clock.advance(days=8)
    assert run()["erased"] == 1
    assert segments.in_trash(COMMAND, project.slug).segments == []


def test_the_undo_of_a_stashing_is_kept_for_a_day(project: Project, clock: Clock) -> None:
    kept = segment_stashing.remember(COMMAND, project.slug, [make_segment(project, "x", tier=Tier.STASHED).id])
    gone = segment_stashing.remember(COMMAND, project.slug, ["a"])
    clock.advance(hours=23)
    assert run()["undos"] == 0
    assert len(segment_stashing.undo(COMMAND, project.slug, kept)) == 1
    clock.advance(hours=2)
    assert run()["undos"] == 1
    with pytest.raises(NotFoundError):
        segment_stashing.undo(COMMAND, project.slug, gone)


def test_duplicates_are_counted_until_their_twin_goes(project: Project) -> None:
    first = make_segment(project, "same")
    other = make_segment(project, "other")
    segments.change(COMMAND, project.slug, other.id, {"text": "same"})
    assert run()["duplicates"] == 1
    segments.delete_segment(COMMAND, project.slug, first.id)
    assert run()["duplicates"] == 0
    assert not segments.get(COMMAND, project.slug, other.id).duplicate
    assert make_segment(project, "same").id == other.id
