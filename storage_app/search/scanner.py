"""Going through the text of a query once: blanks, quotes, and words with the brackets that belong to them."""

import re
from typing import Final

from storage_app.search.errors import QueryError
from storage_app.search.nodes import Value


class Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self._closing = _closing_brackets(text)

    def skip_blanks(self) -> None:
        blanks = _BLANKS.match(self.text, self.place)
        self.place = blanks.end() if blanks else self.place

    def ahead(self, count: int = 1) -> str:
        return self.text[self.place : self.place + count]

    def take(self, pattern: "re.Pattern[str]") -> "re.Match[str] | None":
        match = pattern.match(self.text, self.place)
        if match:
            self.place = match.end()
        return match

    def word_end(self, *, comma: bool = False) -> int:
        """Where the word that begins here ends; with `comma` also at one."""
        place, text = self.place, self.text
        while place < len(text):
            character = text[place]
            if character == "(" and place > self.place and place in self._closing:
                place = self._closing[place] + 1
            elif character in '"|()' or character.isspace() or (comma and character == ","):
                break
            else:
                place += 1
        return place

    def plain(self, *, comma: bool = False) -> Value:
        start, self.place = self.place, self.word_end(comma=comma)
        return Value(self.text[start : self.place], position=start, length=self.place - start)

    def quoted(self) -> Value:
        """What stands in the quotes that begin here, and whether a `*` follows."""
        start = self.place
        match = self.take(_QUOTED)
        if match is None:
            length = len(self.text) - start
            raise QueryError(start, length, "The quotes are not closed", self.text[start:].rstrip("\\") + '"')
        text = _ESCAPED.sub(r"\1", match[1])
        if not text.strip():
            raise QueryError(start, self.place - start, "There is nothing in the quotes")
        return Value(text, True, bool(match[2]), start, self.place - start)


_BLANKS: Final = re.compile(r"\s+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"(\*?)', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')


def _closing_brackets(text: str) -> dict[int, int]:
    """For each `(` the `)` that closes it, where no blank, quote or bar stands between."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for place, character in enumerate(text):
        if character == "(":
            opened.append(place)
        elif character == ")":
            if opened:
                closing[opened.pop()] = place
        elif character.isspace() or character in '"|':
            opened.clear()
    return closing
