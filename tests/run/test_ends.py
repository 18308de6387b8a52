"""The other ends of a run: between two cells, on a full disk, in the middle of a write. Each is told truly, and can be resumed."""

import io
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.run import engine, history, runner, summary
from ragonotebooks.run.events import Event, Listener
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import Run, Status
from tests.run.lessons import check, events, failures, kernels, run, step, write
from tests.run.test_report import a_run


def statuses(result: Run) -> list[Status]:
    return [step.status for _, step in result.steps if step.number]


def at(name: str, number: int | None, do: Callable[[], object]) -> Listener:
    """A listener that does something at the first event of this name, of this step."""
    waiting = [do]

    def listener(event: Event) -> None:
        if waiting and event.name == name and event.data.get("step") == number:
            waiting.pop()()

    return listener


def test_a_signal_between_two_cells_interrupts_the_step_that_would_come(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-one.ipynb", step(1, check()), step(2, check()), step(3, check()))
    stop = at("step_finished", 1, partial(signal.raise_signal, signal.SIGTERM))
    result, _ = run(path, listeners=[stop])
    assert statuses(result) == [Status.PASSED, Status.INTERRUPTED, Status.BLOCKED]
    assert result.notebooks[0].steps[2].failures[0].message == "stopped by SIGTERM"
    assert (result.status, result.exit_code) == (Status.INTERRUPTED, 130)


def test_a_signal_between_two_notebooks_blocks_the_second(tmp_path: Path) -> None:
    first = write(tmp_path / "aws" / "01-first.ipynb", step(1, check()))
    second = write(tmp_path / "aws" / "02-second.ipynb", step(1, check()))
    stop = at("notebook_finished", None, partial(signal.raise_signal, signal.SIGTERM))
    result, _ = run(first, second, listeners=[stop])
    assert statuses(result) == [Status.PASSED, Status.BLOCKED]
    assert {step.blocked_by for _, step in result.steps if step.status is Status.BLOCKED} == {"the interruption"}
    assert (result.status, result.exit_code) == (Status.INTERRUPTED, 130)


@pytest.fixture
def room() -> Iterator[Callable[[Path], None]]:
    """Sees to it that no file of this process may grow beyond another one, as on a full disk; until the test's end."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda file: resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("share", [0, 1_000_000], ids=["a save fails first", "an event fails first"])
def test_a_disk_that_fills_up_fails_the_step_and_the_run_can_be_resumed(
    share: int, tmp_path: Path, room: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SAVE_SHARE", share)
    path = write(tmp_path / "aws" / "01-one.ipynb", step(1, check()), step(2, check()), step(3, check()))
    full = at("step_started", 2, lambda: room(tmp_path / "aws" / "out" / "events.jsonl"))
    result, folder = run(path, listeners=[full])
    assert (statuses(result), failures(result)) == ([Status.PASSED, Status.FAILED, Status.BLOCKED], ["OSError"])
    assert "File too large" in result.notebooks[0].steps[2].failures[0].message
    assert (result.exit_code, kernels()) == (1, [])

    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    book = Runbook("book", "A book", "aws", "Why.", (notebook.read(path),))
    again = runner.resume(Request(book, "run", {}, "testing", "book"), folder, lambda notebook, values: True)
    assert again.status is Status.PASSED
    assert history.read(folder) == again


def test_a_run_folder_that_takes_nothing_ends_the_run_with_one_sentence(tmp_path: Path) -> None:
    write(tmp_path / "aws" / "01-one.ipynb", step(1, check()))
    command = [sys.executable, "-m", "ragonotebooks", "run", "aws/01-one.ipynb", "--out", "out"]
    nothing = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (9, 9))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=nothing, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "evidence cannot be kept" in done.stderr
    assert "run.json: File too large; make room" in done.stderr


def test_how_a_run_went_is_told_even_when_its_report_cannot_be_written() -> None:
    console = Console(file=io.StringIO(), width=100)
    said = r"report /full/report.html cannot be written \(No space left on device\); .*: ragonotebooks report /full"
    with pytest.raises(RagonotebooksError, match=said), summary.shown(a_run(), Path("/full/report.html"), console):
        raise OSError(28, "No space left on device")
    assert isinstance(console.file, io.StringIO)
    assert "✗ failed · 1 of 3 steps passed" in console.file.getvalue()
    assert console.file.getvalue().endswith("  resume  ragonotebooks resume /full\n")


def test_the_log_is_whole_up_to_the_end_of_a_killed_run(tmp_path: Path) -> None:
    write(tmp_path / "aws" / "01-one.ipynb", step(1, check("import os; os.kill(os.getppid(), 9)"), check()))
    command = [sys.executable, "-m", "ragonotebooks", "run", "aws/01-one.ipynb", "--out", "out"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert [one["event"] for one in events(tmp_path / "out")][-1] == "step_started"
    result = history.read(tmp_path / "out")
    assert (result.status, failures(result), result.exit_code) == (Status.INTERRUPTED, ["Killed"], 130)
