"""What GitHub does to a batch: lost answers, limits, tokens that expire, replicas that lag. The outbox is empty in the
end, or says why it is not.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from storage_app import file_storages
from storage_app.outbox import flushing, pending
from storage_app.outbox.tables import PendingChange, SentBatch
from storage_app.providers import FileDelete, FileWrite
from tests.conftest import Clock
from tests.github_double import GitHubDouble
from tests.storage import outbox_places
from tests.storage.github import QuickClock
from tests.storage.outbox_places import ALIAS, PROJECT, Place

pytestmark = pytest.mark.django_db
MUTATION = "POST /graphql mutation"


@pytest.fixture
def place(tmp_path: Path, settings: Settings) -> Iterator[Place]:
    with outbox_places.known_kinds(), outbox_places.place("github", tmp_path) as place:
        settings.FILE_STORAGES = {ALIAS: place.definition}
        yield place
        file_storages.close()


@pytest.fixture
def double(place: Place) -> GitHubDouble:
    assert place.double is not None
    return place.double


@pytest.fixture
def github_clock(place: Place) -> QuickClock:
    assert place.clock is not None
    return place.clock


def put(*paths: str) -> None:
    pending.put(ALIAS, PROJECT, [FileWrite(path, path.encode()) for path in paths], "Ours")


def flush() -> flushing.Queue:
    flushing.flush(ALIAS, PROJECT)
    return flushing.queue(ALIAS, PROJECT)


def ours(double: GitHubDouble) -> int:
    return double.messages().count("Ours")


def test_an_answer_that_was_lost_is_found_at_once(double: GitHubDouble) -> None:
    put("a", "b")
    double.faults.lose_answer(MUTATION)
    assert flush().waiting == 0
    assert not PendingChange.objects.exists()
    assert ours(double) == 1
    assert SentBatch.objects.get().commit == double.head()


def test_while_github_is_away_what_waits_can_be_thrown_away(double: GitHubDouble) -> None:
    """Nothing was sent, so nobody has to find out first what became of it."""
    put("a", "b")
    fault = double.faults.fail(".", 503, times=100)
    queue = flush()
    assert fault.hits
    assert (queue.waiting, queue.sending, queue.reason["code"]) == (2, 0, "network_error")
    pending.discard(PendingChange.objects.get(path="a"))
    double.faults.planned.clear()
    assert flush().waiting == 0
    assert {f"{PROJECT}/b"} == double.files().keys() - {"README.md"}


def test_an_answer_that_stays_lost_is_found_by_the_next_sender(double: GitHubDouble) -> None:
    put("a", "b")
    double.faults.lose_answer(MUTATION, times=1)
    # From the mutation on nothing comes through.
    lost = double.faults.lose_request("POST /graphql", times=0)
    double.faults.planned.remove(lost)

    def cut_off() -> None:
        lost.times = 1000
        double.faults.planned.append(lost)

    double.faults.planned[0].during = cut_off
    assert flush().sending == 2
    assert ours(double) == 1
    lost.times = lost.hits
    queue = flush()
    assert (queue.waiting, queue.sending, ours(double)) == (0, 0, 1)


def test_what_others_wrote_over_a_lost_batch_stays(double: GitHubDouble, place: Place) -> None:
    put("a", "b")
    double.faults.lose_answer(MUTATION)
    double.faults.before(
        "POST /graphql query", lambda: double.commit({f"{PROJECT}/a": b"theirs"}) if ours(double) else None, times=9
    )
    assert flush().waiting == 0
    assert place.files() == {"a": b"theirs", "b": b"b"}
    assert ours(double) == 1


def test_a_limit_in_the_middle_waits_and_then_goes_on(
    double: GitHubDouble, github_clock: QuickClock, clock: Clock
) -> None:
    put(*(f"f/{number}" for number in range(150)))
    double.faults.before(MUTATION, lambda: double.limits.exhaust(f"Bearer {double.TOKEN}", "graphql", left=1))
    queue = flush()
    assert queue.waiting + queue.sending > 0
    assert queue.reason["code"] == "rate_limited"
    assert queue.retry_at is not None
    assert queue.retry_at > timezone.now()
    wait = (queue.retry_at - timezone.now()) + timedelta(seconds=1)
    clock.advance(seconds=wait.total_seconds())
    github_clock.advance(wait.total_seconds())
    flushing.flush_due()
    assert not PendingChange.objects.exists()
    assert ours(double) == 2
    assert len([path for path in double.files() if path.startswith(PROJECT)]) == 150


def test_a_token_that_expired_says_so_and_nothing_is_lost(double: GitHubDouble, clock: Clock) -> None:
    put("a", "b")
    fault = double.faults.fail(".", 401, "Bad credentials", times=1000)
    queue = flush()
    assert (queue.waiting, queue.parked) == (2, 0)
    assert "token" in queue.reason["message"]
    fault.times = fault.hits
    clock.advance(minutes=1)
    flushing.flush_due()
    assert not PendingChange.objects.exists()
    assert ours(double) == 1


def test_a_replica_that_lags_does_not_make_a_batch_twice(double: GitHubDouble) -> None:
    put("a", "b")
    flush()
    double.world.replica.freeze(answers=3)
    put("c", "d")
    queue = flush()
    assert (queue.waiting, queue.sending) == (0, 0)
    assert ours(double) == 2


def test_a_file_that_somebody_else_deleted_is_deleted(double: GitHubDouble) -> None:
    double.commit({f"{PROJECT}/gone": b"0"})
    pending.put(ALIAS, PROJECT, [FileDelete("gone"), FileWrite("a", b"a")], "Ours")
    double.commit({f"{PROJECT}/gone": None, "x": b""})
    queue = flush()
    assert (queue.waiting, queue.parked) == (0, 0)
    assert double.files()[f"{PROJECT}/a"] == b"a"


def test_a_protected_branch_waits_with_its_reason(double: GitHubDouble) -> None:
    put("a", "b")
    double.world.protected.add("main")
    queue = flush()
    assert (queue.waiting, queue.parked) == (2, 0)
    assert queue.reason["details"]["reason"] == "protected_branch"
