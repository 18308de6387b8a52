"""What a run says about the lines of a checklist, and the page that says it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ragonotebooks.catalog.checklist import Line, Proof
from ragonotebooks.run import checklist_page
from ragonotebooks.run.checklist import judge, worst
from ragonotebooks.run.results import Check, Failure, NotebookRun, Run, Status, Step
from tests.run.test_report import Loads

HOLDS = Check("it is closed", True, "1", "1")
OPEN = Check("the <door> is closed", False, "'open'", "'closed'")
LOST = Failure("ClientError", "no such door\nat all")


def step(*checks: Check, status: Status = Status.PASSED, failures: list[Failure] | None = None) -> Step:
    return Step(1, "A door", (), status, list(checks), failures or [])


def run_of(one: Step, status: Status = Status.PASSED, failure: Failure | None = None) -> Run:
    notebook = NotebookRun("aws/01-door", "A door", [one], {"name": "mine", "region": "us-east-1"}, status)
    notebook.failure, notebook.executed = failure, Path("/out/01.ipynb")
    return Run("doors", "Doors", "verify", "sandbox x", datetime(2026, 11, 24, tzinfo=UTC), [notebook], status)


def line(*whats: int | str) -> list[Line]:
    proofs = [
        Proof("aws/01-door", what) if isinstance(what, int) else Proof("aws/01-door", None, what) for what in whats
    ]
    return [Line("Doors are closed", tuple(proofs))]


@pytest.mark.parametrize(
    ("one", "what", "verdict"),
    [
        pytest.param(step(HOLDS), 1, "pass", id="every check holds"),
        pytest.param(step(HOLDS, OPEN, status=Status.FAILED), 1, "fail", id="one does not"),
        pytest.param(step(HOLDS, status=Status.FAILED, failures=[LOST]), 1, "blocked", id="a cell fails"),
        pytest.param(step(OPEN, status=Status.FAILED, failures=[LOST]), 1, "fail", id="a check and a cell fail"),
        pytest.param(step(status=Status.BLOCKED), 1, "blocked", id="not executed"),
        pytest.param(step(status=Status.SKIPPED), 1, "blocked", id="nothing to execute in this mode"),
        pytest.param(step(HOLDS, status=Status.INTERRUPTED), 1, "blocked", id="interrupted"),
        pytest.param(step(), 1, "blocked", id="passed without a check"),
        pytest.param(step(HOLDS, OPEN, status=Status.FAILED), HOLDS.claim, "pass", id="the claim that is named holds"),
        pytest.param(
            step(HOLDS, OPEN, status=Status.FAILED), OPEN.claim, "fail", id="the claim that is named does not"
        ),
        pytest.param(step(HOLDS), OPEN.claim, "blocked", id="the claim was not made"),
    ],
)
def test_verdict_of_a_line(one: Step, what: int | str, verdict: str) -> None:
    (judged,) = judge(run_of(one), line(what))
    assert judged.verdict == verdict
    assert bool([reason for evidence in judged.evidence for reason in evidence.reasons]) == (verdict != "pass")


def test_a_dead_kernel_is_why_a_check_was_not_made() -> None:
    dead = Failure("DeadKernel", "the kernel died")
    (judged,) = judge(run_of(step(status=Status.BLOCKED), Status.FAILED, dead), line(1))
    assert judged.evidence[0].reasons == ["DeadKernel: the kernel died"]


def test_worst_line_is_the_verdict_on_the_whole() -> None:
    good, bad = judge(run_of(step(HOLDS)), line(1)), judge(run_of(step(OPEN, status=Status.FAILED)), line(1))
    lost = judge(run_of(step()), line(1))
    assert [worst(one) for one in ([], good, good + lost, lost + bad + good)] == ["pass", "pass", "blocked", "fail"]


def test_page_shows_evidence_and_needs_no_other_file(tmp_path: Path) -> None:
    run = run_of(step(HOLDS, OPEN, status=Status.FAILED, failures=[LOST]), Status.FAILED)
    path = checklist_page.write(run, judge(run, line(1)), tmp_path)
    page = path.read_text(encoding="utf-8")
    loads = Loads(page)
    assert (loads.loaded, loads.open) == ([], [])
    assert set(loads.links) == {"01.ipynb", "report.html", "events.jsonl"}
    for said in ("0 of 1 lines pass", "mine · us-east-1", "the &lt;door&gt; is closed", "no such door", "@media print"):
        assert said in page
    assert "<door>" not in page
