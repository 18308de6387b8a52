"""Cases judged by what their runs did."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from ragonotebooks.run.results import Failure, NotebookRun, Run, Status, Step
from ragonotebooks.trial.cases import Case, Refuse
from ragonotebooks.trial.judging import Outcome, problems
from ragonotebooks.trial.shown import shown

KEY = "aws/01-door"
CLOSED = Failure("AccessDenied", "not  you\nthis time")


def run(first: Status = Status.PASSED, second: Status = Status.PASSED, *failures: Failure) -> Run:
    """A run of two steps; it passed when both did."""
    steps = [Step(1, "A door", (), first, failures=list(failures)), Step(2, "A lock", (), second)]
    status = Status.PASSED if first is second is Status.PASSED else Status.FAILED
    notebook = NotebookRun(KEY, "Doors", steps, {}, status)
    return Run("doors", "Doors", "run", "sandbox s", datetime(2026, 11, 25, tzinfo=UTC), [notebook], status)


def case(**expected: Any) -> Case:
    plain: Mapping[str, Any] = {"parameters": {}, "faults": (), "steps": {}, "calls": None, "says": (), "after": ()}
    return Case(**{"name": "a door", "mode": "run", "status": "passed", "cleanup": False, **plain, **expected})


def judged(expected: Case, found: Run | None, shown: str = "", **more: Any) -> list[str]:
    return list(problems(expected, Outcome(found, shown, **more)))


def test_a_case_holds_when_the_run_ends_as_expected() -> None:
    assert judged(case(), run()) == []
    assert judged(case(status="refused"), None, "count is many but must be a number") == []


def test_another_end_is_told_with_its_reason() -> None:
    failed = run(Status.FAILED, Status.BLOCKED, CLOSED)
    assert judged(case(), failed) == [
        "it ended as 'failed' where 'passed' is expected: AccessDenied: not you this time"
    ]
    assert judged(case(status="failed"), run()) == [
        "it ended as 'passed' where 'failed' is expected: nothing failed in it"
    ]
    assert judged(case(), None, "no such door") == ["it ended as 'refused' where 'passed' is expected: no such door"]


def test_each_step_is_judged_by_itself() -> None:
    expected = case(status="failed", steps={(KEY, 1): "failed", (KEY, 2): "passed"})
    found = judged(expected, run(Status.FAILED, Status.BLOCKED, CLOSED))
    assert found == [f"step {KEY} · 2 is 'blocked' where 'passed' is expected"]


@pytest.mark.parametrize(
    ("expected", "made", "problem"),
    [
        (None, {"s3:PutObject"}, []),
        ((), set(), []),
        ((), {"s3:PutObject"}, ["s3:PutObject is called, which is not expected"]),
        (("s3:PutObject",), {"s3:PutObject"}, []),
        (("s3:PutObject",), set(), ["no call s3:PutObject is made"]),
        (("ec2:*",), {"ec2:CreateVpc", "ec2:CreateTags"}, []),
        (("ec2:*",), {"ec2:CreateVpc", "iam:CreateRole"}, ["iam:CreateRole is called, which is not expected"]),
    ],
)
def test_calls_are_those_that_are_expected_and_no_other(
    expected: tuple[str, ...] | None, made: set[str], problem: list[str]
) -> None:
    assert judged(case(calls=expected), run(), changes=made) == problem


def test_a_sentence_is_found_however_it_is_folded() -> None:
    assert judged(case(says=("no request failed",)), run(), "no request\n  failed") == []
    assert judged(case(says=("no request failed",)), run(), "a request failed") == ["nothing says 'no request failed'"]


def test_a_refusal_that_nobody_met_proves_nothing() -> None:
    expected = case(faults=(Refuse("s3:PutObject", "AccessDenied", None),))
    assert judged(expected, run()) == ["nobody called s3:PutObject, which was to be refused"]
    assert judged(expected, run(), injected={"s3:PutObject"}) == []


def test_what_clean_up_leaves_is_named() -> None:
    assert judged(case(cleanup=True), run(), left=["s3 bucket b: left"]) == ["clean-up leaves s3 bucket b: left"]


def test_a_reader_sees_failures_texts_and_tables(tmp_path: Path) -> None:
    outputs = [
        v4.new_output("stream", text="sandbox · account 1"),
        v4.new_output("display_data", data={"text/plain": "…", "text/html": "<td>a &amp; b</td><td>c</td>"}),
    ]
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1", outputs=outputs)]), tmp_path / "door.ipynb")
    found = run(Status.FAILED, Status.BLOCKED, CLOSED)
    found.notebooks[0].executed = tmp_path / "door.ipynb"
    words = shown(found).split()
    assert {"AccessDenied:", "account", "&", "c"} <= set(words)
    assert "<td>" not in shown(found)
