"""Standard library only: makes `.venv` from the lock when the parts are not there, and goes on inside it.

Read by whatever `python3` a machine has: the syntax stays that of Python 3.6, so that an old one gets a sentence.
"""

import contextlib
import importlib.util
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Iterator, NoReturn  # noqa: UP035 - collections.abc has no such Iterator before Python 3.9

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
STAMP = FOLDER / "holdfast.json"
RUNTIME_LOCK = ROOT / "project" / "requirements.lock"
TEST_LOCK = ROOT / "project" / "requirements-test.lock"
COMMANDS_WITH_TEST_PARTS = ("test", "bench", "lock")
PARTS = ("django", "ninja", "huey", "granian", "pydantic_settings")  # where these are, the rest of the lock is too
OLDEST_PYTHON = (3, 11)
PATIENCE_SECONDS = 900
ENTERED = "ENTERED_VENV"

# What of PIP_* says where from and how to download; any other (USER, TARGET, NO_BINARY …) would change the result.
KEPT_PIP_SETTINGS = (
    *("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST"),
    *("PIP_PROXY", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_KEYRING_PROVIDER", "PIP_CACHE_DIR", "PIP_NO_CACHE_DIR"),
    *("PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_USE_FEATURE", "PIP_USE_DEPRECATED"),
)

# pip and venv say what went wrong in words only. The exit code decides that it did; this gives the advice.
ADVICE = (
    (r"No space left|quota exceeded", "the disk is full; make room, about 500 MB, and run the command again"),
    (r"DO NOT MATCH THE HASHES", "a download does not match its hash, nothing was installed; check the index pip uses"),
    (r"Hashes are required|versions pinned", "a hash is missing in it; renew it with `manage.py lock`"),
    (r"Read-only file|Permission denied", "it may not write there; make the folder writable or clone elsewhere"),
    (r"Retrying|SSLError|timed out", "the package index is out of reach; check network, PIP_INDEX_URL, PIP_PROXY"),
    (r"ensurepip", "its venv module is not whole; install it (Debian, Ubuntu: `apt-get install python3-venv`)"),
    (r"No matching distribution", "the package index has none for this Python on this machine; use another Python"),
)  # fmt: skip


def enter_environment(arguments: "list[str]") -> None:
    """Returns where the command can run, or replaces this process by one that is inside `.venv`."""
    lock = TEST_LOCK if arguments[1:2] and arguments[1] in COMMANDS_WITH_TEST_PARTS else RUNTIME_LOCK
    came_from_outside = os.environ.pop(ENTERED, None) is not None
    _refuse_old_python()
    if _is_the_users_own():
        _refuse_missing_parts(lock)
        return
    try:
        changed = _prepare(lock)
    except OSError as error:
        what = f"{error.filename or 'writing'}: {error.strerror or error}"
        _stop(f"{FOLDER} cannot be made ({what}); make the folder writable, with room for 500 MB")
    except KeyboardInterrupt:
        _say("\nStopped; the next command makes it ready.")
        sys.exit(130)
    if _is_inside() and _has("django") and not changed:
        return
    if came_from_outside:
        _stop(f"{FOLDER} does not start properly: delete that folder and run the command again")
    _go_on_inside()


def _refuse_old_python() -> None:
    if sys.version_info >= OLDEST_PYTHON:
        return
    import shutil

    names = [f"python3.{minor}" for minor in range(30, OLDEST_PYTHON[1] - 1, -1)]
    newer = next(filter(shutil.which, names), None)
    advice = f"run it with {newer} instead" if newer else "install a newer one and run it with that"
    needed, found = (".".join(map(str, version[:2])) for version in (OLDEST_PYTHON, sys.version_info))
    _stop(f"it needs Python {needed} or newer and this is {found}; {advice}")


def _is_the_users_own() -> bool:
    """A virtual environment with Django in it, or a Python with everything; never the `.venv` that was made here."""
    if _is_inside():
        return not STAMP.exists() and _has("django")
    return _has("django") and (sys.prefix != sys.base_prefix or _has(*PARTS))


def _refuse_missing_parts(lock: Path) -> None:
    missing = [name for name in (*PARTS, *(["pytest"] if lock == TEST_LOCK else [])) if not _has(name)]
    if missing:
        command = f'"{sys.executable}" -m pip install -r "{lock}"'
        _stop(f"the environment {sys.prefix} has no {', '.join(missing)}; install it with: {command}")


def _is_inside() -> bool:
    return Path(sys.prefix).resolve() == FOLDER.resolve()


def _has(*names: str) -> bool:
    specs = [importlib.util.find_spec(name) for name in names]
    return all(spec is not None and spec.origin for spec in specs)  # a mere folder of that name has no origin


def _prepare(lock: Path) -> bool:
    """Whether anything had to be changed for `.venv` to hold what the lock says."""
    if _is_ready(lock) or _holds_a_users_own():
        return False
    with _alone() as keep_open:
        if _is_ready(lock):
            return False
        _Work(lock, keep_open).run()
    return True


def _is_ready(lock: Path) -> bool:
    stamp = _read_stamp()
    return _is_sound(stamp) and stamp.get(lock.name) == _digest(lock)


def _is_sound(stamp: "dict[str, Any]") -> bool:
    """Finished, in the place it was made for, on the Python it was made with."""
    return stamp == {**stamp, "finished": True, "place": str(FOLDER.resolve()), "python": _python_below()}


def _holds_a_users_own() -> bool:
    """A `.venv` that somebody else filled with Django works as it is: gone into, not changed."""
    if STAMP.exists() or not _python().exists() or _is_inside():
        return False
    return any(any(FOLDER.glob(f"{library}/site-packages/django")) for library in ("lib/python*", "Lib"))


def _read_stamp() -> "dict[str, Any]":
    import json

    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent or damaged is not ready, and made anew
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_stamp(stamp: "dict[str, Any]") -> None:
    import json

    draft = STAMP.with_suffix(".draft")
    draft.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    draft.replace(STAMP)


def _digest(lock: Path) -> str:
    import hashlib

    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _python() -> Path:
    return FOLDER / "Scripts" / "python.exe" if os.name == "nt" else FOLDER / "bin" / "python"


def _python_below() -> "str | None":
    """What `.venv` stands on; none, or another one, after Python was removed or upgraded underneath."""
    if not _python().exists():
        return None
    if os.name != "nt":
        return str(_python().resolve())
    configuration = (FOLDER / "pyvenv.cfg").read_text(encoding="utf-8")
    home = re.search(r"(?m)^home\s*=\s*(.+?)\s*$", configuration)
    return home.group(1) if home and Path(home.group(1)).is_dir() else None


@contextlib.contextmanager
def _alone() -> "Iterator[int]":
    """One process at a time; the lock goes with its holder and with the pip that a killed holder left behind."""
    with (ROOT / ".venv.lock").open("a+b") as file:
        began = time.monotonic()
        told = False
        while not _try_lock(file.fileno()):
            if not told:
                _say(f"Another process is making {FOLDER} ready; waiting for it.")
            told = True
            if time.monotonic() > began + PATIENCE_SECONDS:
                _stop(f"another process has been at {FOLDER} for too long; end it and run the command again")
            time.sleep(0.1)
        yield file.fileno()


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


class _Work:
    """Makes `.venv`, or brings it up to the lock. Killed at any point it leaves a stamp that says unfinished."""

    def __init__(self, lock: Path, keep_open: int) -> None:
        self.lock = lock
        self.keep_open = keep_open
        self.progress = _Progress()

    def run(self) -> None:
        stamp = _read_stamp()
        if not _is_sound(stamp):
            stamp = {}
            if not self._is_empty_but_whole():
                self._make()
        _write_stamp({"finished": False})
        before = _names(stamp.get("packages", []))
        self._uninstall(before - _names(_packages(RUNTIME_LOCK)) - _names(_packages(TEST_LOCK)))
        self._install()
        _write_stamp(self._finished(before, stamp.get(TEST_LOCK.name)))
        self.progress.close()

    def _is_empty_but_whole(self) -> bool:
        """What an editor or a person made here, with nothing in it yet."""
        if STAMP.exists() or not _python().exists():
            return False
        try:
            return self._call([str(_python()), "-I", "-m", "pip", "--version"])[0] == 0
        except OSError:  # no program
            return False

    def _make(self) -> None:
        if not _has("venv", "ensurepip"):
            remedy = "install it (Debian, Ubuntu: `apt-get install python3-venv`) and run the command again"
            _stop(f"the Python {sys.executable} has no venv module; {remedy}")
        self.progress.show(f"Making {FOLDER}")
        FOLDER.mkdir(exist_ok=True)
        _write_stamp({"finished": False})
        _empty_but_for_the_stamp()
        python = getattr(sys, "_base_executable", sys.executable)  # from inside, the one below
        code, output = self._call([python, "-I", "-m", "venv", str(FOLDER)])
        if code != 0:
            _stop(_reason(f"{python} cannot make {FOLDER}", output))

    def _uninstall(self, names: "set[str]") -> None:
        if names:
            self._pip("uninstall", "--yes", *sorted(names))

    def _install(self) -> None:
        number = len(_packages(self.lock))
        self.progress.show(f"Installing what {self.lock.relative_to(ROOT)} names ({number} packages)")
        # wheels only: building a source would run code, and fetch build tools that no hash vouches for
        self._pip("install", "--require-hashes", "--only-binary", ":all:", "--no-user", "-r", str(self.lock))

    def _pip(self, action: str, *options: str) -> None:
        pip = [
            str(_python()),
            "-I",
            "-X",
            "utf8",
            "-m",
            "pip",
            "--no-input",
            "--disable-pip-version-check",
            "--no-color",
        ]
        code, output = self._call([*pip, action, *options])
        if code != 0:
            _stop(_reason(f"pip cannot {action} by {self.lock.relative_to(ROOT)}", output))

    def _call(self, command: "list[str]") -> "tuple[int, str]":
        import subprocess

        inherited: Any = {} if os.name == "nt" else {"pass_fds": (self.keep_open,)}
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment_for_pip(),
            **inherited,
        ) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line.decode("utf-8", "replace").rstrip())
                self.progress.follow(lines[-1])
        return process.returncode, "\n".join(lines)

    def _finished(self, before: "set[str]", test_digest: "str | None") -> "dict[str, Any]":
        stamp = {
            "finished": True,
            "place": str(FOLDER.resolve()),
            "python": _python_below(),
            "packages": sorted(before | _names(_packages(self.lock))),
            RUNTIME_LOCK.name: _digest(RUNTIME_LOCK),  # the test lock holds the runtime's, version for version
        }
        if self.lock == TEST_LOCK or test_digest == _digest(TEST_LOCK):
            stamp[TEST_LOCK.name] = _digest(TEST_LOCK)
        return stamp


class _Progress:
    """One line written over and over on a terminal, a few plain ones elsewhere. On stderr: stdout is the command's."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.began = time.monotonic()
        self.title = ""
        self.collected = 0

    def show(self, title: str) -> None:
        self.title, self.collected = title, 0
        if self.live:
            self._write()
        else:
            _say(title + " …")

    def follow(self, line: str) -> None:
        self.collected += line.startswith("Collecting ")
        if self.live:
            self._write()

    def close(self) -> None:
        _say(("\r\033[K" if self.live else "") + f"Ready after {self._seconds()} s.")

    def _write(self) -> None:
        import shutil

        count = f" {self.collected}" if self.collected else ""
        text = f"{self.title} …{count}, {self._seconds()} s"
        sys.stderr.write("\r\033[K" + text[: shutil.get_terminal_size().columns - 1])
        sys.stderr.flush()

    def _seconds(self) -> int:
        return round(time.monotonic() - self.began)


def _empty_but_for_the_stamp() -> None:
    import shutil

    for child in FOLDER.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        elif child != STAMP:
            child.unlink()


def _environment_for_pip() -> "dict[str, str]":
    foreign = [name for name in os.environ if name.startswith(("PIP_", "PYTHON")) and name not in KEPT_PIP_SETTINGS]
    return {name: value for name, value in os.environ.items() if name not in foreign}


def _packages(lock: Path) -> "list[str]":
    return re.findall(r"(?m)^([A-Za-z0-9][A-Za-z0-9._-]*)==", lock.read_text(encoding="utf-8"))


def _names(packages: "list[str]") -> "set[str]":
    return {re.sub(r"[-_.]+", "-", package).lower() for package in packages}


def _reason(what: str, output: str) -> str:
    for pattern, advice in ADVICE:
        if re.search(pattern, output):
            return f"{what}: {advice}"
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it gave no reason"]
    return f"{what}: {next((line for line in lines if line.startswith('ERROR')), lines[-1])}"


def _go_on_inside() -> NoReturn:
    """The interpreter's own options (-X, -W) go along; PYTHONHOME does not, it names another Python's library."""
    command = [str(_python()), *sys.orig_argv[1:]]
    os.environ[ENTERED] = "1"
    for name in ("PYTHONHOME", "__PYVENV_LAUNCHER__"):
        os.environ.pop(name, None)
    try:
        if os.name == "nt":
            sys.exit(_wait_for(command))
        os.execv(command[0], command)
    except OSError as error:
        _stop(f"{command[0]} cannot be started ({error.strerror}); delete {FOLDER} and run the command again")


def _wait_for(command: "list[str]") -> int:
    """Windows has no exec. Its console gives Ctrl-C and Ctrl-Break to both; this one leaves them to the other."""
    import signal
    import subprocess

    for name in ("SIGINT", "SIGBREAK"):
        signal.signal(getattr(signal, name), lambda *_: None)
    return subprocess.Popen(command).wait()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _stop(sentence: str) -> NoReturn:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    _say(f"Holdfast cannot start: {sentence}.")
    raise SystemExit(2)
