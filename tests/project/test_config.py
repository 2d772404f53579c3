"""The environment either makes a configuration or is refused with a sentence that names the variable."""

from pathlib import Path

import pytest

from project import config

NO_FILE = Path("/nonexistent/.env")


def load(**environ: str) -> config.Config:
    return config.load(environ, NO_FILE)


def test_an_empty_environment_is_a_configuration() -> None:
    assert load().record_store == "file"


def test_an_unknown_variable_is_reported_with_the_one_that_was_meant() -> None:
    with pytest.raises(config.ConfigurationError, match=r"HOLDFAST_RECORDSTORE .* did you mean HOLDFAST_RECORD_STORE"):
        load(HOLDFAST_RECORDSTORE="file")
