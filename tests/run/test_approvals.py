"""A run waits before a step that a person has to approve, and nothing but an approval leads past it."""

import getpass
import json
import shutil
import socket
from pathlib import Path
from typing import Any

import nbformat
import pytest
from typer.testing import CliRunner

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError
from ragonotebooks.run import history, runner
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import Mode, Run, Status
from tests.run.lessons import check, code, events, kernels, run, step, text, write

DELETES = 'from pathlib import Path; Path("rows").unlink(missing_ok=True)'
HELD = 'from pathlib import Path; check("the door is open", not Path("shut").exists())'


def asks(number: int, why: str, *cells: Any) -> list[Any]:
    return step(number, *cells, title="The rows go", approval=why)


def world(folder: Path) -> tuple[Path, Path]:
    """Two notebooks, each with a step that has to be approved, and rows that the first of these deletes."""
    (folder / "aws").mkdir(parents=True)
    (folder / "aws" / "rows").touch()
    deletes = asks(2, "the rows are gone for good", code(DELETES, "change"), check())
    first = write(folder / "aws" / "01-first.ipynb", step(1, check()), deletes, step(3, check(HELD)))
    second = write(folder / "aws" / "02-second.ipynb", asks(1, "look again", code("1", "change"), check()))
    return first, second


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """The folder of a run that waits, and what it has told."""
    folder = tmp_path_factory.mktemp("paused")
    result, _ = run(*world(folder))
    return folder, result


@pytest.fixture
def waiting(paused: tuple[Path, Run], tmp_path: Path) -> Path:
    """The same, for one test to go on with."""
    return Path(shutil.copytree(paused[0] / "aws", tmp_path / "aws"))


def book(folder: Path) -> Request:
    notebooks = tuple(notebook.read(path) for path in sorted(folder.glob("0*.ipynb")))
    return Request(Runbook("book", "A book", "aws", "Why.", notebooks), "run", {}, "testing", "book")


def go_on(folder: Path, approver: str = "") -> Run:
    return runner.resume(book(folder), folder / "out", lambda notebook, values: True, approver)


def statuses(result: Run) -> str:
    """Of the numbered steps, by their first letters."""
    return "".join(step.status[0] for _, step in result.steps if step.number is not None)


def test_a_run_ends_before_the_step_and_says_why(paused: tuple[Path, Run]) -> None:
    folder, result = paused
    assert (result.status, result.exit_code, statuses(result)) == (Status.WAITING, 3, "pwbb")
    assert result.waiting
    assert result.waiting[1].waits_for == "the rows are gone for good"
    assert {step.blocked_by for _, step in result.steps if step.blocked_by} == {"aws/01-first · 2 · The rows go"}
    assert (folder / "aws" / "rows").exists()
    assert kernels() == []
    assert history.read(folder / "aws" / "out") == result


def test_nothing_of_the_step_is_executed(paused: tuple[Path, Run]) -> None:
    saved = nbformat.read(paused[0] / "aws" / "out" / "01-aws-01-first.ipynb", as_version=4)
    executed = [cell.source for cell in saved.cells if cell.cell_type == "code" and cell.execution_count]
    assert executed
    assert DELETES not in executed


def test_a_resume_waits_again(waiting: Path) -> None:
    assert (go_on(waiting).status, (waiting / "rows").exists()) == (Status.WAITING, True)


def test_an_approval_leads_to_the_next_step_that_asks(waiting: Path) -> None:
    result = go_on(waiting, "ann")
    assert (result.status, statuses(result), (waiting / "rows").exists()) == (Status.WAITING, "pppw", False)
    result = go_on(waiting, "bob")
    assert (result.status, statuses(result), result.exit_code) == (Status.PASSED, "pppp", 0)
    told = [(one.notebook, one.step, one.by) for one in result.approvals]
    assert told == [("aws/01-first", "2 · The rows go", "ann"), ("aws/02-second", "1 · The rows go", "bob")]
    logged = [one["time"] for one in events(waiting / "out") if one["event"] == "approved"]
    assert [one.time.isoformat(timespec="microseconds") for one in result.approvals] == logged
    assert history.read(waiting / "out") == result
    with pytest.raises(UsageError, match="passed; there is nothing to resume"):
        go_on(waiting, "ann")


def test_an_approval_holds_when_the_run_is_resumed_behind_a_failure(waiting: Path) -> None:
    (waiting / "shut").touch()
    assert statuses(go_on(waiting, "ann")) == "ppfb"
    with pytest.raises(UsageError, match="failed, it waits for nobody; go on with: ragonotebooks resume"):
        go_on(waiting, "ann")
    (waiting / "shut").unlink()
    assert statuses(go_on(waiting)) == "pppw"


def test_a_run_that_was_killed_while_it_turned_to_wait_is_resumed_and_waits(waiting: Path) -> None:
    log = waiting / "out" / "events.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    waits = next(place for place, line in enumerate(lines) if '"waits_for"' in line)
    log.write_text("".join(lines[: waits + 1]))
    assert history.read(waiting / "out").status is Status.INTERRUPTED
    with pytest.raises(UsageError, match="interrupted, it waits for nobody"):
        go_on(waiting, "ann")
    assert go_on(waiting).status is Status.WAITING


@pytest.mark.parametrize("mode", ["verify", "rehearse"])
def test_what_touches_no_deployment_asks_nobody(mode: Mode, tmp_path: Path) -> None:
    cells = step(1, check()), asks(2, "look", code("1", "change"), check())
    result, _ = run(write(tmp_path / "aws" / "01-one.ipynb", *cells), mode=mode)
    assert (result.status, result.approvals) == (Status.PASSED, [])


def test_an_approval_of_what_changes_nothing_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-one.ipynb", asks(1, "look", check()))
    with pytest.raises(UsageError, match="'1 · The rows go' asks for an approval but changes nothing"):
        run(path)
    path = write(tmp_path / "aws" / "01-one.ipynb", step(1, check()), text("## Notes\n\n**Approval:** look"))
    with pytest.raises(UsageError, match="'Notes' asks for an approval but changes nothing"):
        run(path)


def test_a_person_approves_at_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = asks(1, "the rows are gone for good", code(DELETES, "change"), check())
    path = str(write(tmp_path / "aws" / "01-one.ipynb", *cells))
    waits = CliRunner().invoke(app, ["run", path, "--out", "runs/it"])
    assert waits.exit_code == 3
    assert "‖ aws/01-one · 1 · The rows go\n  waits for an approval: the rows are gone for good\n" in waits.output
    assert "  approve ragonotebooks approve runs/it\n" in waits.output
    assert json.loads(CliRunner().invoke(app, ["runs", "--json"]).output)[0]["status"] == "waiting"
    done = CliRunner().invoke(app, ["approve", "it"])
    who = f"{getpass.getuser()} on {socket.gethostname()}"
    assert done.exit_code == 0, done.output
    assert f"{who} approves aws/01-one · 1 · The rows go\n" in done.output
    assert history.read(Path("runs/it")).approvals[0].by == who
