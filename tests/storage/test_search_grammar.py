"""What people may write, what it means, and what they are told where it means nothing."""

import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from storage_app.search import nodes
from storage_app.search.errors import QueryError
from storage_app.search.fields import Comparison, Fields
from storage_app.search.grammar import DEEPEST, LONGEST, MOST_TERMS, parse
from storage_app.search.nodes import And, Not, Or, Query, Term, Text, Value
from tests.storage.search_samples import JOBS, SEGMENTS

PIECES = st.sampled_from(
    'a b foo* "x y" "q\\"" * - -- -> ( ) () | || OR AND NOT status:failed status: status:fail type:pdf,"a b" type:a* , '
    "tag:x tag:x* options.lang:de options.n:>5 options: created:>2026-01-01 created:-2h created:..now duration:>5m "
    'priority:1..5 priority:x unknown:1 statsu:x error:* http://x f(x) f( \\ : > < = .. " \' 12:30 é ー sub:"->"'.split(
        " "
    )
)
ALMOST = st.lists(PIECES, max_size=12).flatmap(
    lambda pieces: st.sampled_from(["", " "]).map(lambda glue: glue.join(pieces))
)


def parsed(text: str, fields: Fields) -> Query | QueryError:
    try:
        return parse(text, fields)
    except QueryError as error:
        return error


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("  \n ", ""),
        (
            'status:failed type:pdf worker:w1 tag:x created:>2026-01-01 duration:>5m error:"timed out" options.lang:de'
            " (a OR b) -c",
            'status:failed type:pdf worker:w1 tag:x created:>2026-01-01 duration:>5m error:"timed out" options.lang:de'
            " (a OR b) -c",
        ),
        ("a  AND b", "a b"),
        ("a b | c d", "a b OR c d"),
        ("a|b||c", "a OR b OR c"),
        ("((a (b)) c)", "a b c"),
        ("a (b OR (c OR d))", "a (b OR c OR d)"),
        ("NOT a -(b c) -(-d)", "-a -(b c) d"),
        ("NOT ->", "-(->)"),
        ("-> --flag - a-b", "-> --flag - a-b"),
        ("main() f(x) f(x y)", "main() f(x) f x y"),
        ("http://x.y/z std::vector 12:30", "http://x.y/z std::vector 12:30"),
        ("storage.py:12 C:\\dir Note: x", "storage.py:12 C:\\dir Note: x"),
        ('pre* "timed o"* **', 'pre* "timed o"* **'),
        ('"a \\" \\\\ \\n"', '"a \\" \\\\ \\\\n"'),
        ("STATUS:Failed worker_id:w", "status:failed worker:w"),
        ("status:failed,timeout,failed", "status:failed,timeout"),
        ("error:=a,b", "error:a,b"),
        ('tag:"a,b",c', 'tag:"a,b",c'),
        ("priority:1.. priority:..5", "priority:1.. priority:..5"),
        ("or and not", "or and not"),
        ('say"hello world"', 'say "hello world"'),
    ],
)  # fmt: skip
def test_text_and_its_canonical_form(text: str, canonical: str) -> None:
    assert str(parse(text, JOBS)) == canonical
    assert parse(canonical, JOBS) == parse(text, JOBS)


def test_the_tree() -> None:
    query = parse('a OR -(b "c d") status:failed', JOBS)
    failed = Term("status", Comparison.IS, (Value("failed"),))
    assert query.node == Or((Text("a"), And((Not(And((Text("b"), Text("c d", quoted=True)))), failed))))


def test_parts_know_where_they_stood() -> None:
    text = 'a  -(b c) status:failed | "d e"* (f)'
    query = parse(text, JOBS)
    assert isinstance(query.node, Or)
    found = [text[leaf.position : leaf.position + leaf.length] for leaf in nodes.leaves(query.node)]
    assert found == ["a", "b", "c", "status:failed", '"d e"*', "(f)"]
    first = query.node.parts[0]
    assert isinstance(first, And)
    assert text[first.parts[1].position :][: first.parts[1].length] == "-(b c)"


@pytest.mark.parametrize(
    ("text", "part", "sentence", "corrected"),
    [
        ('a "b c', '"b c', "The quotes are not closed", 'a "b c"'),
        ('a ""', '""', "There is nothing in the quotes", None),
        ("(a b", "(", "This bracket is not closed", "a b"),
        ("a b)", ")", "There is no bracket that this one closes", "a b"),
        ("a ()", "()", "There is nothing in the brackets", "a "),
        ("a OR", "OR", "OR needs something on both sides", 'a "OR"'),
        ("(a |)", "|", "| needs something on both sides", '(a "|")'),
        ("AND a", "AND", "AND needs something on both sides", '"AND" a'),
        ("a NOT", "NOT", "NOT needs something behind it", 'a "NOT"'),
        ("a statsu:failed", "statsu", "Unknown field “statsu”", "a status:failed"),
        ("zzz:1", "zzz:1", "Unknown field “zzz”; a text with a colon goes into quotes", '"zzz:1"'),
        ("status:faild", "faild", "status: “faild” is none of", "status:failed"),
        ("status:", "", "status needs a value", None),
        ("status:>failed", ">", "status knows no more and less", "status:failed"),
        ("type:a,", "", "type needs a value", None),
        ("priority:high", "high", "priority: “high” is not a whole number", None),
        ("priority:²", "²", "priority: “²” is not a whole number", None),
        ("priority:99999999999999999999", "9" * 20, "priority: “99999999999999999999” does not fit into 64 bits", None),
        ("priority:>1,2", ",", "A comparison takes one value", None),
        ("priority:..", "..", "A range needs one end at least", None),
        ("priority:1..x", "x", "priority: “x” is not a whole number", None),
        ("weight:1e999", "1e999", "weight: “1e999” is too large", None),
        ("created:2h", "2h", "created: “2h” is not a time such as", "created:-2h"),
        ("created:-2h", "-2h", "created: “-2h” is an instant", "created:>-2h"),
        ("created:2026-02-30", "2026-02-30", "created: “2026-02-30” is not a time that exists", None),
        ("created:2026-01-01T00:00+99:00", "2026-01-01T00:00+99:00", "created: “2026-01-01T00:00+99", None),
        ("created:>-9999999999999w", "-9999999999999w", "created: “9999999999999w” is longer than 10,000 years", None),
        ("before:>2026", ">", "before takes a value without a sign", "before:2026"),
        ("duration:soon", "soon", "duration: “soon” is not a duration", None),
        ("options:de", "options", "“options.path” needs the path that is meant", None),
        ("option.lang:de", "option.lang", "Unknown field “option.lang”", "options.lang:de"),
        ("options.n:>x", "x", "options: “x” is not a number", None),
        ("tag:x*", "x*", "tag: cannot be asked by a beginning", 'tag:"x*"'),
        ("tag:*", "*", "tag needs a value", None),
        ("type:" + "é" * 300, "é" * 300, "type: no value is longer than 512 bytes", None),
        ("a\x00b", "\x00", "This character is no text", "ab"),
        ("a\ud800", "\ud800", "This character is no text", "a"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, part: str, sentence: str, corrected: str | None) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text, JOBS)
    error = caught.value
    assert text[error.position : error.position + error.length] == part
    assert error.sentence.startswith(sentence)
    assert error.corrected(text) == corrected


@given(st.text() | ALMOST)
@example("(" * 60)
@example("-(" * 60 + "a" + ")" * 60)
@example("(a OR (b (c OR (d (e OR (f (g OR (h (i OR j)))))))))")
@example("x " * 60)
@example("x" * 3000)
def test_any_text_is_a_query_or_an_error_with_its_place(text: str) -> None:
    for fields in (JOBS, SEGMENTS):
        query = parsed(text, fields)
        if isinstance(query, QueryError):
            assert 0 <= query.position <= query.position + query.length <= max(len(text), LONGEST)
            assert query.sentence
        else:
            assert parse(str(query), fields) == query
            assert str(parse(str(query), fields)) == str(query)


@given(ALMOST)
def test_taking_any_part_away_leaves_a_query(text: str) -> None:
    query = parsed(text, JOBS)
    assume(isinstance(query, Query))
    assert isinstance(query, Query)
    for leaf in nodes.leaves(query.node):
        left = nodes.without(query, leaf)
        assert len(list(nodes.leaves(left.node))) == len(list(nodes.leaves(query.node))) - 1
        assert parse(str(left), JOBS) == left


def test_limits() -> None:
    assert parse(" ".join(["a"] * MOST_TERMS), JOBS)
    for text, sentence in (
        (" ".join(["a"] * (MOST_TERMS + 1)), "at most 50 terms"),
        ("a" * (LONGEST + 1), "at most 2000 characters"),
        ("(" * 100 + "a" + ")" * 100, "nested too deep"),
        ("".join("(a OR (b " for _ in range(DEEPEST)) + "c" + ")" * 2 * DEEPEST, "nested too deep"),
    ):
        with pytest.raises(QueryError, match=sentence):
            parse(text, JOBS)
    assert parse("(" * 40 + "a" + ")" * 40, JOBS) == parse("a", JOBS)


def test_chips_take_one_part_away_and_add_one() -> None:
    query = parse("status:failed (a OR b) -c type:pdf", JOBS)
    assert [nodes.written(part) for part in query.parts] == ["status:failed", "(a OR b)", "-c", "type:pdf"]
    assert str(nodes.without(query, query.parts[1])) == "status:failed -c type:pdf"
    assert str(nodes.without(parse("a b a", JOBS), parse("a b a", JOBS).parts[2])) == "a b"
    assert nodes.without(parse("a", JOBS), parse("a", JOBS).parts[0]) == Query()
    assert str(nodes.with_term(query, nodes.term("tag", "two words"))) == f'{query} tag:"two words"'
    assert nodes.with_term(query, nodes.term("type", "pdf")) == query
    assert str(nodes.with_term(parse("a OR b", JOBS), nodes.text("OR"))) == '(a OR b) "OR"'


def test_a_menu_ticks_and_unticks_values() -> None:
    query = parse("status:failed a", JOBS)
    query = nodes.toggled(query, "status", "timeout")
    assert str(query) == "a status:failed,timeout"
    assert nodes.values_of(query, "status") == ("failed", "timeout")
    query = nodes.toggled(nodes.toggled(query, "status", "failed"), "status", "timeout")
    assert str(query) == "a"


@given(st.text(min_size=1, max_size=30))
def test_a_term_made_from_any_value_reads_back(value: str) -> None:
    again = parsed(str(nodes.of([nodes.term("tag", value), nodes.text(value)])), JOBS)
    if isinstance(again, QueryError):
        assert again.sentence in ("There is nothing in the quotes", "This character is no text")
        return
    assert nodes.values_of(again, "tag") == (value,)
    assert again.parts[1] == nodes.text(value)


@pytest.mark.parametrize(
    "piece", ["(", ")", "a(", "-", '"', '"\\', "a:", "options.", "a|", "OR ", "tag:a,", "1..", "-("]
)
def test_time_is_linear_in_the_length(piece: str) -> None:
    def seconds(length: int) -> float:
        start = time.process_time()
        parsed((piece * length)[:length], JOBS)
        return time.process_time() - start

    assert min(seconds(LONGEST) for _ in range(3)) < 0.1
