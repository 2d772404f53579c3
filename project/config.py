"""The one reader of the environment: every variable, its type, its default and its sentence.

`load()` gives the validated configuration or raises `ConfigurationError`, whose text names each wrong variable.
"""

import difflib
import json
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from dotenv.parser import parse_stream
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from project import config_rules

ROOT = Path(__file__).resolve().parent.parent
JSON_VARIABLES = frozenset({"HOLDFAST_STORAGES", "HOLDFAST_RETENTION_DAYS"})


class ConfigurationError(Exception):
    """The environment does not make a configuration; the text says which variable and why."""


class Value(NamedTuple):
    """What was set, under the name that was used: the variable's own or an alias."""

    name: str
    text: str


class Variable(NamedTuple):
    """A row of the table in the README."""

    name: str
    aliases: tuple[str, ...]
    default: str
    meaning: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)

    def as_markdown(self) -> str:
        aliases = "".join(f"<br>`{alias}`" for alias in self.aliases)
        default = f"`{self.default}`" if self.default else ""
        return f"| `{self.name}`{aliases} | {default} | {self.meaning} |"


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
    object_service: Literal["s3", "gcs", "azure"] = _variable(
        "OBJECT_SERVICE",
        default="s3",
        description="What the object storage speaks: `s3`, `gcs` (Google Cloud Storage) or `azure` (Blob Storage).",
    )
    object_bucket: str | None = _variable(
        "OBJECT_BUCKET", default=None, description="Bucket of the object storage; for Azure the container."
    )
    object_prefix: str = _variable(
        "OBJECT_PREFIX", default="", description="Folder in the bucket under which everything is kept."
    )
    object_endpoint: str | None = _variable(
        "OBJECT_ENDPOINT",
        default=None,
        description="Address of the object storage where it is not the cloud's own, e.g. `https://minio.example.org`.",
    )
    object_region: str | None = _variable(
        "OBJECT_REGION", default=None, description="Region of an S3 bucket; default `us-east-1`."
    )
    object_access_key: SecretStr | None = _variable(
        "OBJECT_ACCESS_KEY",
        default=None,
        description="Access key of S3, or the name of the storage account of Azure. Secret. "
        "Without keys those of the machine are used.",
    )
    object_secret_key: SecretStr | None = _variable(
        "OBJECT_SECRET_KEY",
        default=None,
        description="Secret key of S3, key of the Azure account, or key of a Google service account as JSON. Secret.",
    )
    storages: dict[str, StorageOptions] = _variable(
        "STORAGES",
        default={},
        description="Further named storages as JSON: alias to provider and options, e.g. "
        '`{"archive": {"provider": "local", "root_path": "/srv/archive"}}`; `default` adds options to the default one, '
        "`library` is where prompts lie.",
    )
    segments_import: Path = _variable(
        "SEGMENTS_IMPORT",
        "OUT_OF_CONTEXT_STORAGE_PATH",
        default=Path("~/.out_of_context/storage.json"),
        description="The file that `segments import` reads when none is named.",
    )
    poison_limit: Annotated[int, config_rules.whole_number(1, 1000)] = _variable(
        "POISON_LIMIT", default=3, description="How many workers a job may lose before it is given up as failed."
    )
    retention_days: dict[str, int] = _variable(
        "RETENTION_DAYS",
        default={"completed": 7, "failed": 7, "timeout": 7, "cancelled": 7, "trashed": 7},
        description="How many days a job is kept after it ended, by state, and in the trash, as JSON; "
        "what is not named keeps its default, and 0 keeps it for ever.",
    )
    segments_idle_days: Annotated[int, config_rules.whole_number(0, 3650)] = _variable(
        "SEGMENTS_IDLE_DAYS",
        default=7,
        description="After how many days without a touch an active segment is stashed; 0 never does it.",
    )
    workspace_megabytes: Annotated[int, config_rules.whole_number(1, 1024 * 1024)] = _variable(
        "WORKSPACE_MEGABYTES", default=5120, description="How many megabytes the files of one job may have together."
    )
    batch_seconds: Annotated[int, config_rules.whole_number(0, 3600)] = _variable(
        "BATCH_SECONDS",
        default=30,
        description="How long a deferred change waits for others at most, before they go out as one commit.",
    )
    batch_files: Annotated[int, config_rules.whole_number(1, 1000)] = _variable(
        "BATCH_FILES", default=100, description="How many deferred changes go out at once without waiting longer."
    )
    batch_megabytes: Annotated[int, config_rules.whole_number(1, 30)] = _variable(
        "BATCH_MEGABYTES", default=10, description="How many megabytes of deferred changes do."
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
    env_file: Path | None = _variable(
        "ENV_FILE",
        default=None,
        description="A file of `NAME=value` lines, under the environment; default `.env` beside manage.py.",
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

    @field_validator("data_dir", "jobs_dir", "local_storage_root", "segments_import")
    @classmethod
    def _check_path(cls, value: Path | None) -> Path | None:
        return config_rules.path(value) if value else None

    @field_validator("allowed_hosts", "trusted_proxies", "secret_key_fallbacks", mode="before")
    @classmethod
    def _read_words(cls, value: Any) -> Any:
        return config_rules.words(value) if isinstance(value, str) else value

    @field_validator("retention_days", mode="before")
    @classmethod
    def _read_retention(cls, value: Any) -> dict[str, int]:
        days = config_rules.parsed_json(value) if isinstance(value, str) else value
        return config_rules.retention(days, cls.model_fields["retention_days"].default)

    @field_validator("storages", mode="before")
    @classmethod
    def _read_storages(cls, value: Any) -> Any:
        options = config_rules.parsed_json(value) if isinstance(value, str) else value
        if not isinstance(options, dict):
            raise ValueError("must be a JSON object of alias to options")  # noqa: TRY004 - pydantic wants ValueError
        for alias in options:
            config_rules.storage(alias, options[alias])
        return {alias: StorageOptions(options[alias]) for alias in options}

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            config_rules.address_of_database(value.get_secret_value())
        return value

    @field_validator("queue_url")
    @classmethod
    def _check_queue_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            config_rules.address_of_queue(value.get_secret_value())
        return value

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            config_rules.secret(value.get_secret_value())
        return value

    @field_validator("secret_key_fallbacks")
    @classmethod
    def _check_fallbacks(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in value:
            config_rules.secret(key.get_secret_value())
        return value

    @field_validator("github_token")
    @classmethod
    def _check_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            config_rules.token(value.get_secret_value())
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        return config_rules.origin(value) if value else None

    @field_validator("github_api_url")
    @classmethod
    def _check_github_api_url(cls, value: str) -> str:
        return config_rules.web_address(value)

    @field_validator("github_repo")
    @classmethod
    def _check_repository(cls, value: str | None) -> str | None:
        if value:
            config_rules.repository(value)
        return value

    @field_validator("object_access_key")
    @classmethod
    def _check_access_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            config_rules.access_key(value.get_secret_value())
        return value

    @field_validator("object_secret_key")
    @classmethod
    def _check_object_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            config_rules.secret_of_a_bucket(value.get_secret_value())
        return value

    @field_validator("object_bucket")
    @classmethod
    def _check_bucket(cls, value: str | None) -> str | None:
        if value:
            config_rules.bucket(value)
        return value

    @field_validator("object_prefix")
    @classmethod
    def _check_prefix(cls, value: str) -> str:
        config_rules.folder_in_a_bucket(value)
        return value

    @field_validator("object_endpoint")
    @classmethod
    def _check_object_endpoint(cls, value: str | None) -> str | None:
        return config_rules.endpoint(value) if value else None

    @field_validator("object_region")
    @classmethod
    def _check_region(cls, value: str | None) -> str | None:
        if value:
            config_rules.region(value)
        return value

    @field_validator("github_branch")
    @classmethod
    def _check_branch(cls, value: str) -> str:
        config_rules.branch(value)
        return value

    @field_validator("github_base_path")
    @classmethod
    def _check_base_path(cls, value: str) -> str:
        config_rules.folder_in_a_repository(value)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no host")
        for host in value:
            config_rules.host(host)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value:
            config_rules.network(proxy)
        return value

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        default: Mapping[str, Any] = self.storages.get("default", {})
        if default and default["provider"] != self.storage_provider:
            raise ValueError(
                "HOLDFAST_STORAGES gives `default` another provider than "
                f"HOLDFAST_STORAGE_PROVIDER={self.storage_provider}"
            )
        if self.storage_provider == "object" and not (self.object_bucket or default.get("bucket")):
            raise ValueError("HOLDFAST_STORAGE_PROVIDER=object needs HOLDFAST_OBJECT_BUCKET")
        if self.storage_provider == "github" and not (
            (self.github_repo or default.get("repository"))
            # the other ways to a token, and a public repository that is only read, are options of the storage
            and (self.github_token or any(name in default for name in ("token", "token_file", "app_id")))
        ):
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
        return _beside_manage_py(self.data_dir)

    @property
    def records_root(self) -> Path:
        return _beside_manage_py(self.jobs_dir) if self.jobs_dir else self.data / "records"

    @property
    def files_root(self) -> Path:
        return _beside_manage_py(self.local_storage_root) if self.local_storage_root else self.data / "files"

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
            "OPTIONS": dict(parse_qsl(parts.query)),
        }

    def queue(self) -> tuple[Literal["sqlite", "redis"], str]:
        """The kind of Huey's storage and where it is: a path, or an address."""
        url = self.queue_url.get_secret_value() if self.queue_url else "sqlite:///"
        if urlsplit(url).scheme == "sqlite":
            return "sqlite", str(_sqlite_path(urlsplit(url).path, self.data / "queue.sqlite3"))
        return "redis", url

    def file_storages(self) -> dict[str, StorageOptions]:
        """Every named storage with its provider and options; folders that are relative lie beside manage.py."""
        default = {"provider": self.storage_provider, **self._options_of_default(), **self.storages.get("default", {})}
        named = {**self.storages, "default": StorageOptions(default)}
        return {alias: _with_whole_root(options) for alias, options in named.items()}

    def _options_of_default(self) -> dict[str, Any]:
        """What the variables say about the default storage."""
        if self.storage_provider == "local":
            return {"root_path": str(self.files_root)}
        if self.storage_provider == "github":
            return {
                "repository": self.github_repo,
                "branch": self.github_branch,
                "token": self.github_token.get_secret_value() if self.github_token else None,
                "api_url": self.github_api_url,
                "base_path": self.github_base_path,
            }
        if self.storage_provider == "object":
            return {
                "service": self.object_service,
                "bucket": self.object_bucket or "",
                "prefix": self.object_prefix,
                "endpoint": self.object_endpoint,
                "region": self.object_region,
                "access_key": self.object_access_key.get_secret_value() if self.object_access_key else None,
                "secret_key": self.object_secret_key.get_secret_value() if self.object_secret_key else None,
            }
        return {}

    def signing_key(self) -> str:
        """The secret key; generated into the data folder, readable by its owner only, when none is set."""
        if self.secret_key:
            return self.secret_key.get_secret_value()
        path = self.data / "secret_key"
        try:
            key = _generated_secret(path)
            config_rules.secret(key)
        except OSError as error:
            what = f"no key can be kept in {path} ({error.strerror}); make room there, or set the variable"
            raise ConfigurationError(f"HOLDFAST_SECRET_KEY: {what}") from None
        except ValueError:
            what = f"the key in {path} is damaged; delete the file for a new one, or set the variable"
            raise ConfigurationError(f"HOLDFAST_SECRET_KEY: {what}") from None
        return key

    def unusable_folder(self) -> str | None:
        """What keeps the embedded parts from being written where the variables say."""
        folders = {"HOLDFAST_DATA_DIR": self.data}
        if self.record_store == "file":
            folders["HOLDFAST_JOBS_DIR"] = self.records_root
        if self.storage_provider == "local":
            folders["HOLDFAST_LOCAL_STORAGE_ROOT"] = self.files_root
        for name, url in (("HOLDFAST_DATABASE_URL", self.database_url), ("HOLDFAST_QUEUE_URL", self.queue_url)):
            if url and urlsplit(url.get_secret_value()).scheme == "sqlite":
                folders[name] = _sqlite_path(urlsplit(url.get_secret_value()).path, self.data / "x").parent
        for name, folder in folders.items():
            if not _can_hold_files(folder):
                return f"{name}: {folder} is not a folder that can be written"
        return None


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Config:
    """The configuration from the environment, over `.env` beside manage.py."""
    surroundings = dict(os.environ if environ is None else environ)
    from_file = _from_env_file(env_file or _chosen_env_file(surroundings))
    _refuse_unknown(surroundings.keys() | from_file.keys())
    values = {row.name: value for row in variables() if (value := _value(row.names, surroundings, from_file))}
    try:
        config = Config.model_validate({variable: value.text for variable, value in values.items()})
    except ValidationError as error:
        raise ConfigurationError(_sentences(error, values)) from None
    if fault := config.unusable_folder():
        raise ConfigurationError(fault)
    return config


def variables() -> list[Variable]:
    """Every variable, in the order of the table in the README."""
    rows = []
    for field in Config.model_fields.values():
        assert isinstance(field.validation_alias, AliasChoices)
        name, *aliases = (str(choice) for choice in field.validation_alias.choices)
        rows.append(Variable(name, tuple(aliases), _default_text(field.default), field.description or ""))
    return rows


def _default_text(default: Any) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case tuple():
            return ",".join(default)
        case dict():
            return json.dumps(default)
        case _:
            return str(default)


KNOWN = frozenset(name for variable in variables() for name in variable.names)


def _chosen_env_file(environ: Mapping[str, str]) -> Path:
    chosen = environ.get("HOLDFAST_ENV_FILE")
    if not chosen:
        return ROOT / ".env"
    if "\0" in chosen or not Path(chosen).is_file():
        raise ConfigurationError("HOLDFAST_ENV_FILE: is not a file")
    return Path(chosen)


def _from_env_file(path: Path) -> dict[str, str]:
    """Taken as written: no `${…}` is filled in, so that a password with a dollar sign stays what it is."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = [line for line in parse_stream(file) if line.key or line.error]
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{path} cannot be read: {reason}") from None
    values = {}
    for line in lines:
        if line.error or line.key is None or line.value is None:
            blank_before = len(line.original.string) - len(line.original.string.lstrip("\n"))
            raise ConfigurationError(f"{path}, line {line.original.line + blank_before}: must be NAME=value")
        values[line.key] = line.value
    if "HOLDFAST_ENV_FILE" in values:
        raise ConfigurationError(f"HOLDFAST_ENV_FILE: stands in {path}, and can only be set in the environment")
    return values


def _value(names: tuple[str, ...], environ: Mapping[str, str], from_file: Mapping[str, str]) -> Value | None:
    """The one value of a variable and its aliases; what is empty counts as not set."""
    for source in (environ, from_file):
        found = [Value(name, source[name]) for name in names if source.get(name)]
        if len({value.text for value in found}) > 1:
            raise ConfigurationError(f"{' and '.join(value.name for value in found)} are set to different values")
        if found:
            _refuse_strange_text(names[0], found[0])
            return found[0]
    return None


def _refuse_strange_text(variable: str, value: Value) -> None:
    try:
        config_rules.text(value.text, json_text=variable in JSON_VARIABLES)
    except ValueError as error:
        raise ConfigurationError(f"{value.name}: {error}") from None


def _refuse_unknown(names: Iterable[str]) -> None:
    unknown = sorted(name for name in names if name.upper().startswith("HOLDFAST_") and name not in KNOWN)
    if unknown:
        raise ConfigurationError("; ".join(_unknown_sentence(name) for name in unknown))


def _unknown_sentence(name: str) -> str:
    near = difflib.get_close_matches(name.upper(), KNOWN, n=1)
    return f"{name} is not a variable of Holdfast" + (f"; did you mean {near[0]}?" if near else "")


def _sentences(error: ValidationError, values: Mapping[str, Value]) -> str:
    found: dict[str, str] = {}  # one sentence for each variable is enough to act on
    for item in error.errors(include_input=False, include_url=False):
        variable, *rest = (str(part) for part in item["loc"] or [""])
        found.setdefault(variable, _sentence(values[variable].name if variable else "", rest, item["msg"]))
    return "; ".join(found.values())


def _sentence(name: str, place: list[str], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not name:
        return message
    where = f" (at {'.'.join(place)})" if place else ""
    return f"{name}{where}: {message[0].lower()}{message[1:]}"


def _can_hold_files(folder: Path) -> bool:
    """What is not there yet is made later, in the nearest folder above that is."""
    try:
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
        return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    except OSError:  # above it stands something that may not be entered, or a name that is too long
        return False


def _with_whole_root(options: StorageOptions) -> StorageOptions:
    if not isinstance(options.get("root_path"), str):
        return options
    return StorageOptions({**options, "root_path": str(_beside_manage_py(Path(options["root_path"])))})


def _beside_manage_py(folder: Path) -> Path:
    """Not in the folder where a command happens to be typed."""
    return (ROOT / folder.expanduser()).resolve()


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


def _generated_secret(path: Path) -> str:
    """Made once: the file appears whole, by a link that fails where another process was first."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR), "w") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8").strip()
