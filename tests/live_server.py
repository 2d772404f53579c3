"""The product itself, served by processes of its own over any record store, for tests that need real ones."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import httpx

from tests.forked_commands import ForkedCommands
from tests.project.servers import PATIENCE, ROOT, answered, free_port, until

FILE_STORE = {"HOLDFAST_RECORD_STORE": "file"}
DATABASE_STORE = {"HOLDFAST_RECORD_STORE": "database"}


class Installation:
    """A data folder, prepared, with any number of server processes over it."""

    def __init__(self, data: Path, database: Path | None = None, /, **environ: str) -> None:
        """`database` is an SQLite file with all tables, which is copied; without one the tables are made."""
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        plain = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        (data / "empty.env").touch()
        own = {"HOLDFAST_DATA_DIR": str(data), "HOLDFAST_ENV_FILE": str(data / "empty.env")}
        self.environ = {**plain, **own, "HOLDFAST_LOG_LEVEL": "warning", **environ}
        self.servers: list[LiveServer] = []
        self.commands = ForkedCommands(self.environ)
        try:
            if database is None:
                self.manage("migrate", "--verbosity", "0")
            else:
                shutil.copy(database, data / "holdfast.sqlite3")
            self.manage("records", "init")
        except BaseException:
            self.end()
            raise

    def manage(self, *arguments: str) -> str:
        done = self.commands.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def project(self, slug: str, scopes: Sequence[str] = ("read", "write", "work")) -> str:
        """Makes it, and gives a token for it."""
        self.manage("projects", "create", slug)
        return self.token(slug, scopes)

    def token(self, slug: str, scopes: Sequence[str]) -> str:
        asked = [part for scope in scopes for part in ("--scope", scope)]
        token: str = json.loads(self.manage("tokens", "create", "--project", slug, "--json", *asked))["token"]
        return token

    def serve(self, port: int | None = None) -> "LiveServer":
        server = LiveServer(self, port or free_port())
        self.servers.append(server)
        return server

    def end(self) -> None:
        for server in self.servers:
            server.end()
        self.commands.end()


class LiveServer:
    """One server process; `port` stays its own, so that it can be killed and started again."""

    def __init__(self, installation: Installation, port: int) -> None:
        self._installation = installation
        self._log: IO[bytes] = (installation.data / f"server-{port}.log").open("ab")
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "project.serving.server", "--port", str(self.port), "--lifeline"],
            cwd=ROOT,
            env=self._installation.environ,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            until(self._answers, f"the server answers\n{self.log()[-2000:]}")
        except BaseException:
            self.end()
            raise

    def kill(self) -> None:
        """By SIGKILL with all its workers, as a machine that is switched off. Nobody answers in its place when this
        returns: a worker that lives a moment longer would be taken for the server that is started next.
        """
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._close_lifeline()
        until(self._is_gone, "nobody listens any more")

    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def errors(self) -> list[str]:
        """The last that it logged as errors, tracebacks included."""
        return [line for line in self.log().splitlines() if '"level": "error"' in line][-5:]

    def api(self, token: str, slug: str) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self.url}/api/v1/projects/{slug}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        )

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._close_lifeline()
        self._log.close()

    def _close_lifeline(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()

    def _is_gone(self) -> bool:
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", self.port)) != 0

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()[-2000:]
        return answered(self.port, "/healthz") is not None


@contextlib.contextmanager
def installed(data: Path, database: Path | None = None, /, **environ: str) -> Iterator[Installation]:
    installation = Installation(data, database, **environ)
    try:
        yield installation
    finally:
        installation.end()
