"""What a run found out, as data: the run, its notebooks, their steps, the checks in them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.objectives import ObjectiveRef

Mode = Literal["run", "verify", "rehearse"]
"""`rehearse` is a run in a sandbox of its own, which is gone when it has ended."""


class Status(StrEnum):
    """How a step, a notebook or a run ended.

    BLOCKED: not executed because of something that failed before it.
    SKIPPED: nothing in it is executed in this mode.
    INTERRUPTED: stopped by a signal, or cut off with the process that ran it.
    WAITING: not executed until a person approves it.
    """

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Check:
    """One claim with the short forms of what is and what should be, as a cell recorded it."""

    claim: str
    passed: bool
    actual: str
    expected: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step did not pass.

    error, message: the exception's name and text.
    source: the cell's code, shortened; empty when it is no cell's fault.
    check: the check that does not hold, when that is why.
    """

    error: str
    message: str
    source: str = ""
    check: Check | None = None

    @property
    def said(self) -> str:
        """The message, with the error's name before it unless a check says it all."""
        return self.message if self.check else f"{self.error}: {self.message}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt of a step that failed and was followed by another one, `wait` seconds later."""

    failures: tuple[Failure, ...]
    wait: float


@dataclass(slots=True)
class Step:
    """A numbered step, or with number None another section that has code.

    checks, failures, prices: what its last attempt found, and the price records that its cells left.
    seconds: of all attempts.
    blocked_by: what kept it from being executed, such as `aws/02-storage step 2`.
    waits_for: why a person has to approve it; empty when it does not wait.
    earlier: the attempts before the last one.
    """

    number: int | None
    title: str
    objectives: tuple[ObjectiveRef, ...]
    status: Status = Status.BLOCKED
    checks: list[Check] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    prices: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    blocked_by: str = ""
    waits_for: str = ""
    earlier: list[Attempt] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Number and title as the notebook's heading has them."""
        return f"{self.number} · {self.title}" if self.number is not None else self.title

    def begin_again(self, wait: float) -> None:
        """What the attempt found is put aside; another one begins in `wait` seconds."""
        self.earlier.append(Attempt(tuple(self.failures), wait))
        self.checks, self.failures, self.prices = [], [], []


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody let a step of a notebook be executed.

    step: its label.
    by: the user and the machine.
    """

    notebook: str
    step: str
    by: str
    time: datetime


@dataclass(slots=True)
class NotebookRun:
    """One notebook of the run.

    parameters: all values that held in it, defaults included; None for a required one that was not given.
    executed: the saved notebook; None when it did not start.
    failure: why it failed although no step did, such as a kernel that did not start.
    """

    key: str
    title: str
    steps: list[Step]
    parameters: dict[str, Value | None]
    status: Status = Status.BLOCKED
    seconds: float = 0.0
    executed: Path | None = None
    failure: Failure | None = None

    @property
    def prices(self) -> list[dict[str, Any]]:
        """The price records that its cells left."""
        return [record for step in self.steps for record in step.prices]

    @property
    def obstacle(self) -> str:
        """What keeps from being executed what stands behind: the step that failed or waits, else the notebook."""
        stopped = [step for step in self.steps if step.status in (Status.FAILED, Status.WAITING)]
        return f"{self.key} · {stopped[-1].label}" if stopped else self.key


@dataclass(slots=True)
class Run:
    """A runbook that was run or verified.

    target: the cloud or sandbox that answered, for a reader.
    seconds: of the run and of what was resumed of it, without the time in between.
    resumed: when it went on after it had ended too early.
    approvals: those that it got; they hold however often it is resumed.
    """

    runbook: str
    title: str
    mode: Mode
    target: str
    started: datetime
    notebooks: list[NotebookRun]
    status: Status = Status.BLOCKED
    seconds: float = 0.0
    resumed: list[datetime] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)

    @property
    def steps(self) -> Iterator[tuple[NotebookRun, Step]]:
        """All steps and other sections, each with its notebook."""
        return ((notebook, step) for notebook in self.notebooks for step in notebook.steps)

    @property
    def waiting(self) -> tuple[NotebookRun, Step] | None:
        """The step that a person has to approve before the run can go on."""
        return next(((notebook, step) for notebook, step in self.steps if step.status is Status.WAITING), None)

    def approval(self, notebook: str, step: str) -> Approval | None:
        """The approval that the step with this label has got, the last one if there are several."""
        found = [one for one in self.approvals if (one.notebook, one.step) == (notebook, step)]
        return found[-1] if found else None

    @property
    def exit_code(self) -> int:
        """0 when every notebook ended and every step passed its checks, 130 when interrupted, 3 when it waits for an
        approval, 2 when a cell refused what it was given, else 1.
        """
        if self.status is Status.FAILED:
            return 2 if any(failure.error == "UsageError" for _, step in self.steps for failure in step.failures) else 1
        return {Status.PASSED: 0, Status.INTERRUPTED: 130, Status.WAITING: 3}.get(self.status, 1)
