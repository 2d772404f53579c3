"""Failures of one cause look the same, others do not, and hostile messages take no time."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from jobs_app.domain import failure_group
from jobs_app.domain.failure import LONGEST_MESSAGE, cause_of, generalised

TRACE = """Traceback (most recent call last):
  File "/srv/{release}/worker/pages.py", line {line}, in read
    return open(path)
  File "/srv/{release}/worker/disk.py", line 7, in fetch
    raise ValueError("no such page: {page}")
ValueError: no such page: {page}
"""


@pytest.mark.parametrize(
    ("message", "general"),
    [
        ("no such page: 17", "no such page: #"),
        ("job 01984f5e-7c1a-7b3e-9a55-3f1d2c4b5a69 is gone", "job # is gone"),
        ("at 0x7f3a9c and 12:30:01.5", "at # and #"),
        ("hash deadbeef1234 of\n  order-4711", "hash # of order-#"),
        ("größe 3,5 MB", "größe # MB"),
        ("feedback and decade stay", "feedback and decade stay"),
        ("", ""),
    ],
)
def test_ids_and_numbers_are_taken_out_of_a_message(message: str, general: str) -> None:
    assert generalised(message) == general


def test_the_same_cause_in_another_job_line_and_release_has_the_same_fingerprint() -> None:
    one = cause_of("no such page: 17", TRACE.format(release="r1", line=12, page=17))
    other = cause_of("no such page: 9", TRACE.format(release="r2", line=15, page=9))
    assert one.fingerprint == other.fingerprint
    assert (one.exception, one.frame) == ("ValueError", "worker/disk.py in fetch")


def test_another_exception_frame_or_message_is_another_cause() -> None:
    trace = TRACE.format(release="r1", line=1, page=1)
    causes = [
        cause_of("no such page: 1", trace),
        cause_of("no such page: 1", trace.replace("fetch", "seek")),
        cause_of("no such page: 1", trace.replace("ValueError:", "KeyError:")),
        cause_of("no such book: 1", trace),
        cause_of("no such page: 1", None),
        cause_of(None, None),
    ]
    assert len({cause.fingerprint for cause in causes}) == len(causes)


def test_traces_of_scripts_and_messages_that_name_their_exception_are_read() -> None:
    script = cause_of("x", "TypeError: x is undefined\n    at render (/app/a.js:10:5)\n    at main (/app/b.js:1:1)")
    assert (script.exception, script.frame) == ("TypeError", "render")
    assert cause_of("requests.ReadTimeout: 30 s", None).exception == "requests.ReadTimeout"


@pytest.mark.parametrize("part", ["0", "a1", "0x", "at ", 'File "', "-", "Error", "\n  at (", "deadbeef", ".,:1"])
def test_a_hostile_message_takes_no_time(part: str) -> None:
    began = time.perf_counter()
    text = part * (200_000 // len(part))
    cause = cause_of(text, text)
    assert time.perf_counter() - began < 1
    assert len(cause.message) <= LONGEST_MESSAGE


def test_cells_tell_how_many_lately_and_buckets_do_not_grow() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    group = failure_group.first(cause_of("x", None), at, "a")
    for minutes in range(0, 60 * 24 * 10, 30):
        group = failure_group.seen(group, at + timedelta(minutes=minutes), "b")
    now = group.last_seen_at
    assert group.count == 481
    assert 2 <= group.within(now, timedelta(hours=1)) <= 3
    assert 48 <= group.within(now, timedelta(hours=24)) <= 50
    assert 336 <= group.within(now, timedelta(days=7)) <= 338
    assert group.within(now + timedelta(days=30), timedelta(days=7)) == 0
    assert len(group.fine) <= 14
    assert len(group.hours) <= 170
    assert (group.first_seen_at, group.last_job_id) == (at, "b")
    assert failure_group.seen(group, at, "late").last_job_id == "b"
