"""Fixtures are nouns; each builds only what is asked for."""
