"""What a benchmark is told on its command line: what it does not know, or cannot measure, is said at once."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable


def some_of(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    names = tuple(known)

    def chosen(text: str) -> tuple[str, ...]:
        if unknown := [name for name in text.split(",") if name not in names]:
            raise ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(names)}")
        return tuple(text.split(","))

    return chosen


def at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text!r} is no number of {least} or more")
        return int(text)

    return number


def numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(",")))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no list of numbers such as 1000,100000") from error
