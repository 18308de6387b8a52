"""Runs in which something goes wrong: the status is true, and the saved notebook shows why."""

from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.engines import papermill_engines
from papermill.exceptions import PapermillExecutionError

from ragonotebooks.errors import UsageError
from ragonotebooks.run import engine, papermill_engine
from ragonotebooks.run.results import Check, Run, Status
from tests.run.lessons import DRIFTED, HOLDS, check, code, errors, events, failures, kernels, run, run_one, step, write


def statuses(result: Run) -> list[Status]:
    return [step.status for _, step in result.steps if step.number]


@pytest.fixture
def blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Path]:
    """A run of two notebooks that fails in the second step of the first."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = write(tmp_path / "aws" / "01-first.ipynb", step(1, check()), step(2, check(DRIFTED)), step(3, check()))
    return run(first, write(tmp_path / "aws" / "02-second.ipynb", step(1, check())))


def test_what_stands_behind_a_failed_check_is_blocked_by_its_step(blocked: tuple[Run, Path], tmp_path: Path) -> None:
    result, folder = blocked
    assert statuses(result) == [Status.PASSED, Status.FAILED, Status.BLOCKED, Status.BLOCKED]
    assert {step.blocked_by for _, step in result.steps if step.status is Status.BLOCKED} == {
        "aws/01-first · 2 · A step"
    }
    assert [one.status for one in result.notebooks] == [Status.FAILED, Status.BLOCKED]
    assert (result.exit_code, sorted(path.suffix for path in folder.iterdir())) == (1, [".ipynb", ".json", ".jsonl"])
    told = [one["blocked_by"] for one in events(folder) if one["event"] == "step_finished" and one["blocked_by"]]
    assert set(told) == {"aws/01-first · 2 · A step"}
    # The second notebook's kernel was started ahead of need: it is gone, and so is every folder of a kernel.
    assert kernels() == []
    assert list(tmp_path.glob("kernel-*")) == []


def test_a_failed_check_is_kept_with_what_is_and_what_should_be(tmp_path: Path) -> None:
    result, (cell,) = run_one(tmp_path, step(1, check(DRIFTED)))
    (failure,) = result.notebooks[0].steps[1].failures
    assert failure.check == Check("the door is closed", False, actual="'open'", expected="'closed'")
    assert errors(cell) == ["CheckFailed"]


def test_a_check_cell_that_records_no_check_fails_its_step(tmp_path: Path) -> None:
    result, _ = run_one(tmp_path, step(1, check("assert True")))
    assert (failures(result), statuses(result), result.exit_code) == (["NoCheck"], [Status.FAILED], 1)


def test_a_failed_check_counts_even_when_its_exception_is_swallowed(tmp_path: Path) -> None:
    swallowed = f"try:\n    {DRIFTED}\nexcept AssertionError:\n    pass"
    result, _ = run_one(tmp_path, step(1, check(swallowed)))
    assert (failures(result), result.exit_code) == (["CheckFailed"], 1)


@pytest.mark.parametrize(
    ("source", "said"),
    [("import os; os._exit(7)", "exit code 7"), ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL")],
)
def test_a_kernel_that_dies_fails_the_run(tmp_path: Path, source: str, said: str) -> None:
    result, cells = run_one(tmp_path, step(1, check(), code(source)), step(2, check()))
    assert statuses(result) == [Status.FAILED, Status.BLOCKED]
    assert said in result.notebooks[0].steps[1].failures[0].message
    assert [errors(cell) for cell in cells] == [[], ["DeadKernel"], []]
    assert cells[1].metadata.papermill.status == "failed"


@pytest.mark.parametrize("source", ["import sys; sys.exit(0)", "exit()"])
def test_leaving_the_notebook_is_no_way_to_pass(tmp_path: Path, source: str) -> None:
    result, cells = run_one(tmp_path, step(1, check(), code(source)), step(2, check()))
    assert statuses(result) == [Status.FAILED, Status.BLOCKED]
    assert failures(result) == ["Exit"]
    assert "Exit" in errors(cells[1])


def test_a_cell_over_its_time_limit_fails_and_shows_where_it_was(tmp_path: Path) -> None:
    result, (cell, _) = run_one(tmp_path, step(1, check("import time; time.sleep(60)"), check(), limits="2 seconds"))
    assert (failures(result), statuses(result)) == (["TimeLimit"], [Status.FAILED])
    assert errors(cell) == ["KeyboardInterrupt", "TimeLimit"]


def test_a_cell_that_ignores_the_interrupt_loses_its_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_IGNORED_INTERRUPT", 1)
    stubborn = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    result, (cell, _) = run_one(tmp_path, step(1, check(stubborn), check(), limits="2 seconds"), mode="verify")
    assert (failures(result), errors(cell)) == (["TimeLimit"], ["TimeLimit"])
    assert kernels() == []


def test_a_kernel_that_is_not_installed_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-one.ipynb", kernel="julia-99")
    with pytest.raises(UsageError, match="kernel 'julia-99', which is not installed"):
        run(path)
    assert not (tmp_path / "aws" / "out").exists()


def test_clients_of_google_that_are_not_installed_are_named_with_their_installation(tmp_path: Path) -> None:
    path = write(tmp_path / "nb.ipynb", step(1, code("from google.nowhere import nothing"), check()))
    with pytest.raises(
        UsageError, match=r"imports google\.nowhere, which is not installed; .+ pip install -e '\.\[gcp\]'"
    ):
        run(path)
    assert not (tmp_path / "out").exists()


def test_papermill_alone_gets_the_same_truth_from_the_engine(tmp_path: Path) -> None:
    source = write(tmp_path / "aws" / "01-one.ipynb", step(1, check(HOLDS), code("import os; os._exit(0)")))
    papermill_engines.register("by-entry-point", papermill_engine)
    with pytest.raises(PapermillExecutionError, match="DeadKernel"):
        papermill.execute_notebook(source, tmp_path / "out.ipynb", engine_name="by-entry-point", progress_bar=False)
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert errors(saved.cells[-1]) == ["DeadKernel"]
