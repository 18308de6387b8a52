"""Steps that are tried again: as often as they declare, each attempt told, only what is safe to repeat."""

from pathlib import Path
from typing import Any

import pytest

from ragonotebooks.errors import UsageError
from ragonotebooks.run import engine, report
from ragonotebooks.run.results import Status
from tests.run.lessons import check, code, events, failures, run, run_one, step, write

LOOK = code('tries = globals().get("tries", 0) + 1', "look")


def opens_at(attempt: int) -> Any:
    return check(f'check("the door is open", tries >= {attempt})')


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_FIRST_WAIT", 0.0)


def test_a_step_passes_with_the_attempt_that_does(tmp_path: Path) -> None:
    result, _ = run_one(tmp_path, step(1, LOOK, opens_at(3), limits="3 attempts"), step(2, check()))
    tried = result.notebooks[0].steps[1]
    assert [step.status for _, step in result.steps] == [Status.PASSED] * 3
    assert [one.failures[0].error for one in tried.earlier] == ["CheckFailed", "CheckFailed"]
    assert [one.passed for one in tried.checks] == [True]
    told = [one for one in events(tmp_path / "aws" / "out") if one["event"] == "attempt_failed"]
    assert [(one["step"], one["attempt"], one["attempts"]) for one in told] == [(1, 1, 3), (1, 2, 3)]
    assert "Attempt 1 failed: the door is open: it is False, it should be True" in report.render(result)


def test_waits_double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_FIRST_WAIT", 0.001)
    run_one(tmp_path, step(1, LOOK, opens_at(4), limits="4 attempts"))
    told = [one["wait"] for one in events(tmp_path / "aws" / "out") if one["event"] == "attempt_failed"]
    assert told == [0.001, 0.002, 0.004]


def test_a_step_that_fails_every_time_has_failed(tmp_path: Path) -> None:
    result, _ = run_one(tmp_path, step(1, LOOK, opens_at(9), limits="2 attempts"), step(2, check()))
    assert [step.status for _, step in result.steps if step.number] == [Status.FAILED, Status.BLOCKED]
    assert (failures(result), len(result.notebooks[0].steps[1].earlier)) == (["CheckFailed"], 1)


def test_without_a_line_a_step_is_tried_once(tmp_path: Path) -> None:
    result, _ = run_one(tmp_path, step(1, LOOK, opens_at(2)))
    assert (result.status, result.notebooks[0].steps[1].earlier) == (Status.FAILED, [])


def test_a_dead_kernel_is_not_tried_again(tmp_path: Path) -> None:
    result, _ = run_one(tmp_path, step(1, check("import os; os._exit(1)"), limits="3 attempts"))
    assert (failures(result), result.notebooks[0].steps[1].earlier) == (["DeadKernel"], [])


def test_verify_tries_again_too_and_then_goes_on(tmp_path: Path) -> None:
    result, _ = run_one(tmp_path, step(1, LOOK, opens_at(9), limits="2 attempts"), step(2, check()), mode="verify")
    assert [step.status for _, step in result.steps if step.number] == [Status.FAILED, Status.PASSED]
    assert len(result.notebooks[0].steps[1].earlier) == 1


def test_what_is_not_safe_to_repeat_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-one.ipynb", step(1, code("1", "change"), check(), limits="2 attempts"))
    with pytest.raises(UsageError, match="changes something before it looks"):
        run(path)
    assert not (tmp_path / "aws" / "out").exists()
