"""`manage.py …` without its start: one process in which Django is set up forks itself for each command.

Each command is a process of its own, with its own signals, streams and exit code; only the second and more that a
start takes are spent once. What is about the start itself starts `manage.py` for real.

    python -m tests.forked_commands    (standard input is a socket, see `ForkedCommands.start`)
"""

import array
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import IO, Any, Final

from tests.project.servers import ROOT

COMMANDS: Final = {"jobs_app": ("jobs", "projects", "tokens"), "storage_app": ("records",), "django.core": ("migrate",)}
STORES: Final = ("storage_app.records.file.store", "storage_app.records.database.store")  # else on first use only
PATIENCE: Final = 300.0
STREAMS: Final = 3


class ForkedCommands:
    """The commands of the installation that `environ` describes."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked_commands"], cwd=ROOT, env=dict(environ), stdin=theirs.fileno()
            )

    def start(
        self, *arguments: str, stdin: IO[Any], stdout: IO[Any], stderr: IO[Any], **environ: str
    ) -> "ForkedCommand":
        """What `environ` names is added to that of the installation."""
        told, tells = socket.socketpair()
        with tells:
            streams = [stdin.fileno(), stdout.fileno(), stderr.fileno(), tells.fileno()]
            asked = json.dumps([arguments, environ]).encode() + b"\n"
            sent = self._line.sendmsg([asked], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))])
            self._line.sendall(asked[sent:])
        return ForkedCommand(told)

    def run(self, *arguments: str, fed: str = "", **environ: str) -> "subprocess.CompletedProcess[str]":
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            given.write(fed.encode())
            given.seek(0)
            command = self.start(*arguments, stdin=given, stdout=output, stderr=errors, **environ)
            try:
                code = command.wait(PATIENCE)
            finally:
                command.end()
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(arguments, code, output.read().decode(), errors.read().decode())

    def end(self) -> None:
        """What still runs goes on; whoever started it ends it."""
        self._line.close()
        self._process.wait(PATIENCE)


class ForkedCommand:
    """A running one; whoever started it calls `end`."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told.makefile("rb")
        told.close()
        self.pid = int(self._told.readline())
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None and select.select([self._told], [], [], 0)[0]:
            self._code = int(self._told.readline())
        return self._code

    def wait(self, timeout: float) -> int:
        ends_at = time.monotonic() + timeout
        while self._code is None:
            if not select.select([self._told], [], [], max(ends_at - time.monotonic(), 0))[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._code = int(self._told.readline())
        return self._code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def end(self) -> None:
        self.send_signal(signal.SIGKILL)
        self.wait(PATIENCE)
        self._told.close()


def main() -> None:
    """Returns in the child that is a command, with its arguments; the first process ends with its caller."""
    from manage import main as manage

    line = socket.socket(fileno=os.dup(0))
    _make_ready()
    arguments = _serve(line)
    if arguments is not None:
        sys.argv = ["manage.py", *arguments]
        sys.exit(manage())


def _make_ready() -> None:
    """All that a start does and that does not depend on the command; nothing stays open that must not be shared."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    import django

    django.setup()
    from django.core import checks
    from django.core.management import load_command_class
    from django.db import connections
    from huey.contrib.djhuey import HUEY

    checks.run_checks()
    for app, names in COMMANDS.items():
        for name in names:
            load_command_class(app, name)
    for name in STORES:
        importlib.import_module(name)
    HUEY.storage.close()
    connections.close_all()
    gc.freeze()  # or each command would, at its end, go through all that is loaded here


def _serve(line: socket.socket) -> list[str] | None:
    while True:
        received, descriptors, _, _ = socket.recv_fds(line, 1 << 16, STREAMS + 1)
        _bury_those_who_watched()
        if not received:
            return None
        while not received.endswith(b"\n"):
            received += line.recv(1 << 16)
        if os.fork() == 0:
            line.close()
            arguments, environ = json.loads(received)
            if _is_the_command(descriptors):
                os.environ.update(environ)
                return list(arguments)
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def _bury_those_who_watched() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _is_the_command(descriptors: list[int]) -> bool:
    """Forks it; the one that stays behind tells its id, and its code when it has ended."""
    *streams, tells = descriptors
    command = os.fork()
    if command == 0:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for descriptor in descriptors:
            os.close(descriptor)
        return True
    for descriptor in streams:
        os.close(descriptor)
    os.write(tells, b"%d\n" % command)
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    os.write(tells, b"%d\n" % code)
    return False


if __name__ == "__main__":
    main()
