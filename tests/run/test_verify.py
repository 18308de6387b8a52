"""Verify: nothing that changes is executed, and every drift is found."""

from pathlib import Path

from ragonotebooks.run.results import Status
from tests.run.lessons import DRIFTED, check, code, failures, run, run_one, step, write


def test_change_cells_are_skipped(tmp_path: Path) -> None:
    result, cells = run_one(tmp_path, step(1, code("raise RuntimeError", "change"), check()), mode="verify")
    assert result.status is Status.PASSED
    assert (cells[0].execution_count, cells[0].metadata.papermill.status) == (None, "skipped")


def test_every_drift_is_named_in_every_notebook(tmp_path: Path) -> None:
    broken = step(1, code("undefined", "look"), check(DRIFTED)), step(2, check("1 / 0")), step(3, check())
    first = write(tmp_path / "aws" / "01-first.ipynb", *broken)
    second = write(tmp_path / "aws" / "02-second.ipynb", step(1, check(DRIFTED)))
    result, _ = run(first, second, mode="verify")
    assert failures(result) == ["NameError", "CheckFailed", "ZeroDivisionError", "CheckFailed"]
    assert [step.status for _, step in result.steps if step.number] == ["failed", "failed", "passed", "failed"]
    assert result.exit_code == 1


def test_a_step_that_only_changes_is_skipped(tmp_path: Path) -> None:
    result, _ = run_one(tmp_path, step(1, code("1", "change")), step(2, check()), mode="verify")
    assert [step.status for _, step in result.steps if step.number] == [Status.SKIPPED, Status.PASSED]


def test_without_its_preparation_a_notebook_is_blocked_not_drowned_in_errors(tmp_path: Path) -> None:
    result, _ = run_one(
        tmp_path, code("import nothing_of_that_name"), step(1, check()), step(2, check()), mode="verify"
    )
    assert failures(result) == ["ModuleNotFoundError"]
    assert [step.status for _, step in result.steps if step.number] == [Status.BLOCKED, Status.BLOCKED]


def test_a_dead_kernel_ends_its_notebook_but_not_the_verification(tmp_path: Path) -> None:
    first = write(tmp_path / "aws" / "01-first.ipynb", step(1, check("import os; os._exit(1)")), step(2, check()))
    second = write(tmp_path / "aws" / "02-second.ipynb", step(1, check()))
    result, _ = run(first, second, mode="verify")
    assert [step.status for _, step in result.steps if step.number] == ["failed", "blocked", "passed"]
