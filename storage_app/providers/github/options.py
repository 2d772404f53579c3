"""Whether options can be meant, before anything is opened or asked."""

import re
from collections.abc import Mapping
from typing import Any, Final

from storage_app import paths
from storage_app.providers.github.endpoints import Endpoints


def check(options: Mapping[str, Any]) -> None:
    """ValueError for what cannot be meant; the text names the option and never a secret."""
    Endpoints.of(options.get("api_url"), options["repository"])
    try:
        paths.normalised_folder(options.get("base_path", ""))
    except paths.InvalidPathError as error:
        raise ValueError(f"base_path {error}") from error
    if not _BRANCH.fullmatch(options.get("branch", "main")):
        raise ValueError("branch is not a name that git allows")
    for name, least in _LEAST.items():
        if options.get(name, least) < least:
            raise ValueError(f"{name} must be at least {least}")
    check_token(options)


def check_token(options: Mapping[str, Any]) -> None:
    """One way to a token, or none: a public repository is read without."""
    app = [options.get(name) for name in APP]
    if sum([options.get("token") is not None, options.get("token_file") is not None, any(app)]) > 1:
        raise ValueError("a GitHub storage takes one of token, token_file and the options of an App")
    if any(app) and not all(app):
        raise ValueError(f"an App needs {', '.join(APP)}")


APP: Final = ("app_id", "app_private_key", "installation_id")
_LEAST: Final[Mapping[str, float]] = {"cache_ttl": 0, "cache_maxsize": 1, "timeout": 0.1}
# As `git check-ref-format` has it.
_BRANCH: Final = re.compile(
    r"(?![-/.])(?!.*(?:\.\.|//|/\.|@\{|\.lock(?:/|$)))(?!@$)[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])", re.DOTALL
)
