"""What a run says about the lines of a checklist: pass, fail or blocked, each with its evidence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ragonotebooks.catalog.checklist import Line, Proof
from ragonotebooks.run.results import Check, NotebookRun, Run, Status, Step

Verdict = Literal["pass", "fail", "blocked"]

SIGNS: dict[Verdict, str] = {"pass": "✓", "fail": "✗", "blocked": "■"}
STATUS: dict[Verdict, Status] = {"pass": Status.PASSED, "fail": Status.FAILED, "blocked": Status.BLOCKED}
"""The status that a verdict looks like in reports."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One proof of a line and what became of it.

    place: notebook and step, as a reader looks them up.
    notebook: the notebook's part of the run.
    checks: what was checked.
    obstacle: what kept a check from being made; empty when nothing did.
    """

    place: str
    notebook: NotebookRun
    checks: tuple[Check, ...]
    obstacle: str

    @property
    def reasons(self) -> list[str]:
        """Why it does not prove its line, a sentence each; none when it does."""
        failing = [
            f"{check.claim}: it is {check.actual}, it should be {check.expected}"
            for check in self.checks
            if not check.passed
        ]
        return [*failing, *self.obstacle.strip().splitlines()[:1]]


@dataclass(frozen=True, slots=True)
class Judged:
    """A line with its evidence."""

    title: str
    evidence: tuple[Evidence, ...]

    @property
    def verdict(self) -> Verdict:
        """`fail` when a check does not hold, `blocked` when none fails but one could not be made, else `pass`."""
        if any(not check.passed for one in self.evidence for check in one.checks):
            return "fail"
        return "blocked" if any(one.obstacle for one in self.evidence) else "pass"


def judge(run: Run, lines: Iterable[Line]) -> list[Judged]:
    """Every line with its evidence out of the run."""
    notebooks = {one.key: one for one in run.notebooks}
    return [
        Judged(line.title, tuple(_evidence(notebooks[proof.notebook], proof) for proof in line.proofs))
        for line in lines
    ]


def worst(judged: Iterable[Judged]) -> Verdict:
    """The verdict on the whole checklist: the worst of its lines."""
    return max((one.verdict for one in judged), key=("pass", "blocked", "fail").index, default="pass")


def _evidence(notebook: NotebookRun, proof: Proof) -> Evidence:
    if proof.step is not None:
        step = next(step for step in notebook.steps if step.number == proof.step)
        return Evidence(f"{notebook.key} · {step.label}", notebook, tuple(step.checks), _obstacle(notebook, step))
    for step in notebook.steps:
        if found := tuple(check for check in step.checks if check.claim == proof.claim):
            return Evidence(f"{notebook.key} · {step.label}", notebook, found, "")
    return Evidence(f"{notebook.key} · {proof.claim}", notebook, (), _why_missing(notebook))


def _obstacle(notebook: NotebookRun, step: Step) -> str:
    """Why not all checks of a step were made."""
    errors = [f"{failure.error}: {failure.message}" for failure in step.failures if not failure.check]
    if errors:
        return errors[0]
    if step.blocked_by:
        return f"blocked by {step.blocked_by}"
    if not step.checks or step.status not in (Status.PASSED, Status.FAILED):
        return _why_missing(notebook)
    return ""


def _why_missing(notebook: NotebookRun) -> str:
    return next(_errors(notebook), f"the check was not made; {notebook.key} {notebook.status}")


def _errors(notebook: NotebookRun) -> Iterator[str]:
    for step in notebook.steps:
        yield from (f"{failure.error}: {failure.message}" for failure in step.failures)
    if notebook.failure:
        yield f"{notebook.failure.error}: {notebook.failure.message}"
