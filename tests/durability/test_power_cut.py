"""The machine goes off at any call; what was not synced may be gone, partly there, or there in another order."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from storage_app.records.errors import DamagedError, QuarantinedError, RecordNotFoundError
from storage_app.records.file import recovery
from storage_app.records.file.store import FileRecordStore
from storage_app.records.file.writing import AT_ONCE
from storage_app.records.operations import Durability, Insert, Record
from tests.durability.conftest import Tally
from tests.durability.layers import ForgetfulLayer, PowerCut
from tests.durability.stores import PROJECT, assert_sound, opened, seeded

CUTS = 60
WRITES_BEFORE = 25


class LostError(AssertionError):
    """Something acknowledged is gone, or something is there that never was."""


class Witness:
    """What was acknowledged, kept apart from the store: the states that each record may be in after a loss."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._states: dict[str, list[tuple[int, str] | None]] = {}  # the last durable one, and those after it
        self._entries: dict[str, tuple[int, int]] = {}  # durable, and at most
        self._number = 0

    def act(self, store: FileRecordStore) -> None:
        """One write, noted before and after."""
        choice = self._dice.randrange(9)
        known = [id for id, states in self._states.items() if states[-1] is not None]
        if choice <= 1 or not known:
            self._insert(store)
        elif choice == 2:
            self._claim(store)
        elif choice == 3:
            self._delete(store, self._dice.choice(known))
        elif choice == 4:
            self._append(store, self._dice.choice(known))
        elif choice == 5:
            self._numbers(store)
        elif choice == 6:
            self._insert_many(store)
        else:
            self._update(store, self._dice.choice(known))

    def testify(self, store: FileRecordStore) -> None:
        """LostError for what is not as it must be; what is found then is what counts from now on."""
        for id, states in self._states.items():
            found = self._found(store, id)
            if found not in states:
                raise LostError(f"{id} is {found}, which is none of {states}")
            if found is not None and id in self._entries:
                least, most = self._entries[id]
                end = store.read_stream(PROJECT, "jobs", id, "log").end
                if not least <= end <= most:
                    raise LostError(f"{id} has {end} entries, not {least} to {most}")
                page = store.read_stream(PROJECT, "jobs", id, "log", limit=1000)
                if [entry.data["n"] for entry in page.entries] != list(range(end)):
                    raise LostError(f"the entries of {id} are not those that were appended")
                self._entries[id] = (end, end)
            self._states[id] = [found]
        if any(record.id not in self._states for record in store.query(PROJECT, "jobs", limit=1000).records):
            raise LostError("there is a record that nobody made")

    def ask_for_a_number(self, store: FileRecordStore) -> None:
        if int(store.insert(PROJECT, "notes", {}).id) <= self._number:
            raise LostError("a number was given out twice")

    def _insert(self, store: FileRecordStore) -> None:
        id = store.new_id("jobs")
        self._states[id] = [None, (1, "new")]
        text = "x" * self._dice.randrange(2000)
        store.insert(PROJECT, "jobs", {"status": "pending", "state": "new", "text": text}, id=id)
        self._states[id] = [(1, "new")]

    def _insert_many(self, store: FileRecordStore) -> None:
        """So many that their files follow."""
        ids = [store.new_id("jobs") for _ in range(AT_ONCE + 1)]
        self._states |= {id: [None, (1, "new")] for id in ids}
        document = {"status": "later", "state": "new", "text": "x" * self._dice.randrange(200)}
        store.apply(PROJECT, [Insert("jobs", document, id) for id in ids])
        self._states |= {id: [(1, "new")] for id in ids}

    def _update(self, store: FileRecordStore, id: str) -> None:
        durable = self._dice.random() < 0.7
        state, status = f"s{self._dice.random()}", self._dice.choice(["pending", "processing", "done"])
        last = self._states[id][-1]
        assert last is not None
        self._states[id].append((last[0] + 1, state))
        kind = Durability.DURABLE if durable else Durability.KILL_SAFE
        store.update(PROJECT, "jobs", id, {"state": state, "status": status}, durability=kind)
        if durable:
            self._settled(id)

    def _claim(self, store: FileRecordStore) -> None:
        state = f"c{self._dice.random()}"

        def change(record: Record) -> dict[str, str]:
            self._states[str(record.id)].append((record.version + 1, state))
            return {"status": "processing", "state": state}

        store.claim_first(PROJECT, "jobs", {"status": "pending"}, change, limit=2)

    def _append(self, store: FileRecordStore, id: str) -> None:
        _, most = self._entries.get(id, (0, 0))
        more = self._dice.randrange(1, 4)
        self._entries[id] = (self._entries.get(id, (0, 0))[0], most + more)
        durable = self._dice.random() < 0.7
        kind = Durability.DURABLE if durable else Durability.KILL_SAFE
        entries = [{"n": number} for number in range(most, most + more)]
        store.append(PROJECT, "jobs", id, "log", entries, durability=kind)
        if durable:
            self._settled(id)

    def _delete(self, store: FileRecordStore, id: str) -> None:
        self._states[id].append(None)
        store.delete(PROJECT, "jobs", id)
        self._settled(id)

    def _numbers(self, store: FileRecordStore) -> None:
        record = store.insert(PROJECT, "notes", {})
        self._number = int(record.id)
        if self._dice.random() < 0.5:
            store.delete(PROJECT, "notes", record.id)

    def _settled(self, id: str) -> None:
        """A durable write made all before it durable, of every record that came before it in the journal."""
        self._states[id] = self._states[id][-1:]
        if id in self._entries:
            self._entries[id] = (self._entries[id][1], self._entries[id][1])

    def _found(self, store: FileRecordStore, id: str) -> tuple[int, str] | None:
        try:
            record = store.get(PROJECT, "jobs", id)
        except RecordNotFoundError:
            return None
        except QuarantinedError as error:
            raise LostError(str(error)) from error
        return record.version, record.document["state"]


@pytest.mark.parametrize("journal_bytes", [40_000, 4_000_000], ids=["small journal", "large journal"])
@pytest.mark.parametrize("part", range(2))
def test_nothing_durable_is_lost_with_the_power(journal_bytes: int, part: int, tmp_path: Path, tally: Tally) -> None:
    dice, _ = seeded()
    _cut_and_look_often(tmp_path, dice, CUTS, journal_bytes)
    tally("cuts of power", CUTS)


def test_the_witness_sees_a_sync_that_does_nothing(tmp_path: Path) -> None:
    dice, _ = seeded()
    with pytest.raises((LostError, DamagedError)):
        _cut_and_look_often(tmp_path, dice, CUTS, honest=False)


@pytest.mark.parametrize("skipped", ["put", "gone", "added"])
def test_the_witness_sees_a_replay_that_skips(skipped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice, _ = seeded()
    takers = dict(recovery._TAKERS)
    kind = next(kind for kind, taker in takers.items() if taker.__name__ == skipped)
    monkeypatch.setitem(recovery._TAKERS, kind, lambda replay, effect: None)
    with pytest.raises((LostError, AssertionError)):
        _cut_and_look_often(tmp_path, dice, 2 * CUTS)


def _cut_and_look_often(
    folder: Path, dice: random.Random, times: int, journal_bytes: int = 4_000_000, honest: bool = True
) -> None:
    for number in range(times):
        _cut_and_look(folder / str(number), dice, journal_bytes, honest)


def _cut_and_look(folder: Path, dice: random.Random, journal_bytes: int, honest: bool) -> None:
    """A machine that goes off up to three times in a row, also while it recovers."""
    witness = Witness(dice)
    root = folder / "0"
    root.mkdir(parents=True)
    boots = dice.randrange(1, 4)
    for boot in range(boots):
        layer = ForgetfulLayer(root, f"boot {boot}", dice, honest)
        store = opened(root, layer, journal_bytes=journal_bytes)
        store._settler.stop()  # everything in one thread, so that the seed tells the whole story
        layer.arm(dice.randrange(5, 200))
        _until_the_cut(lambda store=store: _work(store, witness, dice))  # type: ignore[misc]  # bound now
        layer.cut = True
        for project in store._projects.values():
            project.close()
        root = folder / str(boot + 1)
        root.mkdir()
        layer.what_is_left(root)
    with opened(root, ForgetfulLayer(root, "last boot", dice)) as store:
        witness.testify(store)
        witness.ask_for_a_number(store)
        assert_sound(store)


def _work(store: FileRecordStore, witness: Witness, dice: random.Random) -> None:
    witness.testify(store)
    for _ in range(WRITES_BEFORE):
        witness.act(store)
        if dice.random() < 0.1:
            store.settle()


def _until_the_cut(work: Callable[[], None]) -> None:
    try:
        work()
    except PowerCut:
        return
