"""`manage.py jobs`: the same words and answers, whether it asks this installation or a server."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live_server import Installation, installed
from tests.project.servers import PATIENCE, ROOT, alive, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell and POSIX signals")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("jobs-command") / "data", migrated_database) as one:
        one.serve()
        yield one


class Shell:
    """Calls the command; `there` asks the server with a token, else it is this installation."""

    def __init__(self, installation: Installation, there: bool, slug: str) -> None:
        self.slug, self.there = slug, there
        self.installation = installation
        self.token = installation.project(slug)
        self.api = installation.servers[0].api(self.token, slug)
        self._where = ["--project", slug]
        if there:
            self._where += ["--url", installation.servers[0].url]

    def command(self, verb: str, *arguments: str) -> list[str]:
        return ["jobs", verb, *self._where, *arguments]

    @property
    def environ(self) -> dict[str, str]:
        return {"TOKEN": self.token} if self.there else {}

    def run(self, verb: str, *arguments: str, fed: str = "", code: int = 0, **environ: str) -> str:
        """What it says on its output, or where it is refused on its errors."""
        environ = {**self.environ, **environ}
        done = self.installation.commands.run(*self.command(verb, *arguments), fed=fed, **environ)
        assert done.returncode == code, f"{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def lines(self, verb: str, *arguments: str, fed: str = "") -> list[Any]:
        return [json.loads(line) for line in self.run(verb, *arguments, "--json", fed=fed).splitlines()]

    def create(self, **fields: Any) -> str:
        """By the API, which takes a tenth of the time."""
        id: str = self.api.post("/jobs", json=fields).raise_for_status().json()["id"]
        return id

    def job(self, id: str) -> Any:
        return self.api.get(f"/jobs/{id}").raise_for_status().json()

    def attempts(self, id: str) -> list[str]:
        return [item["outcome"] for item in self.api.get(f"/jobs/{id}/attempts").json()["items"]]

    def log(self, id: str) -> list[tuple[str, str]]:
        found = self.api.get(f"/jobs/{id}/logs", params={"limit": 1000}).json()
        lines = found["items"]
        while found["next_cursor"]:
            found = self.api.get(f"/jobs/{id}/logs", params={"limit": 1000, "after": found["next_cursor"]}).json()
            lines += found["items"]
        return [(line["level"], line["message"]) for line in lines]

    @contextlib.contextmanager
    def running(self, verb: str, *arguments: str) -> Iterator["Running"]:
        running = Running(self, verb, *arguments)
        try:
            yield running
        finally:
            running.end()


class Running:
    def __init__(self, shell: Shell, verb: str, *arguments: str) -> None:
        ours, theirs = os.pipe()
        with Path(os.devnull).open() as nothing, os.fdopen(theirs, "w") as output:
            self.process = shell.installation.commands.start(
                *shell.command(verb, *arguments), stdin=nothing, stdout=output, stderr=output, **shell.environ
            )
        self._output = os.fdopen(ours)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def says(self, text: str) -> None:
        until(lambda: any(text in line for line in self.lines), f"{text}: {self.lines}")

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        self.process.end()
        self._reader.join()
        self._output.close()

    def _read(self) -> None:
        self.lines.extend(iter(self._output.readline, ""))


@pytest.fixture(params=["here", "there"])
def either(request: pytest.FixtureRequest, installation: Installation) -> Iterator[Shell]:
    """Without a server, and with one."""
    shell = Shell(installation, request.param == "there", f"p-{os.urandom(4).hex()}")
    yield shell
    shell.api.close()


@pytest.fixture
def shell(installation: Installation) -> Iterator[Shell]:
    shell = Shell(installation, True, f"p-{os.urandom(4).hex()}")
    yield shell
    shell.api.close()


def test_a_job_is_made_found_shown_and_steered(either: Shell) -> None:
    fields = ["--name", "a\u202eb", "--type", "pdf", "--priority", "5", "--tag", "x", "--options", '{"n": 1}']
    id = either.run("create", *fields).strip()
    (job,) = either.lines("show", id)
    assert {name: job[name] for name in ("name", "content_type", "priority", "tags", "task_options")} == {
        "name": "a\u202eb",
        "content_type": "pdf",
        "priority": 5,
        "tags": ["x"],
        "task_options": {"n": 1},
    }
    other = either.create(name="other")
    assert [job["id"] for job in either.lines("list")] == [other, id]
    assert [job["id"] for job in either.lines("list", "--type", "pdf", "--status", "pending")] == [id]
    assert [job["id"] for job in either.lines("list", "other")] == [other]
    table = either.run("list")
    assert table.splitlines()[0].split()[:3] == ["id", "status", "name"]
    assert "\u202e" not in table + either.run("show", id)
    assert f"{other} is cancelled" in either.run("cancel", other, "--reason", "no longer wanted")
    assert either.run("list", "--status", "failed") == "No job matches.\n"


def test_many_are_made_from_lines(shell: Shell, tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"name": f"job {number}", "ingestion_task_id": f"t{number}"}) for number in range(3))
    made = shell.lines("create", "--from", "-", fed=f"{lines}\n\n")
    assert [job["name"] for job in made] == ["job 0", "job 1", "job 2"]
    again = tmp_path / "jobs.jsonl"
    again.write_text(lines)
    assert [job["id"] for job in shell.lines("create", "--from", str(again))] == [job["id"] for job in made]
    assert len(shell.lines("list", "--all")) == 3


def test_it_is_started_by_manage_py(shell: Shell) -> None:
    """The other tests leave the start out."""
    id = shell.create()
    done = subprocess.run(
        [sys.executable, "manage.py", *shell.command("cancel", id, "nothing")],
        cwd=ROOT,
        env={**shell.installation.environ, **shell.environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == f"{id} is cancelled\n"
    assert "There is no job 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_refused_is_a_sentence_and_exit_code_1(shell: Shell) -> None:
    for arguments, sentence in (
        (["show", "nothing"], "There is no job 'nothing'"),
        (["show", "../../me"], "There is n"),
        (["logs", "nothing"], "There is no job 'nothing'"),
        (["create", "--priority", "200"], "priority"),
        (["create", "--not-before", "tomorrow"], "not_before"),
        (["retry", "nothing"], "1 of 1 were refused"),
    ):
        said = shell.run(*arguments, code=1)
        assert sentence in said
        assert "Traceback" not in said


def test_lines_that_are_no_jobs_are_named(shell: Shell) -> None:
    assert "Line 2 of - is no job" in shell.run("create", "--from", "-", fed='{"name": "a"}\n[1]\n', code=1)
    assert "typo" in shell.run("create", "--from", "-", fed='{"typo": 1}\n', code=1)


def test_a_token_is_taken_from_the_environment_alone(shell: Shell) -> None:
    assert shell.run("list", "--token-env", "OTHER", OTHER=shell.token, TOKEN="") == "No job matches.\n"
    assert "environment variable ABSENT" in shell.run("list", "--token-env", "ABSENT", code=2)
    assert "unrecognized arguments: --token" in shell.run("list", "--token=x", code=2)
    shell.token = "hf_nonsense"
    assert "unknown, expired or revoked" in shell.run("list", code=1)
    assert "unknown, expired or revoked" in shell.run("work", "--exec", "true", code=1)


class TestWork:
    """A command that is run for each job."""

    def test_it_has_the_job_and_its_output_is_the_log_and_the_result(self, either: Shell) -> None:
        id = either.create(name="hello", content_type="pdf", source_file_path="in/a.pdf", task_options={"lang": "de"})
        command = (
            "jq -r .task_options.lang; echo $JOB_NAME $JOB_CONTENT_TYPE $JOB_SOURCE_FILE_PATH $JOB_ATTEMPT; "
            'echo careful >&2; echo "::progress 40 page 4"; echo "<$TOKEN$HOLDFAST_DATA_DIR>"; echo \'{"pages": 3}\''
        )
        (told,) = either.lines("work", "--exec", command, "--until-empty", "--worker-id", "w9")
        assert (told["id"], told["outcome"]) == (id, "completed")
        job = either.job(id)
        assert (job["status"], job["result_data"], job["worker_id"]) == ("completed", {"pages": 3}, "w9")
        assert either.attempts(id) == ["completed"]
        assert set(either.log(id)) == {
            ("info", "de"),
            ("info", "hello pdf in/a.pdf 1"),
            ("warning", "careful"),
            ("info", "<>"),
            ("info", '{"pages": 3}'),
        }
        assert [line["message"] for line in either.lines("logs", id, "--level", "warning")] == ["careful"]
        assert "careful" in either.run("logs", id, "--tail", "5")

    def test_a_result_may_be_a_file(self, shell: Shell) -> None:
        id = shell.create()
        shell.run("work", "--exec", 'echo \'[1, 2]\' >"$JOB_RESULT"; echo \'{"not": "this"}\'', "--until-empty")
        assert shell.job(id)["result_data"] == [1, 2]

    def test_a_file_that_is_no_result_fails_the_job(self, shell: Shell) -> None:
        id = shell.create(max_retries=0)
        shell.run("work", "--exec", 'echo nonsense >"$JOB_RESULT"', "--until-empty")
        job = shell.job(id)
        assert job["status"] == "failed"
        assert "The result cannot be used" in job["error_message"]

    def test_its_exit_code_decides(self, shell: Shell) -> None:
        for name in ("again", "never", "killed"):
            shell.create(name=name)
        script = "case $JOB_NAME in again) echo x >&2; exit 1;; never) exit 65;; killed) kill -9 $$;; esac"
        told = shell.lines("work", "--exec", script, "--until-empty", "--final", "65", "--slots", "2")
        assert [line["outcome"] for line in told] == ["failed"] * 3
        jobs = {job["name"]: job for job in shell.api.get("/jobs").json()["items"]}
        assert (jobs["again"]["status"], jobs["again"]["error_message"]) == (
            "pending",
            "The command ended with exit code 1: x",
        )
        assert (jobs["never"]["status"], jobs["never"]["retry_count"]) == ("failed", 0)
        assert "SIGKILL" in jobs["killed"]["error_message"]

    def test_a_cancel_ends_the_command_and_all_that_it_started(self, shell: Shell, tmp_path: Path) -> None:
        id = shell.create()
        child = tmp_path / "child"
        script = f"trap '' TERM; sleep 60 & echo $! >{child}.new; mv {child}.new {child}; wait; wait"
        with shell.running("work", "--exec", script, "--lease", "3", "--grace", "0.3", "--most", "1") as worker:
            until(child.exists, f"the command runs: {worker.lines}")
            assert "is asked to end" in shell.run("cancel", id)
            worker.says("cancelled")
            assert worker.process.wait(PATIENCE) == 0
        assert shell.job(id)["status"] == "cancelled"
        until(lambda: not alive(int(child.read_text())), "what it had started has ended")

    def test_sigterm_lets_what_runs_finish_and_takes_nothing_new(self, either: Shell, tmp_path: Path) -> None:
        first, second = either.create(priority=1), either.create()
        script = f"touch {tmp_path}/started; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo '[]'"
        with either.running("work", "--exec", script) as worker:
            until((tmp_path / "started").exists, f"the command runs: {worker.lines}")
            worker.process.send_signal(signal.SIGTERM)
            worker.says("what runs is finished")
            (tmp_path / "go").touch()
            assert worker.process.wait(PATIENCE) == 0
        assert (either.job(first)["status"], either.job(second)["status"]) == ("completed", "pending")

    def test_a_second_signal_gives_what_runs_back(self, shell: Shell, tmp_path: Path) -> None:
        id = shell.create()
        with shell.running("work", "--exec", f"touch {tmp_path}/started; exec sleep 60") as worker:
            until((tmp_path / "started").exists, f"the command runs: {worker.lines}")
            worker.process.send_signal(signal.SIGTERM)
            worker.process.send_signal(signal.SIGINT)  # two of the same, one right after the other, may be one
            assert worker.process.wait(PATIENCE) == 0
        job = shell.job(id)
        assert (job["status"], job["retry_count"], job["lost_count"]) == ("pending", 0, 0)
        assert shell.attempts(id) == ["released"]

    def test_a_lost_lease_ends_the_command_and_says_nothing_more(self, shell: Shell, tmp_path: Path) -> None:
        """The attempt's own clock ends it, as that of any worker that beats but hangs."""
        id = shell.create(attempt_timeout_seconds=1)
        with shell.running("work", "--exec", f"echo $$ >{tmp_path}/pid; exec sleep 60", "--lease", "3") as worker:
            worker.says("lost")
        job = shell.job(id)
        assert (job["status"], job["error_message"]) == ("timeout", "Timed out: the attempt took too long.")
        assert not alive(int((tmp_path / "pid").read_text()))

    def test_many_lines_come_whole_and_in_order(self, shell: Shell) -> None:
        id = shell.create()
        shell.run(
            "work", "--exec", "seq 3000; head -c 100000 /dev/zero | tr '\\0' x; printf '\\0\\377\\n'", "--until-empty"
        )
        found = [message for _, message in shell.log(id)]
        assert found[:3000] == [str(number) for number in range(1, 3001)]
        assert "".join(found[3000:]) == "x" * 100_000 + "\ufffd\ufffd"


def test_a_log_is_followed_until_the_job_ends(either: Shell, tmp_path: Path) -> None:
    id = either.create()
    script = f"echo one; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo two"
    with either.running("work", "--exec", script, "--most", "1") as worker, either.running("logs", id, "-f") as log:
        log.says("one")
        assert not any("two" in line for line in log.lines)
        (tmp_path / "go").touch()
        worker.says("completed")
        assert log.process.wait(PATIENCE) == 0
        log.says("two")
    assert len(log.lines) == 2
