"""`manage.py test`: a line for each check, what failed said above pytest's summary, which closes."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from project import chromium
from project.config import ROOT
from project.management.commands import test as test_command
from tests.project.servers import alive, until


class Run:
    """The command with checks and a pytest of a few lines."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.log = folder / "order"
        self.steps = {"first": self.step("first"), "second": self.step("second")}
        self.browser: Path | None = folder / "chromium"
        self.suite = "def test_it(): pass"

    def step(self, name: str, code: int = 0) -> list[str]:
        note = f"open({str(self.log)!r}, 'a').write('{name} ')"
        return [sys.executable, "-c", f"{note}; print('{name} complains'); raise SystemExit({code})"]

    def __call__(self, *arguments: str) -> tuple[int, str]:
        (self.folder / "test_suite.py").write_text(self.suite)
        (self.folder / "pytest.ini").write_text("[pytest]\n")
        self.monkeypatch.setattr(test_command, "STEPS", self.steps)
        self.monkeypatch.setattr(chromium, "find", lambda: self.browser)
        self.monkeypatch.setattr(chromium, "install", lambda: None)
        self.monkeypatch.setattr(test_command, "_to_its_end", self.pytest_by_itself)
        said = io.StringIO()
        with pytest.raises(SystemExit) as ended:
            test_command.Command(stdout=said).run_from_argv(["manage.py", "test", *arguments])
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.getvalue()

    def pytest_by_itself(self, command: list[str], environ: dict[str, str]) -> int:
        """Without the plugins' settings of this project, and its output kept."""
        environ = {name: value for name, value in environ.items() if not name.startswith(("DJANGO_", "PYTEST_"))}
        self.pytest_arguments = command[3:]
        place = ["-c", str(self.folder / "pytest.ini"), "-p", "no:randomly", str(self.folder)]
        done = subprocess.run(
            [*command, *place], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, timeout=120, check=False
        )
        self.output = done.stdout
        return done.returncode


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(test_command, "_cores", lambda: 1)
    return Run(tmp_path, monkeypatch)


def test_every_check_is_a_line_and_pytest_closes(run: Run) -> None:
    code, said = run()
    assert code == 0
    assert [line.split(",")[0] for line in said.splitlines()] == ["first … ok", "second … ok"]
    assert run.log.read_text() == "first second "
    assert run.pytest_arguments[:4] == ["-p", "tests.notices", "-n", "1"]
    assert "before pytest" not in run.output
    assert " passed" in run.output.splitlines()[-1]


def test_a_failing_check_stops_nothing_and_is_said_again_above_the_summary(run: Run) -> None:
    run.steps["first"] = run.step("first", code=1)
    code, said = run()
    assert code == 1
    assert run.log.read_text() == "first second "
    assert said.splitlines()[1] == "first complains"
    assert "second complains" not in said
    assert said.splitlines()[-1] == "FAILED before pytest: first"
    assert "FAILED before pytest: first" in run.output
    assert " passed" in run.output.splitlines()[-1]


def test_a_failing_test_is_the_code_of_pytest(run: Run) -> None:
    run.suite = "def test_it(): assert False"
    assert run()[0] == 1
    run.suite = ""
    assert run()[0] == 5


def test_what_fails_is_said_at_once_by_a_run_in_parallel_too(run: Run) -> None:
    run.suite = "def test_one(): pass\ndef test_wrong(): assert 41 == 42\n"
    assert run()[0] == 1
    at_once, _, summary = run.output.partition("= FAILURES =")
    assert "::test_wrong (call)" in at_once
    assert "assert 41 == 42" in at_once
    assert "assert 41 == 42" in summary
    assert at_once.count("(call)") == 1


def test_arguments_go_to_pytest_alone(run: Run) -> None:
    code, said = run("-k", "it and not that", "-v", "-x")
    assert (code, said) == (0, "")
    assert not run.log.exists()
    assert run.pytest_arguments == ["-p", "tests.notices", "-k", "it and not that", "-v", "-x"]


def test_without_chromium_the_browser_tests_are_left_out_aloud(run: Run) -> None:
    run.browser = None
    code, said = run()
    assert code == 0
    assert "no Chromium that starts" in said
    assert "--ignore=tests/browser" in run.pytest_arguments
    assert "no Chromium that starts" in run.output
    assert " passed" in run.output.splitlines()[-1]


def test_in_ci_a_missing_chromium_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    run.browser = None
    code, said = run()
    assert code == 1
    assert said.splitlines()[-1] == "FAILED before pytest: browser tests"
    assert "FAILED before pytest: browser tests" in run.output


def test_the_folder_that_is_left_out_is_where_the_browser_tests_are() -> None:
    assert (ROOT / test_command.BROWSER_TESTS).is_dir()


class TestChromium:
    @pytest.fixture(autouse=True)
    def machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CHROMIUM", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(chromium, "PLACES", ())
        monkeypatch.setattr(chromium, "_of_playwright", lambda: iter(()))

    def program(self, path: Path, code: int = 0) -> Path:
        path.write_text(f"#!/bin/sh\nexit {code}\n")
        path.chmod(0o755)
        return path

    def test_one_that_does_not_start_is_none(self, tmp_path: Path) -> None:
        self.program(tmp_path / "chromium-browser", code=1)
        assert chromium.find() is None
        real = self.program(tmp_path / "google-chrome")
        assert chromium.find() == real

    def test_the_variable_is_the_only_one_tried(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program(tmp_path / "chromium")
        monkeypatch.setenv("CHROMIUM", str(tmp_path / "mine"))
        assert chromium.find() is None
        assert self.program(tmp_path / "mine") == chromium.find()

    def test_the_one_of_playwright_comes_last(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        downloaded = self.program(tmp_path / "downloaded")
        monkeypatch.setattr(chromium, "_of_playwright", lambda: iter([downloaded]))
        assert chromium.find() == downloaded
        system = self.program(tmp_path / "chromium")
        assert chromium.find() == system

    def test_the_one_without_windows_is_preferred(self, tmp_path: Path) -> None:
        self.program(tmp_path / "chromium")
        without = self.program(tmp_path / "chromium-headless-shell")
        assert chromium.find() == without

    def test_it_is_installed_by_playwright_else_by_the_package_manager(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(chromium, "_from_playwright", lambda: [["/nonexistent/playwright", "install"]])
        monkeypatch.setattr("os.geteuid", lambda: 0)
        assert chromium.install() is None
        made = tmp_path / "chromium"
        made_now = f'printf "#!/bin/sh\\n" > {made}; /bin/chmod +x {made}'
        known = f'case "$*" in *" chromium") {made_now};; update) ;; *) exit 100; esac'  # no package without windows
        (tmp_path / "apt-get").write_text(f"#!/bin/sh\n{known}\n")
        (tmp_path / "apt-get").chmod(0o755)
        assert chromium.install() == made

    def test_who_is_not_root_installs_no_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.geteuid", lambda: 1000)
        assert chromium._from_the_package_manager("chromium") == []

    def test_one_that_hangs_has_failed(self) -> None:
        assert not chromium._succeeds(["/bin/sleep", "60"], seconds=0.1)

    def test_what_hangs_is_ended_with_its_children(self, tmp_path: Path) -> None:
        child = tmp_path / "child"
        hanging = chromium._start(
            ["/bin/sh", "-c", f"/bin/sleep 600 & echo $! > {child}.new; /bin/mv {child}.new {child}; wait"]
        )
        until(child.exists, "the child runs")
        pid = int(child.read_text())
        assert alive(pid)
        chromium._end(hanging)
        until(lambda: not alive(pid), "the child is gone")


def test_temporary_files_lie_in_memory_where_there_is_room_and_are_gone_afterwards(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(test_command, "SHARED_MEMORY", memory)
    monkeypatch.setattr(test_command, "ROOM", 0)
    run.suite = f"def test_it(tmp_path): assert {str(memory)!r} in str(tmp_path)"
    assert run()[0] == 0
    assert list(memory.iterdir()) == []
    monkeypatch.setattr(test_command, "ROOM", 1 << 60)
    assert run()[0] == 1
