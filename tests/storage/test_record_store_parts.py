"""The parts that the backends share, where a clause of the contract cannot show them: ids, times, places, numbers."""

import random
from bisect import bisect_left, insort
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_app import strict_json
from storage_app.records import times
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.errors import InvalidError
from storage_app.records.file.rows import Row
from storage_app.records.ids import TimeOrderedIds
from storage_app.records.query import Condition, Op, compiled, fold, matches, same
from storage_app.records.sorted_places import SortedPlaces
from storage_app.records.streams import Numbers
from storage_app.records.written import sieve


def test_ids_grow_although_the_clock_stands_or_goes_back() -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC)] * 10_000 + [datetime(2025, 1, 1, tzinfo=UTC)] * 10_000
    clock = iter(moments)
    make = TimeOrderedIds(lambda: next(clock))
    ids = [make() for _ in moments]
    assert ids == sorted(set(ids))


def test_an_id_carries_its_time() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    id = TimeOrderedIds(lambda: moment)()
    assert int(id.replace("-", "")[:12], 16) == int(moment.timestamp() * 1000)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_a_time_keeps_its_microsecond(moment: datetime) -> None:
    assert times.from_instant(times.to_instant(moment)) == moment
    assert times.to_instant(times.to_text(moment)) == times.to_instant(moment)
    assert times.to_instant(moment.astimezone(timezone(timedelta(hours=-5)))) == times.to_instant(moment)
    assert len(times.to_text(moment)) == 27


@pytest.mark.parametrize(
    "text",
    ["", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-13-01T00:00:00Z", "20260101T000000Z",
     "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.1234567Z", "٢٠٢٦-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
     "2026-01-01T00:00:00+24:00", "2026-W01-1T00:00:00Z", "2026-01-01T00:00:00Z\n"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        times.to_instant(text)


def test_places_stay_sorted_over_many_chunks() -> None:
    dice, places, plain = random.Random(5), SortedPlaces(), list[tuple[int]]()
    for _ in range(12_000):
        if plain and dice.random() < 0.3:
            places.remove(place := dice.choice(plain))
            plain.remove(place)
        elif (place := (dice.randrange(10**9),)) not in places:
            places.add(place)
            insort(plain, place)
    assert len(places) == len(plain) > 4000
    assert list(places.between((), (10**9,))) == plain
    for _ in range(50):
        low, high = sorted([(dice.randrange(10**9),), dice.choice(plain)])
        expected = plain[bisect_left(plain, low) : bisect_left(plain, high)]
        assert list(places.between(low, high)) == expected
        assert list(places.between(low, high, backwards=True)) == expected[::-1]
        assert places.count(low, high) == len(expected)


@given(st.lists(st.integers(0, 30)))
def test_numbers_are_a_set_kept_as_ranges(numbers: list[int]) -> None:
    kept, plain = Numbers(), set[int]()
    for number in numbers:
        assert kept.add(number) == (number not in plain)
        plain.add(number)
        kept = Numbers(kept.ranges())
    assert [number for number in range(31) if number in kept] == sorted(plain)
    assert all(start <= end for start, end in kept.ranges())
    assert all(left[1] + 1 < right[0] for left, right in zip(kept.ranges(), kept.ranges()[1:], strict=False))


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_equality_tells_booleans_from_numbers_at_any_depth() -> None:
    assert same({"a": [1, {"b": 1.0}]}, {"a": [1.0, {"b": 1}]})
    assert not same({"a": [1, {"b": True}]}, {"a": [1, {"b": 1}]})
    assert not same([1], [1, 1])
    assert not same({"a": None}, {})
    assert not same("1", 1)


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Collection("Jobs"),
        lambda: Collection("free."),
        lambda: Collection("a", fields=(Field("id", Kind.TEXT),)),
        lambda: Collection("a", fields=(Field("x.version", Kind.TEXT),)),
        lambda: Collection("a", fields=(Field("x__y", Kind.TEXT),)),
        lambda: Collection("a", fields=(Field("x", Kind.TEXT), Field("x", Kind.TEXT))),
        lambda: Collection("a", fields=(Field("x", Kind.INTEGER),), partition="x"),
        lambda: Collection("a", partition="x"),
        lambda: Collection("a", fields=(Field("x", Kind.TEXT_LIST),), orders=(Order(("x",)),)),
        lambda: Collection("a", fields=(Field("x", Kind.TEXT),), orders=(Order(("x",), within=("y",)),)),
        lambda: Collection("a", counters=(("x",),)),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declare: object) -> None:
    assert callable(declare)
    with pytest.raises(InvalidError):
        declare()
    assert Collection("a", ids=Ids.GIVEN, fields=(Field("x", Kind.TEXT),), partition="x").by_name["x"].path == ("x",)


@pytest.mark.parametrize("op", [Op.LT, Op.LTE, Op.GT, Op.GTE])
@given(
    document=st.dictionaries(
        st.sampled_from(["n", "other"]),
        st.recursive(
            st.one_of(
                st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([True, None, "7"])
            ),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["n", "m"]), inner, max_size=2),
            max_leaves=4,
        ),
    ),
    bound=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    path=st.sampled_from([("n",), ("other", "n")]),
)
def test_a_sieve_keeps_every_text_whose_number_lies_within(
    op: Op, document: dict[str, object], bound: float, path: tuple[str, ...]
) -> None:
    (condition,) = compiled(Collection("sieved"), [Condition(path, op, bound)])
    may_match = sieve([condition])
    assert may_match is not None
    text = strict_json.dumps(document)
    row = Row(Collection("sieved"), 1, "id", 1, text, None, placed=True)
    assert may_match(text) or not matches([condition], row)
    assert not may_match('{"n":"7","m":1}')
