"""What a value of the configuration must look like. Each raises ValueError with words that never repeat a secret."""

import ipaddress
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import BeforeValidator

from storage_app.providers.object import addresses

SAMPLE_SECRETS = ("change-me", "changeme", "secret", "insecure", "django-insecure")
SHORTEST_SECRET = 50
PROVIDERS = ("local", "memory", "github", "object")
NEEDED_OPTIONS = {"local": "root_path", "github": "repository", "object": "bucket"}
HOST = re.compile(r"\*|\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]")
AUTHORITY = re.compile(r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])(?::[0-9]{1,5})?")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9._-]{1,100}")
NOT_IN_A_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|^[-/.]|[/.]$|^@$")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
JSON_SPACE = str.maketrans("", "", "\t\r\n")


def text(value: str, *, json_text: bool = False) -> None:
    """A line break or a NUL comes from a file with other line ends, or from no honest place at all."""
    if not value.strip():
        raise ValueError("is blank")
    if CONTROL.search(value.translate(JSON_SPACE) if json_text else value):
        raise ValueError("holds a line break, a control character or bytes that are not UTF-8")


def path(value: Path) -> Path:
    try:
        value.expanduser()
    except RuntimeError as error:
        raise ValueError("starts with the home folder of somebody unknown") from error
    return value


def words(value: str) -> list[str]:
    """A JSON list, or parts between commas. `[::1]`, an address in brackets, is no JSON."""
    if value.lstrip().startswith("[") and ('"' in value or not HOST.match(value.strip())):
        found = parsed_json(value)
        if not isinstance(found, list):
            raise ValueError("must be a JSON list, or parts between commas")
        return found
    return [part.strip() for part in value.split(",") if part.strip()]


def parsed_json(value: str) -> Any:
    try:
        return json.loads(value, object_pairs_hook=_without_doubles, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def storage(alias: str, options: Any) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", alias) or alias == "staticfiles":
        raise ValueError(f"storage {alias!r} needs another name: small letters, digits, - and _, and not staticfiles")
    provider = options.get("provider") if isinstance(options, dict) else None
    if provider not in PROVIDERS:
        raise ValueError(f"storage {alias!r} must be an object with a provider: {', '.join(PROVIDERS)}")
    needed = NEEDED_OPTIONS.get(provider) if alias != "default" else None  # the default has variables for them
    if needed and not (isinstance(options.get(needed), str) and options[needed]):
        raise ValueError(f"storage {alias!r} needs the option {needed}")


def address_of_database(value: str) -> None:
    parts = _split(value)
    if parts.scheme == "sqlite":
        _address_of_sqlite(parts)
    elif parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("must start with sqlite: or postgresql:")
    elif not parts.path.strip("/"):
        raise ValueError("names no database: postgresql://user:password@host/name")
    elif parts.query:
        _query(parts)


def address_of_queue(value: str) -> None:
    parts = _split(value)
    if parts.scheme == "sqlite":
        _address_of_sqlite(parts)
    elif parts.scheme not in ("redis", "rediss"):
        raise ValueError("must start with sqlite:, redis: or rediss:")
    elif not re.fullmatch(r"(?:/[0-9]{0,5})?", parts.path, re.ASCII):
        raise ValueError("must end in the number of a database: redis://host:6379/0")
    elif parts.query:
        _query(parts)


def web_address(value: str) -> str:
    parts = _split(value)
    if parts.scheme not in ("http", "https") or not AUTHORITY.fullmatch(parts.netloc) or parts.query:
        raise ValueError("must be an address such as https://holdfast.example.org, without user, password and query")
    return value.rstrip("/")


def origin(value: str) -> str:
    if urlsplit(web_address(value)).path:
        raise ValueError("must end after the host and port: Holdfast is served from the root of a site")
    return value.rstrip("/")


def host(value: str) -> None:
    if not HOST.fullmatch(value):
        raise ValueError(f"{value!r} is not a host name; write it without scheme and port")


def repository(value: str) -> None:
    if not REPOSITORY.fullmatch(value) or value.split("/")[1] in (".", ".."):
        raise ValueError("must be owner/name")


def branch(value: str) -> None:
    if NOT_IN_A_BRANCH.search(value):
        raise ValueError("is not a name that git allows for a branch")


def folder_in_a_repository(value: str) -> None:
    if "\\" in value or any(part in ("", ".", "..", ".git") for part in value.split("/")):
        raise ValueError("must be a folder in the repository such as data/holdfast")


def bucket(value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", value):
        raise ValueError("is not a name that a bucket can have")


def access_key(value: str) -> None:
    if not re.fullmatch(r"[\x21-\x7e]{3,256}", value):
        raise ValueError("must be 3 or more letters, digits and signs, without spaces")


def secret_of_a_bucket(value: str) -> None:
    """A service account's key is JSON, with spaces in it."""
    if not re.fullmatch(r"[\x20-\x7e\t\r\n]{8,}", value):
        raise ValueError("must be 8 or more letters, digits and signs")


def folder_in_a_bucket(value: str) -> None:
    if value and ("\\" in value or any(part in ("", ".", "..") for part in value.split("/"))):
        raise ValueError("must be a folder in the bucket such as data/holdfast")


def endpoint(value: str) -> str:
    web_address(value)
    addresses.check_endpoint(value)
    return value.rstrip("/")


def region(value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", value):
        raise ValueError("is not the name of a region such as eu-central-1")


def network(value: str) -> None:
    try:
        found = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{value!r} is not an address or network") from None
    if found.prefixlen == 0:
        raise ValueError(f"{value} would believe everybody; name the networks of the proxies")


def token(value: str) -> None:
    if not re.fullmatch(r"[\x21-\x7e]{8,}", value):
        raise ValueError("must be a token of 8 or more letters, digits and signs, without spaces")


def secret(value: str) -> None:
    if len(value) < SHORTEST_SECRET:
        raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
    if len(set(value)) < 10 or value.lower().startswith(SAMPLE_SECRETS):
        raise ValueError(
            "looks like a sample; make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )


def _split(value: str) -> SplitResult:
    """The words of urlsplit's own errors may hold a part of the password, as may a port that is none."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or parts.fragment or not value.lower().startswith(f"{parts.scheme}:"):
        raise ValueError("is not an address; write special characters of a password as %XX, such as %2F for /")
    return parts


def _address_of_sqlite(parts: SplitResult) -> None:
    if parts.netloc or parts.query:
        raise ValueError("must be sqlite:///folder/file, or sqlite:////folder/file from the root")
    if ":memory:" in parts.path:
        raise ValueError("must be a file: several processes share it")


def _query(parts: SplitResult) -> None:
    try:
        parse_qsl(parts.query, strict_parsing=True)
    except ValueError:
        raise ValueError("has options that are not name=value&name=value") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"holds {name!r} twice")
        found[name] = value
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"holds {name}, which is not JSON")


def whole_number(least: int, most: int) -> BeforeValidator:
    """For the type of a field."""

    def checked(value: Any) -> int:
        text = str(value).strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return BeforeValidator(checked)


def retention(days: Any, defaults: dict[str, int]) -> dict[str, int]:
    """Days by state over the defaults."""
    if not isinstance(days, dict):
        raise ValueError("must be a JSON object of state to days")  # noqa: TRY004 - pydantic wants ValueError
    for state, number in days.items():
        if state not in defaults:
            raise ValueError(f"knows {', '.join(defaults)} only")
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 36_500:
            raise ValueError(f"gives {state} something other than 0 to 36500 days")
    return {**defaults, **days}
