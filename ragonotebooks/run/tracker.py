"""Follows one notebook while its cells are executed, and knows what that means for its steps."""

from collections.abc import Callable
from dataclasses import asdict
from itertools import takewhile
from typing import Any

from ragonotebooks.catalog.notebook import Cell, Notebook
from ragonotebooks.run import evidence
from ragonotebooks.run.engine import CellOutcome
from ragonotebooks.run.events import EventName
from ragonotebooks.run.results import Check, Failure, NotebookRun, Status, Step

Emit = Callable[[EventName, dict[str, Any]], None]

_LONGEST_SOURCE = 4


def outline(notebook: Notebook) -> list[tuple[Step, tuple[Cell, ...]]]:
    """The notebook's steps and other sections that have code, each with its code cells, in order."""
    numbered = {step.section.index: step for step in notebook.steps}
    parts: list[tuple[Step, tuple[Cell, ...]]] = []
    for section in notebook.sections:
        step = numbered.get(section.index)
        if step and step.section == section:
            parts.append((Step(step.number, step.title, step.objectives), step.cells))
        elif section.code:
            parts.append((Step(None, section.title, ()), section.code))
    inside = {cell.index for _, cells in parts for cell in cells}
    opening = tuple(cell for cell in notebook.cells if cell.kind == "code" and cell.index not in inside)
    return [(Step(None, "Opening", ()), opening), *parts] if opening else parts


class Tracker:
    """Turns the outcomes of cells into checks, failures and the status of each step, and tells the listeners.

    A step passes when all its executed cells do and, if it has a check cell, at least one check was recorded.
    """

    def __init__(self, run: NotebookRun, cells: list[tuple[Cell, ...]], ids: list[str], emit: Emit) -> None:
        """`cells` holds the cells of each of the run's steps; `ids` the id of each of the notebook's cells by index."""
        self._run = run
        self._emit = emit
        self._step_of = {ids[cell.index]: step for step, own in zip(run.steps, cells, strict=True) for cell in own}
        self._current: Step | None = None
        self._started: set[int] = set()
        self._executed_checks = False

    def on_start(self, cell: Any) -> None:
        """A cell is about to be executed."""
        step = self._enter(cell)
        if id(step) not in self._started:
            self._started.add(id(step))
            self._emit("step_started", self._about(step))

    def on_cell(self, outcome: CellOutcome) -> None:
        """A code cell was executed or skipped."""
        step = self._enter(outcome.cell)
        self._emit("cell_finished", self._about(step) | _describe(outcome))
        if outcome.skipped:
            return
        step.seconds += outcome.seconds
        self._executed_checks |= "check" in outcome.cell.metadata.get("tags", [])
        found = evidence.checks(outcome.cell)
        for one in found:
            step.checks.append(one)
            self._emit("check", self._about(step) | asdict(one))
        self._run.prices += evidence.prices(outcome.cell)
        step.failures += _failures(outcome, found)

    def is_setup(self, cell: Any) -> bool:
        """Whether the cell stands before the first numbered step: without it nothing behind it means anything."""
        before = takewhile(lambda step: step.number is None, self._run.steps)
        return any(step.number is not None for step in self._run.steps) and any(
            step is self._step_of.get(cell.id, self._current) for step in before
        )

    def finish(self, ended: bool, interrupted: bool) -> None:
        """The notebook is over, at its end or before."""
        self._close()
        blocker = self._blocker(interrupted)
        for step in self._run.steps:
            if id(step) not in self._started:
                step.status = Status.SKIPPED if ended else Status.BLOCKED
                step.blocked_by = "" if ended else blocker
                self._tell(step)

    def _enter(self, cell: Any) -> Step:
        # The cell with injected parameters is not in the source; it belongs where the one before it does.
        step = self._step_of.get(cell.id, self._current or self._run.steps[0])
        if step is not self._current:
            self._close()
            self._current, self._executed_checks = step, False
        return step

    def _close(self) -> None:
        step = self._current
        if step is None or id(step) not in self._started:
            return
        if self._executed_checks and not step.checks and not step.failures:
            step.failures.append(Failure("NoCheck", "its check cell recorded no check; call check() in it"))
        step.status = _status(step)
        self._tell(step)
        self._current = None

    def _blocker(self, interrupted: bool) -> str:
        if interrupted:
            return "the interruption"
        failed = [step for step in self._run.steps if step.status is Status.FAILED]
        return f"{self._run.key} · {failed[-1].label}" if failed else self._run.key

    def _tell(self, step: Step) -> None:
        self._emit("step_finished", finished(self._run, step))

    def _about(self, step: Step) -> dict[str, Any]:
        return _about(self._run, step)


def finished(notebook: NotebookRun, step: Step) -> dict[str, Any]:
    """What the event `step_finished` says of a step."""
    result: dict[str, Any] = {"status": step.status, "checks": len(step.checks), "seconds": round(step.seconds, 3)}
    reasons: dict[str, Any] = {
        "failures": [asdict(failure) for failure in step.failures],
        "blocked_by": step.blocked_by,
    }
    return _about(notebook, step) | result | {"objectives": [str(one) for one in step.objectives]} | reasons


def _about(notebook: NotebookRun, step: Step) -> dict[str, Any]:
    return {"notebook": notebook.key, "step": step.number, "title": step.title}


def _status(step: Step) -> Status:
    if any(failure.error == "Interrupted" for failure in step.failures):
        return Status.INTERRUPTED
    return Status.FAILED if step.failures else Status.PASSED


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


def _describe(outcome: CellOutcome) -> dict[str, Any]:
    status = Status.SKIPPED if outcome.skipped else Status.FAILED if outcome.error else Status.PASSED
    tags = list(outcome.cell.metadata.get("tags", []))
    facts = {"cell": outcome.cell.id, "tags": tags, "status": status, "seconds": round(outcome.seconds, 3)}
    error = {"error": outcome.error.name, "message": outcome.error.message} if outcome.error else {}
    return facts | error


def _short(source: str) -> str:
    lines = source.splitlines()
    return source if len(lines) <= _LONGEST_SOURCE else "\n".join([*lines[: _LONGEST_SOURCE - 2], "…", lines[-1]])
