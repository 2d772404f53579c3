"""Counts what the fault tests went through; `tests/conftest.py` prints it, as it alone is there for every run."""

from collections.abc import Callable

import pytest
from pytest import FixtureRequest  # noqa: PT013 - a name for annotations

from tests.durability import tallies

Tally = Callable[[str, int], None]


@pytest.fixture
def tally(request: FixtureRequest) -> Tally:
    """Called with what was done and how often; a test whose number is 0 proves nothing and fails."""

    def count(what: str, times: int) -> None:
        assert times > 0
        request.node.user_properties.append((tallies.PROPERTY, (what, times)))

    return count
