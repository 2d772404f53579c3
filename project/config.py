"""The one reader of the environment: every variable, its type, its default and its sentence.

`load()` gives the validated configuration or raises `ConfigurationError`, whose text names each wrong variable.
"""

import difflib
import ipaddress
import json
import os
import secrets
import stat
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_SECRETS = frozenset({"change-me", "changeme", "secret", "insecure", "django-insecure"})
SHORTEST_SECRET = 50


class ConfigurationError(Exception):
    """The environment does not make a configuration; the text says which variable and why."""


class StorageOptions(dict[str, Any]):
    """Provider options of one named storage; its text never shows a value, since any may be a secret."""

    def __repr__(self) -> str:
        return f"StorageOptions({', '.join(sorted(self))})"


def _variable(name: str, *aliases: str, default: Any, description: str) -> Any:
    """A field that reads HOLDFAST_<name>, or an alias that an earlier system used."""
    return Field(
        default,
        validation_alias=AliasChoices(f"HOLDFAST_{name}", *aliases),
        description=description,
        validate_default=False,
    )


class Config(BaseSettings):
    """Everything that can be set from outside. Secrets are `SecretStr`, so that no repr or log shows them."""

    model_config = SettingsConfigDict(
        env_prefix="",
        extra="ignore",
        case_sensitive=True,
        frozen=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )

    data_dir: Path = _variable("DATA_DIR", default=Path("data"), description="Root of everything embedded.")
    record_store: Literal["memory", "file", "database"] = _variable(
        "RECORD_STORE", default="file", description="Where records live: `memory`, `file` or `database`."
    )
    jobs_dir: Path | None = _variable(
        "JOBS_DIR",
        "MORAG_REMOTE_JOBS_DATA_DIR",
        default=None,
        description="Root of the file record store; default `<data>/records`.",
    )
    database_url: SecretStr | None = _variable(
        "DATABASE_URL",
        default=None,
        description="Django's database: `sqlite:///path` or `postgresql://user:password@host/name`; "
        "default SQLite in the data folder.",
    )
    queue_url: SecretStr | None = _variable(
        "QUEUE_URL",
        default=None,
        description="Huey's queue: `sqlite:///path` or `redis://host:6379/0`; default SQLite in the data folder.",
    )
    storage_provider: Literal["local", "memory", "github", "object"] = _variable(
        "STORAGE_PROVIDER",
        "ACM2_STORAGE_PROVIDER",
        default="local",
        description="Provider of the `default` storage: `local`, `memory`, `github` or `object`.",
    )
    local_storage_root: Path | None = _variable(
        "LOCAL_STORAGE_ROOT",
        "ACM2_LOCAL_STORAGE_ROOT",
        default=None,
        description="Root of the local storage; default `<data>/files`.",
    )
    github_token: SecretStr | None = _variable(
        "GITHUB_TOKEN", "ACM2_GITHUB_TOKEN", default=None, description="Token for GitHub. Secret."
    )
    github_repo: str | None = _variable(
        "GITHUB_REPO", default=None, description="Repository of the GitHub storage, as `owner/name`."
    )
    github_branch: str = _variable("GITHUB_BRANCH", default="main", description="Branch of the GitHub storage.")
    github_api_url: str = _variable(
        "GITHUB_API_URL",
        default="https://api.github.com",
        description="Address of GitHub's API, or of a GitHub Enterprise server.",
    )
    github_base_path: str = _variable(
        "GITHUB_BASE_PATH", default="", description="Folder in the repository under which everything is kept."
    )
    storages: dict[str, StorageOptions] = _variable(
        "STORAGES",
        default={},
        description="Further named storages as JSON: alias to provider and options, e.g. "
        '`{"archive": {"provider": "local", "root_path": "/srv/archive"}}`.',
    )
    segments_import: Path = _variable(
        "SEGMENTS_IMPORT",
        "OUT_OF_CONTEXT_STORAGE_PATH",
        default=Path("~/.out_of_context/storage.json"),
        description="The file that `segments import` reads when none is named.",
    )
    secret_key: SecretStr | None = _variable(
        "SECRET_KEY",
        default=None,
        description="Signs sessions and links; 50 characters or more. "
        "Default: generated into the data folder (mode 0600) on first start. Secret.",
    )
    secret_key_fallbacks: tuple[SecretStr, ...] = _variable(
        "SECRET_KEY_FALLBACKS",
        default=(),
        description="Earlier secret keys, as a JSON list, still accepted while the key is being rotated. Secret.",
    )
    public_url: str | None = _variable(
        "PUBLIC_URL",
        default=None,
        description="The address people use, e.g. `https://holdfast.example.org`. "
        "With `https` cookies are secure and HSTS is sent.",
    )
    allowed_hosts: tuple[str, ...] = _variable(
        "ALLOWED_HOSTS",
        default=("localhost", "127.0.0.1", "[::1]"),
        description="Host names that are answered, as a JSON list or separated by commas; "
        "the host of the public URL always is.",
    )
    trusted_proxies: tuple[str, ...] = _variable(
        "TRUSTED_PROXIES",
        default=(),
        description="Addresses or networks of reverse proxies whose "
        "`X-Forwarded-For` and `X-Forwarded-Proto` are believed, as a JSON list or separated by commas.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _variable(
        "LOG_LEVEL", default="info", description="What is logged: `debug`, `info` (each request), `warning` or `error`."
    )
    debug: bool = _variable("DEBUG", default=False, description="Development only: detailed errors, no static cache.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @field_validator("allowed_hosts", "trusted_proxies", "secret_key_fallbacks", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except json.JSONDecodeError as error:
                # an IPv6 host such as [::1] opens with a bracket too
                if not value.lstrip().startswith("[:"):
                    raise ValueError(f"is not JSON: {error}") from error
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("storages", mode="before")
    @classmethod
    def _parse_storages(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except json.JSONDecodeError as error:
                raise ValueError(f"is not JSON: {error.msg} at character {error.pos}") from error
        if not isinstance(value, dict):
            raise ValueError("must be a JSON object of alias to options")  # noqa: TRY004 - pydantic wants ValueError
        for alias, options in value.items():
            if not isinstance(options, dict) or "provider" not in options:
                raise ValueError(f"storage {alias!r} must be an object with a provider")
            if options["provider"] not in ("local", "memory", "github", "object"):
                raise ValueError(f"storage {alias!r} has an unknown provider; choose local, memory, github or object")
            if alias in ("default", "staticfiles"):
                raise ValueError(f"storage alias {alias!r} is taken; choose another name")
        return {alias: StorageOptions(options) for alias, options in value.items()}

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_scheme(value, "sqlite", "postgresql", "postgres")

    @field_validator("queue_url")
    @classmethod
    def _check_queue_url(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_scheme(value, "sqlite", "redis", "rediss")

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _refuse_weak_secret(value.get_secret_value())
        return value

    @field_validator("public_url", "github_api_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as https://holdfast.example.org")
        return value.rstrip("/")

    @field_validator("github_repo")
    @classmethod
    def _check_repository(cls, value: str | None) -> str | None:
        if value is not None and (value.count("/") != 1 or not all(value.split("/"))):
            raise ValueError("must be owner/name")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError as error:
                raise ValueError(f"{proxy!r} is not an address or network") from error
        return value

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if self.storage_provider == "github" and not (self.github_repo and self.github_token):
            raise ValueError("HOLDFAST_STORAGE_PROVIDER=github needs HOLDFAST_GITHUB_REPO and HOLDFAST_GITHUB_TOKEN")
        if "*" in self.allowed_hosts and not self.debug:
            raise ValueError("HOLDFAST_ALLOWED_HOSTS may hold * only with HOLDFAST_DEBUG=true")
        if self.https and not self.trusted_proxies:
            raise ValueError(
                "HOLDFAST_PUBLIC_URL with https needs HOLDFAST_TRUSTED_PROXIES: the address of the proxy that ends TLS"
            )
        if self.debug and self.https:
            raise ValueError("HOLDFAST_DEBUG=true must not be served under an https HOLDFAST_PUBLIC_URL")
        return self

    @property
    def https(self) -> bool:
        return self.public_url is not None and self.public_url.startswith("https:")

    @cached_property
    def data(self) -> Path:
        return (ROOT / self.data_dir.expanduser()).resolve()

    @property
    def records_root(self) -> Path:
        return self.jobs_dir.expanduser().resolve() if self.jobs_dir else self.data / "records"

    @property
    def files_root(self) -> Path:
        root = self.local_storage_root
        return root.expanduser().resolve() if root else self.data / "files"

    @property
    def hosts(self) -> list[str]:
        public_host = urlsplit(self.public_url).hostname if self.public_url else None
        return [*self.allowed_hosts, *([public_host] if public_host else [])]

    def database(self) -> dict[str, Any]:
        """Django's DATABASES["default"]."""
        parts = urlsplit(self.database_url.get_secret_value() if self.database_url else "sqlite:///")
        if parts.scheme == "sqlite":
            return _sqlite_database(_sqlite_path(parts.path, self.data / "holdfast.sqlite3"))
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 600,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair),
        }

    def queue(self) -> tuple[Literal["sqlite", "redis"], str]:
        """The kind of Huey's storage and where it is: a path, or an address."""
        url = self.queue_url.get_secret_value() if self.queue_url else "sqlite:///"
        if urlsplit(url).scheme == "sqlite":
            return "sqlite", str(_sqlite_path(urlsplit(url).path, self.data / "queue.sqlite3"))
        return "redis", url

    def signing_key(self) -> str:
        """The secret key; generated into the data folder, readable by its owner only, when none is set."""
        if self.secret_key:
            return self.secret_key.get_secret_value()
        return _generated_secret(self.data / "secret_key")


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Config:
    """The configuration from the environment, over `.env` beside manage.py."""
    values = _from_env_file(ROOT / ".env" if env_file is None else env_file) | dict(
        os.environ if environ is None else environ
    )
    _refuse_unknown(values)
    try:
        return Config.model_validate({name: value for name, value in values.items() if name in KNOWN and value})
    except ValidationError as error:
        raise ConfigurationError(_sentences(error)) from None


def variables() -> list[tuple[str, list[str], str]]:
    """Every variable with its aliases and its sentence, in the order of the table in the README."""
    rows = []
    for field in Config.model_fields.values():
        assert isinstance(field.validation_alias, AliasChoices)
        name, *aliases = (str(choice) for choice in field.validation_alias.choices)
        rows.append((name, aliases, field.description or ""))
    return rows


KNOWN = frozenset(name for row in variables() for name in (row[0], *row[1]))


def _from_env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    source = DotEnvSettingsSource(Config, env_file=path, env_file_encoding="utf-8", case_sensitive=True)
    return {name: value for name, value in source.env_vars.items() if value is not None}


def _refuse_unknown(values: Mapping[str, str]) -> None:
    unknown = sorted(name for name in values if name.startswith("HOLDFAST_") and name not in KNOWN)
    if unknown:
        raise ConfigurationError("; ".join(_unknown_sentence(name) for name in unknown))


def _unknown_sentence(name: str) -> str:
    near = difflib.get_close_matches(name, KNOWN, n=1)
    return f"{name} is not a variable of Holdfast" + (f"; did you mean {near[0]}?" if near else "")


def _sentences(error: ValidationError) -> str:
    return "; ".join(
        _sentence(item["loc"], item["msg"]) for item in error.errors(include_input=False, include_url=False)
    )


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name, *rest = (str(part) for part in place)
    where = f" (at {'.'.join(rest)})" if rest else ""
    return f"{name}{where}: {message[0].lower()}{message[1:]}"


def _with_scheme(value: SecretStr | None, *schemes: str) -> SecretStr | None:
    if value is not None:
        text = value.get_secret_value()
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError as error:
            raise ValueError(f"is not an address: {error}") from error
        if parts.scheme not in schemes or not text.startswith(f"{parts.scheme}:"):
            raise ValueError(f"must start with one of {', '.join(scheme + ':' for scheme in schemes)}")
    return value


def _sqlite_path(path: str, default: Path) -> Path:
    relative = unquote(path.removeprefix("/"))
    return (ROOT / relative).resolve() if relative else default


def _sqlite_database(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": 600,
        # a file for tests too: threads of one process lock each other out of a database in memory
        "TEST": {"NAME": str(path.with_suffix(".test.sqlite3"))},
        "OPTIONS": {
            "timeout": 5,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
    }


def _refuse_weak_secret(secret: str) -> None:
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
    if len(set(secret)) < 10 or any(secret.lower().startswith(sample) for sample in SAMPLE_SECRETS):
        raise ValueError(
            "looks like a sample; make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )


def _generated_secret(path: Path) -> str:
    """Made once: the file appears whole, by a link that fails where another process was first."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR), "w") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    secret = path.read_text(encoding="utf-8").strip()
    _refuse_weak_secret(secret)
    return secret
