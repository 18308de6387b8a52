"""Runs a runbook's notebooks one after the other, and says truly how that went."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.catalog.project import shown
from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.run import engine, events, folder, history, lock, record
from ragonotebooks.run.engine import Execution
from ragonotebooks.run.events import Event, EventLog, EventName, Listener
from ragonotebooks.run.history import History
from ragonotebooks.run.interruption import Interruption
from ragonotebooks.run.kernel import LeavingKernels, WarmKernel
from ragonotebooks.run.lock import Held
from ragonotebooks.run.outline import Part
from ragonotebooks.run.prepare import kernel_name, kernel_of, prepared
from ragonotebooks.run.record import Record
from ragonotebooks.run.redaction import Redactor
from ragonotebooks.run.request import Request, Values
from ragonotebooks.run.results import Failure, Mode, NotebookRun, Run, Status
from ragonotebooks.run.tracker import Tracker, about, finished

SKIPPED_TAGS: dict[Mode, frozenset[str]] = {
    "run": frozenset({"skip-execution"}),
    "rehearse": frozenset({"skip-execution"}),
    "verify": frozenset({"skip-execution", "change"}),
}

Stands = Callable[[str, Values], bool]
Execute = Callable[[Notebook, dict[str, Value], Execution], None]
"""Has a notebook executed with the given parameters, by the engine."""


def execute(request: Request) -> tuple[Run, Path]:
    """Run or verify the runbook; return what was found out and the folder that holds the evidence.

    `run` stops at the first cell that fails. `verify` skips the cells that change something and goes on behind a
    failure, so that every drift is found; only what the failed cells before the first step prepare is not missed.

    Raises:
        UsageError: The folder cannot be used, a notebook names a kernel that is not installed or declares limits that
            cannot be held, or another run holds the deployment's lock. Nothing was run.
        RagonotebooksError: The evidence cannot be kept.
    """
    parts = prepared(request)
    where = folder.create(request.out, request.runbook.name)
    with ExitStack() as stack:
        try:
            held = stack.enter_context(_alone(request))
        except UsageError:
            folder.discard(where)
            raise
        with _evidence(where), _swept(where) as secrets, EventLog(where / events.FILE) as log:
            record.write(where, Record(request.source, request.mode, request.sandbox, request.values, request.account))
            run = _Runner(request, where, parts, History(where), log, held, secrets).execute()
        return secrets.clean(run), where


def execute_one(request: Request, where: Path, key: str, execute: Execute) -> NotebookRun:
    """Execute one notebook of a run whose notebooks somebody else orders; return how it went.

    Done for each notebook in turn, it leaves in the folder what `execute` leaves there. Between two of them the run reads
    as cut off. A notebook that is executed again, or behind a failure, resumes the run from there.

    Args:
        request: What the whole run was asked for; its `out` does not matter.
        where: The run folder, with its record.
        key: The notebook.
        execute: Has the notebook executed.

    Raises:
        UsageError: As for `execute`; or the runbook has no such notebook, or another one is being executed.
        RagonotebooksError: The evidence cannot be kept.
    """
    parts = prepared(request)
    keys = [one.key for one in request.runbook.notebooks]
    if key not in keys:
        raise UsageError(f"{where} holds a run of {request.source}, which has no notebook {key}; name another folder")
    with _swept(where) as secrets, EventLog(where / events.FILE) as log, _alone(request) as held, _evidence(where):
        told = history.replay(where)
        run = _Runner(request, where, parts, told, log, held, secrets, execute).execute_one(keys.index(key))
    clean: NotebookRun = secrets.clean(run)
    return clean


def resume(request: Request, where: Path, stands: Stands, approver: str = "") -> Run:
    """Go on with the run in the folder `where` at the first notebook that has not passed or does not stand any more.

    A step that waits for an approval waits again, unless somebody approves it.

    Args:
        request: What was asked for then; its `out` does not matter.
        stands: Whether what a notebook that passed then, with these values, has made is still there.
        approver: Who approves the step that the run waits for; empty when nobody does.

    Raises:
        UsageError: As for `execute`; or the run passed, was a verification, goes on, has other notebooks by now, or does
            not wait for an approver.
        RagonotebooksError: The evidence cannot be kept.
    """
    parts = prepared(request)
    if request.mode != "run":
        did = {"verify": "verified", "rehearse": "rehearsed"}[request.mode]
        raise UsageError(f"the run in {where} only {did}; do it again: ragonotebooks {request.mode} {request.source}")
    with _swept(where) as secrets, EventLog(where / events.FILE) as log, _alone(request) as held, _evidence(where):
        told = history.replay(where)
        if told.end().status is Status.PASSED:
            raise UsageError(f"the run in {where} passed; there is nothing to resume")
        if approver and told.run.status is not Status.WAITING:
            raise UsageError(
                f"the run in {where} {told.run.status}, it waits for nobody; go on with: ragonotebooks resume {shown(where)}"
            )
        if [one.key for one in told.run.notebooks] != [one.key for one in request.runbook.notebooks]:
            raise UsageError(f"{request.source} has other notebooks than when {where} began; run it anew")
        runner = _Runner(request, where, parts, told, log, held, secrets)
        if approver:
            runner.approve(approver)
        run = runner.execute(_first(told.run, stands))
    clean: Run = secrets.clean(run)
    return clean


def _first(run: Run, stands: Stands) -> int:
    """The place of the first notebook that is to be executed."""
    for place, notebook in enumerate(run.notebooks):
        if notebook.status is not Status.PASSED or not stands(notebook.key, notebook.parameters):
            return place
    return len(run.notebooks)


@contextmanager
def _evidence(where: Path) -> Iterator[None]:
    """Without a place for its evidence a run ends, in one sentence."""
    try:
        yield
    except OSError as error:
        raise RagonotebooksError(
            f"the run ends because its evidence cannot be kept: {_unwritten(error)}; "
            f"make room, then go on with: ragonotebooks resume {shown(where)}"
        ) from None


@contextmanager
def _swept(where: Path) -> Iterator[Redactor]:
    """The secrets that a run comes to know; at its end none of them is left in its folder."""
    secrets = Redactor()
    try:
        yield secrets
    finally:
        secrets.sweep(where)


@contextmanager
def _alone(request: Request) -> Iterator[Held]:
    """Hold the lock of the deployment that the runbook changes, if it changes one."""
    if request.deployment is None:
        yield Held()
    else:
        with lock.hold(request.deployment, request.runbook.name) as held:
            yield held


class _Runner:
    """Executes a request from some notebook on, and tells everything as events; what they add up to is the run."""

    def __init__(
        self,
        request: Request,
        where: Path,
        parts: list[list[Part]],
        told: History,
        log: EventLog,
        held: Held,
        secrets: Redactor,
        execute: Execute | None = None,
    ) -> None:
        self._request = request
        self._where = where
        self._parts = parts
        self._history = told
        self._log = log
        self._listeners: list[Listener] = [log, told, *request.listeners]
        self._held = held
        held.tell(where)
        self._secrets = secrets
        self._interruption = Interruption()
        self._leaving = LeavingKernels()
        self._notebooks = request.runbook.notebooks
        self._places = range(len(self._notebooks))
        self._execute = execute or _execute

    def approve(self, by: str) -> None:
        """Let the step that waits be executed."""
        if self._history.run.waiting:
            notebook, step = self._history.run.waiting
            self._emit("approved", about(notebook, notebook.steps.index(step)) | {"by": by})

    def execute(self, first: int | None = None) -> Run:
        """Execute the notebooks from place `first` on, of a run that is resumed; all of a new one for None."""
        started = monotonic()
        self._emit("run_started" if first is None else "run_resumed", self._announcement(first or 0))
        self._go(self._places[first or 0 :])
        self._emit("run_finished", {"status": self._status(), "seconds": round(monotonic() - started, 3)})
        return self._history.run

    def execute_one(self, place: int) -> NotebookRun:
        """Execute the notebook at a place; what ends with it, such as the run with its last notebook, is told too."""
        if not self._history.began:
            self._emit("run_started", self._announcement(0))
        elif self._history.over or self._history.run.notebooks[place].executed:
            self._emit("run_resumed", self._announcement(place))
        rest = self._places[place + 1 :]
        blocker = self._go(self._places[place : place + 1])
        for blocked in rest if blocker else ():
            self._block(blocked, blocker)
        if blocker or not rest:
            seconds = round(self._history.lasts, 3)
            self._emit("run_finished", {"status": self._status(), "seconds": seconds})
        return self._history.run.notebooks[place]

    def _go(self, places: range) -> str:
        """Execute the notebooks at these places; return what blocks what comes behind them, empty for nothing."""
        self._places = places
        environment = os.environ | self._request.variables | dict(self._held.variables)
        inherited = [] if self._held.file is None else [self._held.file]
        with self._interruption.listening(), self._leaving, WarmKernel(environment, inherited, self._secrets) as warm:
            blocker = ""
            for place in places:
                if self._interruption.received:
                    blocker = "the interruption"
                if blocker:
                    self._block(place, blocker)
                else:
                    self._one(place, warm)
                    blocker = self._blocker(place)
        return blocker

    def _one(self, place: int, warm: WarmKernel) -> None:
        notebook, result = self._notebooks[place], self._history.run.notebooks[place]
        started = monotonic()
        executed = folder.unused(self._where / f"{place + 1:02d}-{result.key.replace('/', '-')}.ipynb")
        self._emit("notebook_started", {"notebook": result.key, "title": result.title, "executed": executed.name})
        tracker = Tracker(result, self._parts[place], self._emit)
        execution = Execution(
            save_to=executed,
            skip=SKIPPED_TAGS[self._request.mode],
            waits=lambda part: self._waits(place, part, tracker),
            goes_on=lambda part: self._request.mode == "verify" and not tracker.is_setup(part),
            on_start=tracker.on_start,
            on_cell=tracker.on_cell,
            on_repeat=tracker.on_repeat,
            leaving=self._leaving,
            interruption=self._interruption,
            secrets=self._secrets,
        )
        failure = self._papermill(place, warm, execution)
        interrupted = self._interruption.received is not None and not execution.ended
        failure = tracker.finish(execution.ended, interrupted, failure)
        status = Status.INTERRUPTED if interrupted else _status(result, failure, execution.ended)
        self._finish(result, status, monotonic() - started, failure)
        if status is Status.PASSED:
            self._request.on_passed(notebook, result.parameters)

    def _waits(self, place: int, part: int, tracker: Tracker) -> bool:
        """Whether a part of a notebook has to be approved, and is not; then that is told."""
        result, why = self._history.run.notebooks[place], self._parts[place][part].approval
        if self._request.mode != "run" or not why:
            return False
        if self._history.run.approval(result.key, result.steps[part].label):
            return False
        tracker.wait(part)
        return True

    def _papermill(self, place: int, warm: WarmKernel, execution: Execution) -> Failure | None:
        """Execute with papermill; cells that fail are known to the tracker, what is returned is no cell's fault."""
        notebook = self._notebooks[place]
        declared = {parameter.name for parameter in notebook.parameters}
        given = {name: value for name, value in self._request.values.items() if name in declared}
        try:
            execution.kernel = warm.take(*kernel_of(notebook))
            if place + 1 in self._places:
                following = self._notebooks[place + 1]
                warm.warm(*kernel_of(following), following.imports)
            self._execute(notebook, given, execution)
        except PapermillExecutionError:
            return None
        except OSError as error:
            execution.ended = False
            self._log.end_quietly()
            return Failure(type(error).__name__, _unwritten(error))
        except RuntimeError as error:
            # nbclient's DeadKernelError is one too; it gets here when the kernel dies at its start or behind the last cell.
            execution.ended = False
            return Failure("DeadKernel", f"the notebook's kernel did not start or died outside of a cell: {error}")
        return None

    def _blocker(self, place: int) -> str:
        """What keeps the notebooks behind this one from being executed; empty when nothing does."""
        result = self._history.run.notebooks[place]
        if result.status is Status.PASSED or self._request.mode == "verify":
            return ""
        return result.obstacle

    def _block(self, place: int, blocker: str) -> None:
        result = self._history.run.notebooks[place]
        for part, step in enumerate(result.steps):
            facts = {"status": Status.BLOCKED, "blocked_by": blocker}
            self._emit("step_finished", about(result, part) | finished(step) | facts)
        self._finish(result, Status.BLOCKED, 0.0, None)

    def _finish(self, result: NotebookRun, status: Status, seconds: float, failure: Failure | None) -> None:
        facts = {"notebook": result.key, "status": status, "seconds": round(seconds, 3)}
        executed = {"executed": result.executed.name} if result.executed else {}
        self._emit("notebook_finished", facts | executed | ({"failure": asdict(failure)} if failure else {}))

    def _status(self) -> Status:
        found = {notebook.status for notebook in self._history.run.notebooks}
        if found == {Status.PASSED}:
            return Status.PASSED
        if self._interruption.received:
            return Status.INTERRUPTED
        return Status.WAITING if Status.WAITING in found else Status.FAILED

    def _announcement(self, first: int) -> dict[str, Any]:
        book, died = self._request.runbook, self._held.died
        facts = {
            "runbook": book.name,
            "title": book.title,
            "mode": self._request.mode,
            "target": self._request.target,
        }
        asked = {
            "process": os.getpid(),
            "parameters": self._request.values,
            "took_over": asdict(died) if died else None,
        }
        notebooks = [self._outlined(place) for place in range(first, len(self._notebooks))]
        return facts | asked | {"notebooks": notebooks}

    def _outlined(self, place: int) -> dict[str, Any]:
        notebook = self._notebooks[place]
        steps = [
            {"step": part.number, "title": part.title, "objectives": [str(one) for one in part.objectives]}
            for part in self._parts[place]
        ]
        values = self._request.values_of(notebook)
        return {"notebook": notebook.key, "title": notebook.title, "parameters": values, "steps": steps}

    def _emit(self, name: EventName, data: dict[str, Any]) -> None:
        event = Event(name, self._secrets.clean(data))
        for listener in self._listeners:
            listener(event)


def _execute(notebook: Notebook, given: dict[str, Value], execution: Execution) -> None:
    node = nbformat.v4.upgrade(nbformat.read(notebook.path, as_version=4))  # type: ignore[no-untyped-call]
    # The notebook goes in as data and is saved by the engine: papermill would read braces in a path as a template.
    papermill.execute_notebook(
        node,
        None,
        parameters=given,
        engine_name=engine.NAME,
        kernel_name=kernel_name(node.metadata),
        language=node.metadata.get("language_info", {}).get("name", "python"),
        progress_bar=False,
        execution=execution,
    )


def _status(result: NotebookRun, failure: Failure | None, ended: bool) -> Status:
    found = {step.status for step in result.steps}
    if Status.FAILED not in found and not failure and Status.WAITING in found:
        return Status.WAITING
    return Status.FAILED if Status.FAILED in found or failure or not ended else Status.PASSED


def _unwritten(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)
