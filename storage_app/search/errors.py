"""What can be wrong with a query: always one thing, at one place."""

from typing import ClassVar


class QueryError(ValueError):
    """`position` and `length` name the part of the text that is wrong (length 0: something is missing there),
    `sentence` says why, and `suggestion`, if any, is what that part could be replaced by.
    """

    code: ClassVar[str] = "invalid_query"

    def __init__(self, position: int, length: int, sentence: str, suggestion: str | None = None) -> None:
        super().__init__(f"{sentence} (at character {position + 1})")
        self.position = position
        self.length = length
        self.sentence = sentence
        self.suggestion = suggestion

    def corrected(self, text: str) -> str | None:
        """The text with the suggestion in place."""
        if self.suggestion is None:
            return None
        return text[: self.position] + self.suggestion + text[self.position + self.length :]
