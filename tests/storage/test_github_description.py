"""Whether the double's answers were held against GitHub's own description in this run."""

import pytest

from tests.github_double import descriptions
from tests.github_double.messages import Answer


@pytest.mark.skipif(not descriptions.is_there(), reason=f"{descriptions.VARIABLE} names no description of GitHub's API")
def test_an_answer_that_does_not_fit_is_noticed() -> None:
    wrong = Answer(200, {"name": 1})
    wrong.template = "/repos/{owner}/{repo}"
    assert descriptions.disagreements("GET", wrong, "application/json")
