"""Runs a runbook's notebooks one after the other, and says truly how that went."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from papermill.exceptions import PapermillExecutionError

from ragonotebooks.catalog.notebook import Notebook, Value
from ragonotebooks.catalog.project import shown
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.errors import UsageError
from ragonotebooks.run import engine, folder
from ragonotebooks.run.engine import CellOutcome, Execution
from ragonotebooks.run.events import Event, EventLog, EventName, Listener
from ragonotebooks.run.interruption import Interruption
from ragonotebooks.run.kernel import IpcKernelManager, LeavingKernels, WarmKernel
from ragonotebooks.run.results import Failure, Mode, NotebookRun, Run, Status
from ragonotebooks.run.tracker import Tracker, finished, outline

SKIPPED_TAGS: dict[Mode, frozenset[str]] = {
    "run": frozenset({"skip-execution"}),
    "verify": frozenset({"skip-execution", "change"}),
}

OnPassed = Callable[[Notebook, dict[str, Value]], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to run and how.

    values: the given parameters; each notebook gets those that it declares.
    sandbox: the name of the sandbox that answers when the target is the sandbox.
    out: the run folder, new or empty; `runs/<UTC time>-<runbook>` in the current folder when None.
    listeners: are told of every event, in order.
    on_passed: is called after each notebook that passed, with all values that held in it.
    """

    runbook: Runbook
    mode: Mode
    values: dict[str, Value]
    sandbox: str
    out: Path | None = None
    listeners: Sequence[Listener] = ()
    on_passed: OnPassed = lambda notebook, values: None


def execute(request: Request) -> tuple[Run, Path]:
    """Run or verify the runbook; return what was found out and the folder that holds the evidence.

    `run` stops at the first cell that fails. `verify` skips the cells that change something and goes on behind a
    failure, so that every drift is found; only what the failed cells before the first step prepare is not missed.

    Raises:
        UsageError: The folder cannot be used, or a notebook names a kernel that is not installed. Nothing was run.
    """
    for notebook in request.runbook.notebooks:
        _require_kernel(notebook)
    where = folder.create(request.out, request.runbook.name)
    engine.register()
    with closing(EventLog(where / "events.jsonl")) as log:
        runner = _Runner(request, where, [log, *request.listeners])
        return runner.execute(), where


class _Runner:
    def __init__(self, request: Request, where: Path, listeners: Sequence[Listener]) -> None:
        self._request = request
        self._where = where
        self._listeners = listeners
        self._interruption = Interruption()
        self._leaving = LeavingKernels()
        self._notebooks = request.runbook.notebooks
        self._cells = [[cells for _, cells in outline(notebook)] for notebook in self._notebooks]
        self._run = _blank(request)

    def execute(self) -> Run:
        started = monotonic()
        self._emit("run_started", _announce(self._run, self._request))
        environment = {"RAGONOTEBOOKS_SANDBOX": self._request.sandbox, "RAGONOTEBOOKS_RUN": self._request.mode}
        with self._interruption.listening(), self._leaving, WarmKernel(os.environ | environment) as warm:
            blocker = ""
            for index, result in enumerate(self._run.notebooks):
                if blocker:
                    self._block(result, blocker)
                    continue
                kernel = warm.take(*_kernel_of(self._notebooks[index]))
                if index + 1 < len(self._notebooks):
                    following = self._notebooks[index + 1]
                    warm.warm(*_kernel_of(following), following.imports)
                self._one(index, kernel)
                blocker = self._blocker(result)
        self._run.seconds = monotonic() - started
        self._run.status = _overall(self._run)
        self._emit("run_finished", {"status": self._run.status, "seconds": round(self._run.seconds, 3)})
        return self._run

    def _one(self, index: int, kernel: IpcKernelManager) -> None:
        notebook, result = self._notebooks[index], self._run.notebooks[index]
        started = monotonic()
        self._emit("notebook_started", {"notebook": result.key, "title": result.title})
        result.executed = self._where / f"{index + 1:02d}-{result.key.replace('/', '-')}.ipynb"
        node = nbformat.v4.upgrade(nbformat.read(notebook.path, as_version=4))  # type: ignore[no-untyped-call]
        tracker = Tracker(result, self._cells[index], [cell.id for cell in node.cells], self._emit)
        execution = Execution(
            save_to=result.executed,
            skip=SKIPPED_TAGS[self._request.mode],
            goes_on=lambda outcome: self._goes_on(tracker, outcome),
            on_start=tracker.on_start,
            on_cell=tracker.on_cell,
            kernel=kernel,
            leaving=self._leaving,
            interruption=self._interruption,
        )
        declared = {parameter.name for parameter in notebook.parameters}
        given = {name: value for name, value in self._request.values.items() if name in declared}
        result.failure = _papermill(node, given, execution)
        interrupted = self._interruption.received is not None and not execution.ended
        tracker.finish(execution.ended, interrupted)
        result.seconds = monotonic() - started
        result.status = Status.INTERRUPTED if interrupted else _status(result, execution.ended)
        self._finish(result)
        if result.status is Status.PASSED:
            self._request.on_passed(notebook, result.parameters)

    def _goes_on(self, tracker: Tracker, outcome: CellOutcome) -> bool:
        return self._request.mode == "verify" and not tracker.is_setup(outcome.cell)

    def _blocker(self, result: NotebookRun) -> str:
        """What keeps the notebooks behind this one from being executed; empty when nothing does."""
        if self._interruption.received:
            return "the interruption"
        if result.status is Status.PASSED or self._request.mode == "verify":
            return ""
        failed = [step for step in result.steps if step.status is Status.FAILED]
        return f"{result.key} · {failed[-1].label}" if failed else result.key

    def _block(self, result: NotebookRun, blocker: str) -> None:
        for step in result.steps:
            step.blocked_by = blocker
            self._emit("step_finished", finished(result, step))
        self._finish(result)

    def _finish(self, result: NotebookRun) -> None:
        facts = {"notebook": result.key, "status": result.status, "seconds": round(result.seconds, 3)}
        executed = {"executed": result.executed.name} if result.executed else {}
        failure = {"failure": asdict(result.failure)} if result.failure else {}
        self._emit("notebook_finished", facts | executed | failure)

    def _emit(self, name: EventName, data: dict[str, Any]) -> None:
        event = Event(name, data)
        for listener in self._listeners:
            listener(event)


def _papermill(node: Any, given: dict[str, Value], execution: Execution) -> Failure | None:
    """Execute with papermill; cells that fail are known to the tracker, what is returned is no cell's fault."""
    language = node.metadata.get("language_info", {}).get("name", "python")
    try:
        # The notebook goes in as data and is saved by the engine: papermill would read braces in a path as a template.
        papermill.execute_notebook(
            node,
            None,
            parameters=given,
            engine_name=engine.NAME,
            kernel_name=_kernel_name(node.metadata),
            language=language,
            progress_bar=False,
            execution=execution,
        )
    except PapermillExecutionError:
        return None
    except RuntimeError as error:
        # nbclient's DeadKernelError is one too; it gets here when the kernel dies at its start or behind the last cell.
        execution.ended = False
        return Failure("DeadKernel", f"the notebook's kernel did not start or died outside of a cell: {error}")
    return None


def _status(result: NotebookRun, ended: bool) -> Status:
    failed = any(step.status is Status.FAILED for step in result.steps)
    return Status.FAILED if failed or result.failure or not ended else Status.PASSED


def _overall(run: Run) -> Status:
    found = {notebook.status for notebook in run.notebooks}
    if Status.INTERRUPTED in found:
        return Status.INTERRUPTED
    return Status.PASSED if found == {Status.PASSED} else Status.FAILED


def _blank(request: Request) -> Run:
    notebooks = [
        NotebookRun(
            key=notebook.key,
            title=notebook.title,
            steps=[step for step, _ in outline(notebook)],
            parameters={
                parameter.name: request.values.get(parameter.name, parameter.default)
                for parameter in notebook.parameters
            },
        )
        for notebook in request.runbook.notebooks
    ]
    target = notebooks[0].parameters.get("target", "sandbox") if notebooks else "sandbox"
    return Run(
        runbook=request.runbook.name,
        title=request.runbook.title,
        mode=request.mode,
        target=f"sandbox {request.sandbox}" if target == "sandbox" else f"the {request.runbook.cloud.upper()} cloud",
        started=datetime.now(UTC),
        notebooks=notebooks,
    )


def _announce(run: Run, request: Request) -> dict[str, Any]:
    notebooks = [
        {"notebook": one.key, "title": one.title, "steps": [step.label for step in one.steps]} for one in run.notebooks
    ]
    facts = {"runbook": run.runbook, "title": run.title, "mode": run.mode, "target": run.target}
    return facts | {"parameters": request.values, "notebooks": notebooks}


def _kernel_of(notebook: Notebook) -> tuple[str, Path]:
    return _kernel_name(notebook.metadata), notebook.path.resolve().parent


def _kernel_name(metadata: Any) -> str:
    return str(metadata.get("kernelspec", {}).get("name", "python3"))


def _require_kernel(notebook: Notebook) -> None:
    name = _kernel_name(notebook.metadata)
    if name == "python3":
        return
    try:
        KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        raise UsageError(
            f"{shown(notebook.path)} asks for the kernel '{name}', which is not installed; "
            f"set its kernel to 'python3' in JupyterLab and save it"
        ) from None
