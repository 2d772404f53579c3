"""What is offered while somebody types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_app.search.completion import complete
from tests.storage.search_samples import JOBS

KNOWN = {"type": ["pdf", "pptx", "a b"], "options": ["lang", "pages"], "options.lang": ["de", "en"], "tag": ["x", "xy"]}


def known(name: str, typed: str) -> list[str]:
    return [value for value in KNOWN.get(name, []) if value.startswith(typed)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("st|", ["status:|", "started:|"]),
        ("a -ty|", ["a -type:|"]),
        ("(wor|", ["(worker:|"]),
        ("fai|", ["status:failed|"]),
        ("status:p|", ["status:pending|", "status:processing|"]),
        ("status:failed,p|", ["status:failed,pending|", "status:failed,processing|"]),
        ("type:p| b", ["type:pdf| b", "type:pptx| b"]),
        ("type:a|", ['type:"a b"|']),
        ('type:"a |', ['type:"a b"|']),
        ("type:pd|f", ["type:pdf|"]),
        ("opt|", ["options.|"]),
        ("options.|", ["options.lang:|", "options.pages:|"]),
        ("options.lang:d|", ["options.lang:de|"]),
        ("created:>-2|", ["created:>-24h|"]),
        ("created:to|", ["created:today|"]),
        ('error:"st|', []),
        ("nothing:x|", []),
        ("worker_i|", ["worker:|"]),
    ],
)
def test_what_is_offered(text: str, expected: list[str]) -> None:
    cursor = text.index("|")
    text = text.replace("|", "")
    found = complete(text, cursor, JOBS, known)
    assert [f"{text[: found.start]}{one.insert}|{text[found.end :]}" for one in found.options] == expected


def test_an_empty_field_offers_every_name_that_fits() -> None:
    found = complete("a  b", 2, JOBS, known, most=5)
    assert (found.start, found.end) == (2, 2)
    assert [option.insert for option in found.options] == ["status:", "type:", "worker:", "tag:", "id:"]
    assert found.options[1].detail == "content type"


@given(st.text(max_size=40), st.integers(-5, 50))
def test_any_text_and_cursor_gets_an_answer(text: str, cursor: int) -> None:
    found = complete(text, cursor, JOBS, known)
    assert 0 <= found.start <= found.end <= len(text)
