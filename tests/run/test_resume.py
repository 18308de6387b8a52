"""A run that ended too early goes on, and what stands at its end is what an undisturbed run would have left."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.errors import UsageError
from ragonotebooks.run import history, runner
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import Run, Status
from tests.run.lessons import check, code, events, run, step, write
from tests.sandbox.conftest import running_sandbox

NAMED = code('name: str = "papers"', "parameters")

CHANGE = """
import os, signal, time
from pathlib import Path
world, died = Path("world"), Path("died-{name}")
made = world.read_text().split() if world.exists() else []
if "{name}" not in made:
    world.write_text(" ".join([*made, "{name}"]))
if not died.exists():
    died.touch()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
"""
CHECK = 'check("{name} is made once", Path("world").read_text().split().count("{name}")); check("count", count, 7)'


def dies_once(name: str, number: int) -> list[Any]:
    return step(number, code(CHANGE.format(name=name), "change"), check(CHECK.format(name=name)))


def command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ragonotebooks", *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a runbook whose run was killed with -9 at every one of its steps, and resumed each time."""
    folder = tmp_path_factory.mktemp("killed")
    first = write(folder / "aws" / "01-first.ipynb", NAMED, dies_once("a", 1), dies_once("b", 2))
    second = write(folder / "aws" / "02-second.ipynb", NAMED, dies_once("c", 1))
    book = folder / "book.yaml"
    book.write_text(f"title: A book\ncloud: aws\npurpose: Why.\nnotebooks: ['{first}', '{second}']\n")
    # which remembers what passed, so that it need not run again
    with running_sandbox() as sandbox:
        asked = ("book.yaml", "-p", "count=7", "--name", sandbox.state.name, "--out", "runs/it")
        ends = [command(folder, "run", *asked)]
        while ends[-1].returncode == -9 and len(ends) < 9:
            ends.append(command(folder, "resume"))
    assert [end.returncode for end in ends] == [-9, -9, -9, 0], ends[-1].stdout + ends[-1].stderr
    return folder


def test_the_end_state_is_that_of_an_undisturbed_run(survivor: Path) -> None:
    assert (survivor / "aws" / "world").read_text().split() == ["a", "b", "c"]
    result = history.read(survivor / "runs" / "it")
    assert {step.status for _, step in result.steps} == {Status.PASSED}
    assert (result.status, result.exit_code, len(result.resumed)) == (Status.PASSED, 0, 3)


def test_what_has_passed_is_not_run_again(survivor: Path) -> None:
    started = [one["notebook"] for one in events(survivor / "runs" / "it") if one["event"] == "notebook_started"]
    assert started == [*["aws/01-first"] * 3, *["aws/02-second"] * 2]


def test_the_evidence_of_every_start_is_kept(survivor: Path) -> None:
    names = sorted(path.name for path in (survivor / "runs" / "it").glob("*.ipynb"))
    assert names == [
        "01-aws-01-first-2.ipynb",
        "01-aws-01-first-3.ipynb",
        "01-aws-01-first.ipynb",
        "02-aws-02-second-2.ipynb",
        "02-aws-02-second.ipynb",
    ]


def test_a_run_that_passed_has_nothing_to_resume(survivor: Path) -> None:
    refused = command(survivor, "resume", "it")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith("passed; there is nothing to resume\n")


@pytest.mark.parametrize(("run", "said"), [([], "there is no run in"), (["x"], "there is no run 'x'")])
def test_what_is_no_run_is_refused(tmp_path: Path, run: list[str], said: str) -> None:
    refused = command(tmp_path, "resume", *run)
    assert (refused.returncode, refused.stdout, said in refused.stderr) == (2, "", True)
    assert len(refused.stderr.splitlines()) == 1


FLAKY = 'check("the door is closed", Path("closed").exists())'


@pytest.fixture(scope="module")
def once_failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Request, Path]:
    """A run that failed in its second notebook, for a reason that is gone since, and how it was asked for."""
    folder = tmp_path_factory.mktemp("failed")
    first = write(folder / "aws" / "01-first.ipynb", step(1, check()))
    second = write(folder / "aws" / "02-second.ipynb", code("from pathlib import Path"), step(1, check(FLAKY)))
    result, out = run(first, second)
    assert result.status is Status.FAILED
    (folder / "aws" / "closed").touch()
    book = Runbook("book", "A book", "aws", "Why.", (notebook.read(first), notebook.read(second)))
    return Request(book, "run", {}, "testing", "book"), out


@pytest.fixture
def failed(once_failed: tuple[Request, Path], tmp_path: Path) -> tuple[Request, Path]:
    """The same, for one test to go on with."""
    request, folder = once_failed
    return request, Path(shutil.copytree(folder, tmp_path / "out"))


def resumed(failed: tuple[Request, Path], stands: bool) -> tuple[Run, list[str]]:
    request, folder = failed
    before = len(events(folder))
    result = runner.resume(request, folder, lambda notebook, values: stands)
    return result, [one["notebook"] for one in events(folder)[before:] if one["event"] == "notebook_started"]


def test_a_failed_run_goes_on_at_the_notebook_that_failed(failed: tuple[Request, Path]) -> None:
    result, started = resumed(failed, stands=True)
    assert (result.status, started) == (Status.PASSED, ["aws/02-second"])
    assert history.read(failed[1]) == result


def test_what_passed_in_a_sandbox_that_is_gone_is_run_again(failed: tuple[Request, Path]) -> None:
    result, started = resumed(failed, stands=False)
    assert (result.status, started) == (Status.PASSED, ["aws/01-first", "aws/02-second"])


def test_a_torn_line_at_the_end_of_the_log_is_no_obstacle(failed: tuple[Request, Path]) -> None:
    with (failed[1] / "events.jsonl").open("a") as log:
        log.write('{"time": "2026-')
    assert history.read(failed[1]).status is Status.FAILED
    runner.resume(*failed, lambda notebook, values: True)
    assert [one["event"] for one in events(failed[1])].count("run_resumed") == 1


def test_a_run_that_goes_on_is_not_resumed(failed: tuple[Request, Path]) -> None:
    with runner.EventLog(failed[1] / "events.jsonl") as _, pytest.raises(UsageError, match="goes on; wait until"):
        resumed(failed, stands=True)


def test_other_notebooks_by_now_are_refused(failed: tuple[Request, Path]) -> None:
    request, folder = failed
    fewer = Runbook("book", "A book", "aws", "Why.", request.runbook.notebooks[:1])
    with pytest.raises(UsageError, match="other notebooks than when"):
        runner.resume(Request(fewer, "run", {}, "testing", "book"), folder, lambda notebook, values: True)


def test_a_verification_is_done_again_instead(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-first.ipynb", step(1, check("1 / 0")))
    _, folder = run(path, mode="verify")
    book = Runbook("book", "A book", "aws", "Why.", (notebook.read(path),))
    with pytest.raises(UsageError, match="only verified; do it again: ragonotebooks verify book"):
        runner.resume(Request(book, "verify", {}, "testing", "book"), folder, lambda notebook, values: True)


def test_a_run_whose_process_was_killed_says_so_when_it_is_read(failed: tuple[Request, Path]) -> None:
    log = failed[1] / "events.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    under_way = max(place for place, line in enumerate(lines) if '"step_started"' in line)
    log.write_text("".join(lines[: under_way + 1]))
    result = history.read(failed[1])
    assert (result.status, result.exit_code) == (Status.INTERRUPTED, 130)
    assert [one.status for one in result.notebooks] == [Status.PASSED, Status.INTERRUPTED]
    assert [failure.error for failure in result.notebooks[1].steps[1].failures] == ["Killed"]
