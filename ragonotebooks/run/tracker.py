"""Follows one notebook while its cells are executed, and tells what that means for its steps."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ragonotebooks.run import evidence
from ragonotebooks.run.engine import CellOutcome
from ragonotebooks.run.events import EventName
from ragonotebooks.run.outline import Part
from ragonotebooks.run.results import Check, Failure, NotebookRun, Status, Step

Emit = Callable[[EventName, dict[str, Any]], None]

_LONGEST_SOURCE = 4


class Tracker:
    """Turns the outcomes of cells into events: checks, prices, failures, the status of each step.

    A step passes when all its executed cells do and, if it has a check cell, at least one check was recorded. What the
    events add up to stands in the notebook's part of the run, which this class reads and does not change.
    """

    def __init__(self, run: NotebookRun, parts: Sequence[Part], emit: Emit) -> None:
        """`parts` are those that the run's steps stand for; events reach `run` before `emit` returns."""
        self._run = run
        self._parts = parts
        self._emit = emit
        self._current: int | None = None
        self._started: set[int] = set()
        self._executed_checks = False

    def on_start(self, part: int, cell: Any) -> None:
        """A cell of the part is about to be executed."""
        self._enter(part)
        if part not in self._started:
            self._started.add(part)
            self._emit("step_started", self._about(part))
        self._executed_checks |= "check" in cell.metadata.get("tags", [])

    def on_cell(self, part: int, outcome: CellOutcome) -> None:
        """A code cell of the part was executed or skipped."""
        self._enter(part)
        found = [] if outcome.skipped else evidence.checks(outcome.cell)
        self._emit("cell_finished", self._about(part) | _describe(outcome, found))
        if outcome.skipped:
            return
        for one in found:
            self._emit("check", self._about(part) | asdict(one))
        for record in evidence.prices(outcome.cell):
            self._emit("price", self._about(part) | record)

    def on_repeat(self, part: int, wait: float) -> None:
        """The part failed and begins again in `wait` seconds."""
        step = self._run.steps[part]
        counts = {"attempt": len(step.earlier) + 1, "attempts": self._parts[part].limits.attempts, "wait": wait}
        failures = {"failures": [asdict(failure) for failure in step.failures]}
        self._emit("attempt_failed", self._about(part) | counts | failures)

    def wait(self, part: int) -> None:
        """The part, which comes next, waits for an approval: nothing of it is executed, and nothing behind it."""
        self._close()
        self._started.add(part)
        facts = {"status": Status.WAITING, "waits_for": self._parts[part].approval}
        self._emit("step_finished", self._about(part) | finished(self._run.steps[part]) | facts)

    def is_setup(self, part: int) -> bool:
        """Whether the part stands before the first numbered step: without it nothing behind it means anything."""
        numbered = [place for place, step in enumerate(self._run.steps) if step.number is not None]
        return bool(numbered) and part < numbered[0]

    def finish(self, ended: bool, interrupted: bool, failure: Failure | None = None) -> Failure | None:
        """The notebook is over, at its end or before; return the failure unless a step has it."""
        if self._current in self._started and failure:
            self._close(failure)
            failure = None
        self._close()
        blocker = "the interruption" if interrupted else self._run.obstacle
        for part, step in enumerate(self._run.steps):
            if part not in self._started:
                facts = {"status": Status.SKIPPED} if ended else {"status": Status.BLOCKED, "blocked_by": blocker}
                self._emit("step_finished", self._about(part) | finished(step) | facts)
        return failure

    def _enter(self, part: int) -> None:
        if part != self._current:
            self._close()
            self._current, self._executed_checks = part, False

    def _close(self, *more: Failure) -> None:
        part, self._current = self._current, None
        if part is None or part not in self._started:
            return
        step = self._run.steps[part]
        failures = [*step.failures, *more]
        if self._executed_checks and not step.checks and not failures:
            failures.append(Failure("NoCheck", "its check cell recorded no check; call check() in it"))
        facts = {"status": _status(failures), "failures": [asdict(failure) for failure in failures]}
        self._emit("step_finished", self._about(part) | finished(step) | facts)

    def _about(self, part: int) -> dict[str, Any]:
        return about(self._run, part)


def about(notebook: NotebookRun, part: int) -> dict[str, Any]:
    """How events name a step: its notebook, its place among the steps from 0, its number and title."""
    step = notebook.steps[part]
    return {"notebook": notebook.key, "part": part, "step": step.number, "title": step.title}


def finished(step: Step) -> dict[str, Any]:
    """What the event `step_finished` says of a step that found nothing wrong."""
    return {
        "status": step.status,
        "checks": len(step.checks),
        "seconds": round(step.seconds, 3),
        "attempts": len(step.earlier) + 1,
        "failures": [],
        "blocked_by": "",
        "objectives": [str(one) for one in step.objectives],
    }


def _status(failures: list[Failure]) -> Status:
    if any(failure.error == "Interrupted" for failure in failures):
        return Status.INTERRUPTED
    return Status.FAILED if failures else Status.PASSED


def _failures(outcome: CellOutcome, checks: list[Check]) -> list[Failure]:
    """One failure for each check that does not hold, and one for an error that is not the last check's own."""
    source = _short(outcome.cell.source)
    failed = [
        Failure("CheckFailed", f"{one.claim}: it is {one.actual}, it should be {one.expected}", source, one)
        for one in checks
        if not one.passed
    ]
    error = outcome.error
    if error and not (failed and error.name == "CheckFailed"):
        failed.append(Failure(error.name, error.message, source))
    return failed


def _describe(outcome: CellOutcome, checks: list[Check]) -> dict[str, Any]:
    status = Status.SKIPPED if outcome.skipped else Status.FAILED if outcome.error else Status.PASSED
    tags = list(outcome.cell.metadata.get("tags", []))
    facts = {"cell": outcome.cell.id, "tags": tags, "status": status, "seconds": round(outcome.seconds, 3)}
    failures = [] if outcome.skipped else _failures(outcome, checks)
    return facts | ({"failures": [asdict(failure) for failure in failures]} if failures else {})


def _short(source: str) -> str:
    lines = source.splitlines()
    return source if len(lines) <= _LONGEST_SOURCE else "\n".join([*lines[: _LONGEST_SOURCE - 2], "…", lines[-1]])
