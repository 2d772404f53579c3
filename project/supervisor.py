"""Runs child processes until told to stop: their output passes through with a name in front, a dead one is started
again, and all end when this process does, however it ends.

Each child reads its standard input, which only this process holds open: closing it is the order to finish, and a
killed parent closes it too. Children are in a process group of their own, so Ctrl-C reaches this process alone.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Literal

from project.config import ROOT

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
# who lived this long did start; who did not is held back longer each time
STEADY_AFTER = 10.0
MANY_DEATHS = 5
# a signal that comes just before a wait begins is handled when the wait ends
LONGEST_DEAFNESS = 0.25
STOP_DEADLINE = 15.0
LAST_WARNING = 3.0
if sys.platform == "win32":
    NEW_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    NEW_GROUP = 0

Say = Callable[[str], None]


@dataclass(eq=False)
class Child:
    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    quick_deaths: int = 0
    due: float | None = field(default=0.0)


Message = tuple[Literal["ended", "stop"], Child | None]


class Supervisor:
    def __init__(self, commands: Mapping[str, Sequence[str]], say: Say, environ: Mapping[str, str]) -> None:
        self._children = [Child(name, command) for name, command in commands.items()]
        self._say = say
        self._environ = {**environ, "PYTHONUNBUFFERED": "1"}
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._stops = 0

    def stop(self) -> None:
        """From a signal handler or any thread. Asked a second time, nothing is waited for."""
        self._stops += 1
        self._messages.put(("stop", None))

    def start(self) -> None:
        for child in self._children:
            self._start(child)

    def run(self) -> None:
        """Until stopped; then all children have ended."""
        try:
            while not self._stops:
                self._attend()
        finally:
            self._end_all()

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> bool:
        """Attends to the children meanwhile; False when told to stop, or the time is over."""
        deadline = time.monotonic() + timeout
        while not self._stops and time.monotonic() < deadline:
            if ready():
                return True
            self._attend(0.05)
        return False

    def _attend(self, longest: float = LONGEST_DEAFNESS) -> None:
        now = time.monotonic()
        pauses = [child.due - now for child in self._children if child.due is not None]
        try:
            what, child = self._messages.get(timeout=max(0.0, min([longest, *pauses])))
        except queue.Empty:
            what, child = "stop", None
        if what == "ended" and child is not None:
            self._plan_restart(child)
        if not self._stops:
            for child in self._children:
                if child.due is not None and child.due <= time.monotonic():
                    self._start(child)

    def _start(self, child: Child) -> None:
        child.due = None
        child.started = time.monotonic()
        child.process = process = subprocess.Popen(  # noqa: S603 - our own commands
            child.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environ,
            start_new_session=sys.platform != "win32",
            creationflags=NEW_GROUP,
        )
        assert process.stdout is not None
        threading.Thread(target=self._pass_on, args=(child.name, process.stdout), daemon=True).start()
        threading.Thread(target=self._await_end, args=(child, process), daemon=True).start()

    def _pass_on(self, name: str, output: IO[bytes]) -> None:
        width = max(len(child.name) for child in self._children)
        with output:
            for line in output:
                self._say(f"{name:<{width}}  {line.decode(errors='replace').rstrip()}")

    def _await_end(self, child: Child, process: "subprocess.Popen[bytes]") -> None:
        process.wait()
        self._messages.put(("ended", child))

    def _plan_restart(self, child: Child) -> None:
        assert child.process is not None
        ending = _ending(child.process.returncode)
        _hang_up(child.process)
        steady = time.monotonic() - child.started > STEADY_AFTER
        child.quick_deaths = 0 if steady else child.quick_deaths + 1
        pause = min(FIRST_PAUSE * 2 ** max(child.quick_deaths - 1, 0), LONGEST_PAUSE)
        child.due = time.monotonic() + pause
        if self._stops:
            return
        text = f"The {child.name} {ending}; it is started again in {pause:.1f} s."
        if child.quick_deaths >= MANY_DEATHS:
            text += f" That was the {_ordinal(child.quick_deaths)} time in a row: see its last lines above."
        self._say(text)

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process and child.process.poll() is None]
        for process in running:
            _hang_up(process)
        self._wait_for(running, STOP_DEADLINE)
        for process in running:
            process.terminate()
        self._wait_for(running, LAST_WARNING)
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _wait_for(self, processes: "list[subprocess.Popen[bytes]]", seconds: float) -> None:
        asked, deadline = self._stops, time.monotonic() + seconds
        while time.monotonic() < deadline and self._stops <= max(asked, 1):
            if all(process.poll() is not None for process in processes):
                return
            time.sleep(0.02)


def python(module: str, *arguments: str) -> list[str]:
    """Runs one of our modules with this interpreter. A folder `project` where the caller stands is not ours (-P)."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """This process's own, with our modules to be found from anywhere."""
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT)}


def stop_on_signals(stop: Callable[[], None]) -> None:
    for name in ["SIGINT", "SIGTERM", "SIGBREAK" if sys.platform == "win32" else "SIGHUP"]:
        number = getattr(signal, name)
        # who starts us under nohup wants us to outlive the terminal
        if name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: stop())


def _hang_up(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()
    except OSError:  # it has ended, and its end of the pipe with it
        return


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
