"""GitHub's API over a real git repository, as FACTS about it say and as its own description demands."""

from tests.github_double.double import GitHubDouble

__all__ = ["GitHubDouble"]
