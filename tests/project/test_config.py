"""The environment either makes a configuration or is refused with a sentence that names the variable."""

import json
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from project import config
from storage_app.providers import factory

NO_FILE = Path("/nonexistent/.env")
PATIENCE = 300
CANARY = "kanarienvogel-9f3c"  # stands in every value that could be a secret, and must stand in no sentence
KEY = f"{CANARY}-0123456789abcdefghijklmnopqrstuvwxyz-0123456789"

WRONG: dict[str, list[str]] = {
    "HOLDFAST_DATA_DIR": ["~nobody-of-that-name/data", "/dev/null/data", "a\0b", " "],
    "HOLDFAST_RECORD_STORE": ["mongo", "FILE"],
    "HOLDFAST_JOBS_DIR": ["~nobody-of-that-name/jobs", "/dev/null"],
    "HOLDFAST_DATABASE_URL": [
        f"mysql://u:{CANARY}@host/name",
        f"postgresql://u:{CANARY}/x@host/name",
        f"postgresql://u:{CANARY}#x@host/name",
        f"postgresql://u:{CANARY}@host:99999/name",
        f"postgresql://u:{CANARY}@host",
        f"postgresql://u:{CANARY}@[host/name",
        f"postgresql://u:{CANARY}@host/name?sslmode",
        f"sqlite://{CANARY}/x",
        "sqlite:///:memory:",
        "sqlite:////dev/null/x",
        CANARY,
    ],
    "HOLDFAST_QUEUE_URL": [f"amqp://u:{CANARY}@host", f"redis://:{CANARY}@host/zero", f"redis://h/0?{CANARY}", CANARY],
    "HOLDFAST_STORAGE_PROVIDER": ["ftp", "object", "github"],
    "HOLDFAST_LOCAL_STORAGE_ROOT": ["~nobody-of-that-name/files", "/dev/null"],
    "HOLDFAST_GITHUB_TOKEN": [f"{CANARY} {CANARY}", f"{CANARY}\n", "short", f"{CANARY}é"],
    "HOLDFAST_GITHUB_REPO": ["name", "a/b/c", "a/..", "a b/c", "https://host/a"],
    "HOLDFAST_GITHUB_BRANCH": ["a b", "a..b", "/a", "a.lock", "-a", "a~1", "@"],
    "HOLDFAST_GITHUB_API_URL": ["api.github.com", "ftp://host", f"https://u:{CANARY}@host", "https://host:port", "https://h?x"],
    "HOLDFAST_GITHUB_BASE_PATH": ["../up", "/root", "a//b", "a\\b", ".git"],
    "HOLDFAST_OBJECT_SERVICE": ["ftp", "S3"],
    "HOLDFAST_OBJECT_BUCKET": ["a", "a b", "a/b", "-a-", "s3://bucket", "x" * 300],
    "HOLDFAST_OBJECT_PREFIX": ["../up", "/root", "a//b", "a\\b"],
    "HOLDFAST_OBJECT_ENDPOINT": [
        "s3.example.org", "ftp://host", f"https://u:{CANARY}@host", "https://host:port", "http://169.254.169.254",
        "http://[fe80::1]", "http://0.0.0.0", "http://2852039166", "http://[::ffff:169.254.169.254]",
    ],
    "HOLDFAST_OBJECT_ACCESS_KEY": [f"{CANARY} {CANARY}", "ab", f"{CANARY}é"],
    "HOLDFAST_OBJECT_SECRET_KEY": ["short", f"{CANARY}é"],
    "HOLDFAST_OBJECT_REGION": ["a b", "eu/central", "x" * 65],
    "HOLDFAST_STORAGES": [
        CANARY,
        "[]",
        f'{{"a": "{CANARY}"}}',
        f'{{"a": {{"key": "{CANARY}"}}}}',
        f'{{"a": {{"provider": "ftp", "key": "{CANARY}"}}}}',
        '{"a": {"provider": "local"}}',
        '{"a": {"provider": "github", "repository": 5}}',
        '{"staticfiles": {"provider": "memory"}}',
        '{"A B": {"provider": "memory"}}',
        '{"a": {"provider": "memory"}, "a": {"provider": "memory"}}',
        '{"a": {"provider": "memory", "n": NaN}}',
        '{"default": {"provider": "memory"}}',
        "[" * 100_000,
    ],
    "HOLDFAST_SEGMENTS_IMPORT": ["~nobody-of-that-name/storage.json"],
    "HOLDFAST_POISON_LIMIT": ["0", "three", "1001", "²", "-1", "1.5"],
    "HOLDFAST_SEGMENTS_IDLE_DAYS": ["-1", "three", "3651", "²", "1.5"],
    "HOLDFAST_BATCH_SECONDS": ["-1", "soon", "3601", "1.5"],
    "HOLDFAST_BATCH_FILES": ["0", "1001", "all"],
    "HOLDFAST_BATCH_MEGABYTES": ["0", "31", "10 MB"],
    "HOLDFAST_WORKSPACE_MEGABYTES": ["0", "many", "1048577", "1.5"],
    "HOLDFAST_RETENTION_DAYS": [
        "7", "[]", '{"pending": 7}', '{"failed": -1}', '{"failed": "7"}', '{"failed": true}', '{"failed": 40000}',
    ],
    "HOLDFAST_SECRET_KEY": [CANARY, f"change-me-{KEY}", "ab" * 40],
    "HOLDFAST_SECRET_KEY_FALLBACKS": [CANARY, f'["{KEY}", 5]', f'["{KEY}"', f'{KEY},change-me-{KEY}'],
    "HOLDFAST_PUBLIC_URL": ["holdfast.example.org", "https://", "https://host/path", f"https://u:{CANARY}@host"],
    "HOLDFAST_ALLOWED_HOSTS": ["https://host", "host:80", "[]", ",", "[1]", '{"a": 1}', '["a"', "*"],
    "HOLDFAST_TRUSTED_PROXIES": ["proxy", "10.0.0.0/33", "0.0.0.0/0", "[1]"],
    "HOLDFAST_LOG_LEVEL": ["loud", "INFO"],
    "HOLDFAST_ENV_FILE": ["/nonexistent/.env", "/dev"],
    "HOLDFAST_DEBUG": ["maybe", "2"],
}  # fmt: skip

WRONG_TOGETHER: list[tuple[dict[str, str], str]] = [
    ({"HOLDFAST_STORAGE_PROVIDER": "github", "HOLDFAST_GITHUB_REPO": "a/b"}, "HOLDFAST_GITHUB_TOKEN"),
    ({"HOLDFAST_STORAGE_PROVIDER": "github", "HOLDFAST_GITHUB_TOKEN": CANARY}, "HOLDFAST_GITHUB_REPO"),
    ({"HOLDFAST_STORAGE_PROVIDER": "object"}, "HOLDFAST_OBJECT_BUCKET"),
    ({"HOLDFAST_STORAGES": '{"default": {"provider": "object"}}'}, "HOLDFAST_STORAGE_PROVIDER=local"),
    ({"HOLDFAST_ALLOWED_HOSTS": "*"}, "HOLDFAST_DEBUG"),
    ({"HOLDFAST_DEBUG": "true", "HOLDFAST_PUBLIC_URL": "https://host"}, "HOLDFAST_PUBLIC_URL"),
    ({"HOLDFAST_GITHUB_TOKEN": CANARY, "ACM2_GITHUB_TOKEN": f"{CANARY}2"}, "HOLDFAST_GITHUB_TOKEN and ACM2_GITHUB"),
    ({"HOLDFAST_DEBUGG": "true"}, "HOLDFAST_DEBUGG is not a variable of Holdfast; did you mean HOLDFAST_DEBUG?"),
    ({"holdfast_debug": "true"}, "holdfast_debug is not a variable of Holdfast; did you mean HOLDFAST_DEBUG?"),
]  # fmt: skip


def load(environ: dict[str, str] | None = None, env_file: Path = NO_FILE) -> config.Config:
    return config.load(environ or {}, env_file)


def refusal(environ: dict[str, str], env_file: Path = NO_FILE) -> str:
    with pytest.raises(config.ConfigurationError) as caught:
        load(environ, env_file)
    return str(caught.value)


def test_an_empty_environment_is_a_configuration() -> None:
    assert load().record_store == "file"
    assert load().data == config.ROOT / "data"


def test_every_variable_has_a_wrong_value_here() -> None:
    assert WRONG.keys() == {variable.name for variable in config.variables()}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_one_sentence_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(config.ConfigurationError) as caught:
        config.load({name: value}, None if name == "HOLDFAST_ENV_FILE" else NO_FILE)
    sentence = str(caught.value)
    assert name in sentence
    assert "\n" not in sentence
    assert CANARY not in sentence
    assert "; HOLDFAST" not in sentence
    assert len(sentence) < 250


@pytest.mark.parametrize(("environ", "words"), WRONG_TOGETHER)
def test_a_wrong_combination_is_one_sentence_that_names_the_variables(environ: dict[str, str], words: str) -> None:
    sentence = refusal(environ)
    assert words in sentence
    assert CANARY not in sentence


def test_a_command_ends_with_code_2_and_the_sentence_alone(surroundings: dict[str, str]) -> None:
    environ = {"HOLDFAST_STORAGE_PROVIDER": "object"}
    done = subprocess.run(
        [sys.executable, config.ROOT / "manage.py", "check"],
        env=surroundings | environ, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    _is_the_sentence_alone(environ, done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="forks; each alone would take a second")
def test_a_command_ends_so_for_every_variable(surroundings: dict[str, str]) -> None:
    environs = [{name: values[0].replace("\0", "")} for name, values in WRONG.items() if "\0" not in values[0]]
    done = subprocess.run(
        [sys.executable, "-m", "tests.project.checks_by_forks"], input=json.dumps(environs),
        cwd=config.ROOT, env=surroundings, capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    ends = json.loads(done.stdout)
    assert len(ends) == len(environs) > 30
    for environ, (code, output, errors) in zip(environs, ends, strict=True):
        _is_the_sentence_alone(environ, code, output, errors)


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """An environment without settings of its own."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return plain | {"HOLDFAST_DATA_DIR": str(tmp_path), "HOLDFAST_ENV_FILE": os.environ["HOLDFAST_ENV_FILE"]}


def _is_the_sentence_alone(environ: dict[str, str], code: int, output: str, errors: str) -> None:
    assert (code, output) == (2, ""), environ
    assert errors.startswith("Holdfast cannot start: "), environ
    assert errors.count("\n") == 1, errors
    assert next(iter(environ)) in errors
    assert CANARY not in errors


def test_two_wrong_variables_are_both_named() -> None:
    sentence = refusal({"HOLDFAST_DEBUG": "maybe", "ACM2_STORAGE_PROVIDER": "ftp"})
    assert re.fullmatch(r"ACM2_STORAGE_PROVIDER: .*; HOLDFAST_DEBUG: .*", sentence)


@pytest.mark.parametrize(
    ("alias", "value", "attribute"),
    [
        ("MORAG_REMOTE_JOBS_DATA_DIR", "jobs", "jobs_dir"),
        ("ACM2_STORAGE_PROVIDER", "memory", "storage_provider"),
        ("ACM2_LOCAL_STORAGE_ROOT", "files", "local_storage_root"),
        ("ACM2_GITHUB_TOKEN", KEY, "github_token"),
        ("OUT_OF_CONTEXT_STORAGE_PATH", "storage.json", "segments_import"),
    ],
)
def test_the_names_of_earlier_systems_are_accepted(alias: str, value: str, attribute: str) -> None:
    name = next(variable.name for variable in config.variables() if alias in variable.aliases)
    assert getattr(load({alias: value}), attribute) == getattr(load({name: value}), attribute)
    assert getattr(load({alias: value}), attribute) != getattr(load(), attribute)
    assert load({alias: value, name: value}) == load({name: value})


def test_every_alias_is_tried_above() -> None:
    mark = next(m for m in test_the_names_of_earlier_systems_are_accepted.pytestmark if m.name == "parametrize")  # type: ignore[attr-defined]  # pytest adds it
    assert {row[0] for row in mark.args[1]} == {alias for row in config.variables() for alias in row.aliases}


def test_secrets_are_in_no_text_of_the_configuration() -> None:
    made = load(
        {
            "HOLDFAST_SECRET_KEY": KEY,
            "HOLDFAST_SECRET_KEY_FALLBACKS": f'["{KEY}"]',
            "HOLDFAST_GITHUB_TOKEN": KEY,
            "HOLDFAST_DATABASE_URL": f"postgresql://u:{CANARY}@host/name",
            "HOLDFAST_QUEUE_URL": f"redis://:{CANARY}@host/0",
            "HOLDFAST_STORAGES": f'{{"a": {{"provider": "memory", "key": "{CANARY}"}}}}',
        }
    )
    assert made.storages["a"]["key"] == CANARY
    assert CANARY not in f"{made!r} {made!s} {made.storages}"


BEHIND_A_PROXY = {"HOLDFAST_PUBLIC_URL": "https://b.example.org/", "HOLDFAST_TRUSTED_PROXIES": "10.0.0.1"}


class TestAddresses:
    def test_a_database_of_its_own(self) -> None:
        made = load({"HOLDFAST_DATABASE_URL": "postgresql://us%40er:p%2Fw@db.example.org:5433/name?sslmode=require"})
        assert made.database() | {"CONN_MAX_AGE": 0} == {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "name",
            "USER": "us@er",
            "PASSWORD": "p/w",
            "HOST": "db.example.org",
            "PORT": "5433",
            "CONN_MAX_AGE": 0,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {"sslmode": "require"},
        }

    def test_files_of_sqlite(self, tmp_path: Path) -> None:
        made = load({"HOLDFAST_DATABASE_URL": f"sqlite:///{tmp_path}/d.sqlite3", "HOLDFAST_DATA_DIR": str(tmp_path)})
        assert made.database()["NAME"] == str(tmp_path / "d.sqlite3")
        assert made.queue() == ("sqlite", str(tmp_path / "queue.sqlite3"))

    def test_a_queue_in_redis(self) -> None:
        assert load({"HOLDFAST_QUEUE_URL": "redis://host:6379/1"}).queue() == ("redis", "redis://host:6379/1")

    def test_hosts_by_commas_as_a_list_and_in_brackets(self) -> None:
        for text in ("a.example.org, [::1]", '["a.example.org", "[::1]"]'):
            made = load({"HOLDFAST_ALLOWED_HOSTS": text, **BEHIND_A_PROXY})
            assert made.hosts == ["a.example.org", "[::1]", "b.example.org"]
            assert made.public_url == "https://b.example.org"
        assert load({"HOLDFAST_ALLOWED_HOSTS": "[::1], a"}).allowed_hosts == ("[::1]", "a")

    def test_github_enterprise(self) -> None:
        environ = {
            "HOLDFAST_GITHUB_API_URL": "https://github.example.org:8443/api/v3/",
            "HOLDFAST_GITHUB_REPO": "a_b/c.d",
        }
        assert load(environ).github_api_url == "https://github.example.org:8443/api/v3"
        assert load({"HOLDFAST_GITHUB_BRANCH": "feature/ä-1"}).github_branch == "feature/ä-1"
        assert load({"HOLDFAST_GITHUB_BASE_PATH": "data/holdfast"}).github_base_path == "data/holdfast"

    def test_options_of_an_object_store(self) -> None:
        options = '{"default": {"provider": "object", "bucket": "files"}}'
        made = load({"HOLDFAST_STORAGE_PROVIDER": "object", "HOLDFAST_STORAGES": options})
        assert made.file_storages()["default"]["bucket"] == "files"

    def test_the_token_of_the_default_storage_may_come_another_way(self) -> None:
        options = '{"default": {"provider": "github", "repository": "a/b", "token_file": "/run/secrets/github"}}'
        made = load({"HOLDFAST_STORAGE_PROVIDER": "github", "HOLDFAST_STORAGES": options}).file_storages()
        assert made["default"]["token_file"] == "/run/secrets/github"
        factory.check_all(made)

    def test_variables_of_an_object_store(self) -> None:
        made = load(
            {
                "HOLDFAST_STORAGE_PROVIDER": "object",
                "HOLDFAST_OBJECT_BUCKET": "files",
                "HOLDFAST_OBJECT_ENDPOINT": "http://10.0.0.5:9000/",
                "HOLDFAST_OBJECT_ACCESS_KEY": "key",
                "HOLDFAST_OBJECT_SECRET_KEY": CANARY,
            }
        )
        options = made.file_storages()["default"]
        assert (options["bucket"], options["endpoint"]) == ("files", "http://10.0.0.5:9000")
        assert options["secret_key"] == CANARY
        assert CANARY not in repr(made) + repr(options)
        factory.check_all({"default": options})


class TestEnvFile:
    @pytest.fixture
    def env_file(self, tmp_path: Path) -> Path:
        return tmp_path / ".env"

    def test_it_lies_under_the_environment(self, env_file: Path) -> None:
        env_file.write_text("# comment\nexport HOLDFAST_RECORD_STORE=memory\nACM2_STORAGE_PROVIDER='memory'\nOTHER=1\n")
        made = load({"HOLDFAST_STORAGE_PROVIDER": "local"}, env_file)
        assert (made.record_store, made.storage_provider) == ("memory", "local")

    def test_a_value_is_taken_as_written(self, env_file: Path) -> None:
        env_file.write_text(f"HOLDFAST_GITHUB_TOKEN={KEY}${{HOME}}\n", encoding="utf-8-sig")
        token = load({}, env_file).github_token
        assert token is not None
        assert token.get_secret_value() == KEY + "${HOME}"

    def test_another_file_is_named_in_the_environment(self, env_file: Path) -> None:
        env_file.write_text("HOLDFAST_RECORD_STORE=database\n")
        assert config.load({"HOLDFAST_ENV_FILE": str(env_file)}).record_store == "database"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (f"HOLDFAST_GITHUB_TOKEN\n{CANARY}\n".encode(), "line 1: must be NAME=value"),
            (f"\n'{CANARY}\n".encode(), "line 2: must be NAME=value"),
            (b"HOLDFAST_GITHUB_TOKEN=\xff\n", "cannot be read: it is not UTF-8"),
            (b"HOLDFAST_RECORDSTORE=file\n", "did you mean HOLDFAST_RECORD_STORE?"),
            (b"HOLDFAST_ENV_FILE=x\n", "HOLDFAST_ENV_FILE: stands in "),
            (b"HOLDFAST_RECORD_STORE=mongo\n", "HOLDFAST_RECORD_STORE: input should be"),
        ],
    )
    def test_a_wrong_file_is_said_with_its_line(self, env_file: Path, content: bytes, words: str) -> None:
        env_file.write_bytes(content)
        sentence = refusal({}, env_file)
        assert words in sentence
        assert CANARY not in sentence

    def test_a_folder_in_its_place_is_said(self, env_file: Path) -> None:
        env_file.mkdir()
        assert refusal({}, env_file) == f"{env_file} cannot be read: Is a directory"


class TestFolders:
    def test_relative_ones_lie_beside_manage_py(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        made = load({"HOLDFAST_DATA_DIR": "d", "HOLDFAST_JOBS_DIR": "j", "HOLDFAST_LOCAL_STORAGE_ROOT": "f"})
        assert (made.data, made.records_root, made.files_root) == tuple(config.ROOT / name for name in "djf")

    def test_a_file_in_place_of_the_data_folder(self, tmp_path: Path) -> None:
        (tmp_path / "data").touch()
        folder = tmp_path / "data" / "deeper"
        assert refusal({"HOLDFAST_DATA_DIR": str(folder)}) == (
            f"HOLDFAST_DATA_DIR: {folder} is not a folder that can be written"
        )

    def test_a_folder_that_may_not_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may write everywhere
        assert "HOLDFAST_JOBS_DIR" in refusal({"HOLDFAST_JOBS_DIR": str(tmp_path / "jobs")})
        made = load({"HOLDFAST_JOBS_DIR": str(tmp_path / "jobs"), "HOLDFAST_RECORD_STORE": "memory"})
        assert made.unusable_folder() is None

    def test_a_name_that_is_too_long(self) -> None:
        assert "HOLDFAST_DATA_DIR" in refusal({"HOLDFAST_DATA_DIR": "/tmp/" + "a" * 300})


class TestSigningKey:
    def test_it_is_generated_once_and_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        made = load({"HOLDFAST_DATA_DIR": str(tmp_path / "data")})
        key = made.signing_key()
        assert len(key) >= 50
        assert made.signing_key() == key
        assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600
        assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]

    def test_processes_that_start_at_once_get_the_same(self, tmp_path: Path) -> None:
        code = "from project import config; print(config.load().signing_key())"
        environ = os.environ | {"HOLDFAST_DATA_DIR": str(tmp_path / "data")}

        def start(_: int) -> str:
            command = [sys.executable, "-c", code]
            return subprocess.run(
                command, cwd=config.ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE
            ).stdout

        with ThreadPoolExecutor(4) as pool:
            keys = set(pool.map(start, range(4)))
        assert len(keys) == 1
        assert len(keys.pop()) > 50

    def test_a_damaged_one_is_refused_without_showing_it(self, tmp_path: Path) -> None:
        (tmp_path / "secret_key").write_text(CANARY)
        with pytest.raises(config.ConfigurationError, match=r"HOLDFAST_SECRET_KEY: the key in .* is damaged") as caught:
            load({"HOLDFAST_DATA_DIR": str(tmp_path)}).signing_key()
        assert CANARY not in str(caught.value)

    def test_where_none_can_be_kept_the_variable_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "secret_key").mkdir()
        with pytest.raises(config.ConfigurationError, match=r"HOLDFAST_SECRET_KEY: no key can be kept in"):
            load({"HOLDFAST_DATA_DIR": str(tmp_path)}).signing_key()


def test_the_table_in_the_readme_is_the_configuration() -> None:
    readme = (config.ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| `HOLDFAST_")]
    assert rows == [variable.as_markdown() for variable in config.variables()]
