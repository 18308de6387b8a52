"""The papermill engine `ragonotebooks`: papermill's own, but true about dead kernels, time limits, exits and signals.

Also usable alone: `papermill --engine ragonotebooks in.ipynb out.ipynb`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

from ragonotebooks.catalog import notebook, values
from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.run import folder, papermill_engine
from ragonotebooks.run import kernel as kernels
from ragonotebooks.run.interruption import Interruption
from ragonotebooks.run.kernel import IpcKernelManager, LeavingKernels
from ragonotebooks.run.outline import Part, outline
from ragonotebooks.run.redaction import Messages, Redactor

NAME = "ragonotebooks"
TIME_LIMIT = 300.0
"""Seconds that a cell may take in a step that declares no limit."""

_FIRST_WAIT = 1.0
"""Seconds between the first and the second attempt of a step; the double each time after that."""

_IGNORED_INTERRUPT = 10
"""Seconds that a cell over its limit has to obey the interrupt before its kernel is given up."""

_SAVE_SHARE = 20
"""Saving in between waits for this many times the last save's duration, so that it costs a twentieth at most."""

_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class CellError:
    """Why a cell failed.

    name: the exception's name, or `DeadKernel`, `TimeLimit`, `Exit`, `Interrupted`.
    message: one sentence, or what the exception says.
    ends_kernel: the notebook cannot go on after it.
    """

    name: str
    message: str
    ends_kernel: bool = False


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """One code cell that was executed, or skipped because of a tag (then it took 0 seconds)."""

    cell: Any
    skipped: bool
    seconds: float
    error: CellError | None


@dataclass(slots=True)
class Execution:
    """How one notebook is to be executed, and afterwards how that went.

    save_to: where the executed notebook is kept while and after it runs.
    skip: cells with one of these tags are not executed.
    waits: whether the notebook ends before this part (a step, mostly), since a person has to approve it first.
    goes_on: whether the notebook goes on behind a cell with an error in this part; never after the kernel ended.
    on_start, on_cell: called with the place of the part before each executed cell, and after each
        code cell.
    on_repeat: called with the place of a part that failed and begins again, and with the seconds until then.
    kernel: a kernel to use; the engine starts one when there is none, and ends it in both cases.
    leaving: takes a kernel that was asked to end, so that nobody waits for it; the engine waits when None.
    secrets: what is kept out of the notebook and of the outcomes.
    ended: the last cell was reached and the kernel was alive then.
    """

    save_to: Path | None = None
    skip: frozenset[str] = frozenset({"skip-execution"})
    waits: Callable[[int], bool] = lambda part: False
    goes_on: Callable[[int], bool] = lambda part: False
    on_start: Callable[[int, Any], None] = lambda part, cell: None
    on_cell: Callable[[int, CellOutcome], None] = lambda part, outcome: None
    on_repeat: Callable[[int, float], None] = lambda part, wait: None
    kernel: IpcKernelManager | None = None
    leaving: LeavingKernels | None = None
    interruption: Interruption = field(default_factory=Interruption)
    secrets: Redactor = field(default_factory=Redactor)
    ended: bool = False


class RagonotebooksEngine(Engine):  # type: ignore[misc]  # papermill is untyped
    """Papermill's engine contract; takes one more argument, `execution`."""

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        execution: Execution | None = None,
        **kwargs: Any,
    ) -> Any:
        """Execute the notebook as `execution` says and return it; errors stand in it and in the outcomes.

        Raises:
            UsageError: A parameter holds what its declaration does not take. Nothing was run or written.
        """
        execution = execution or Execution(save_to=Path(output_path) if output_path else None)
        check_parameters(nb, execution.secrets)
        # papermill notes its input here, which is all of it where it came as data
        if "papermill" in nb.metadata and not isinstance(nb.metadata.papermill.get("input_path"), str):
            nb.metadata.papermill["input_path"] = None
        manager = _Manager(
            nb,
            output_path=execution.save_to,
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=autosave_cell_every,
        )
        manager.secrets = execution.secrets
        with execution.interruption.listening():
            manager.notebook_start()
            try:
                cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, execution=execution, **kwargs)
            finally:
                manager.notebook_complete()
        return manager.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        execution: Execution,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: float | None = None,
        **_unused: Any,
    ) -> None:
        """Run all cells in a kernel that ends with them; `execution_timeout` is in seconds for a cell."""
        execution.kernel = execution.interruption.kernel = execution.kernel or kernels.start(
            kernel_name, secrets=execution.secrets
        )
        client = _Client(
            nb_man,
            execution,
            execution_timeout or TIME_LIMIT,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            log=_LOG,
            log_output=log_output,
            stdout_file=stdout_file,
            stderr_file=stderr_file,
        )
        try:
            client.execute()
        finally:
            execution.interruption.kernel = None
            if execution.leaving and execution.ended:
                execution.leaving.add(execution.kernel)
            else:
                kernels.end(execution.kernel)


class _Manager(NotebookExecutionManager):  # type: ignore[misc]  # papermill is untyped
    """Saves atomically, without secrets, and in between only as often as it is cheap."""

    secrets: Redactor
    _next_save = 0.0

    def save(self, **_unused: Any) -> None:
        if self.output_path is None or monotonic() < self._next_save:
            return
        started = monotonic()
        text = nbformat.v4.writes(self.nb)  # type: ignore[no-untyped-call]
        if self.secrets.text(text) != text:  # what was shown before it was known to be secret
            self.secrets.clean_notebook(self.nb)
            text = nbformat.v4.writes(self.nb)  # type: ignore[no-untyped-call]
        folder.write(Path(self.output_path), text + "\n")
        self._next_save = monotonic() + _SAVE_SHARE * (monotonic() - started)
        self.last_save_time = self.now()

    def notebook_complete(self, **kwargs: Any) -> None:
        self._next_save = 0.0
        super().notebook_complete(**kwargs)


class _Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill is untyped
    def __init__(self, manager: _Manager, execution: Execution, cell_limit: float, **traits: Any) -> None:
        super().__init__(
            manager,
            km=execution.kernel,
            iopub_timeout=_IGNORED_INTERRUPT,
            interrupt_on_timeout=True,
            error_on_timeout={"ename": "TimeLimit", "evalue": "", "traceback": []},
            timeout_func=self._time_left,
            **traits,
        )
        self.on_cell_executed = self._notice_exit
        self._execution = execution
        self._cell_limit = cell_limit
        self._limit: float | None = None
        self._ends = 0.0
        self._asked_to_exit = False
        self._messages = Messages(execution.secrets)

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """What the kernel says becomes an output without the secrets in it."""
        output = None
        for clean in self._messages.clean(msg):
            output = super().process_message(clean, cell, cell_index)
        return output

    async def _check_raise_for_error(self, cell: Any, cell_index: int, exec_reply: Any) -> None:
        await super()._check_raise_for_error(cell, cell_index, self._execution.secrets.clean(exec_reply))

    def execute(self, **kwargs: Any) -> Any:
        self.reset_execution_trackers()
        with self.setup_kernel(cleanup_kc=True, **kwargs):
            self._execution.ended = self._execute_cells()
            if self._execution.ended:
                info = self.wait_for_reply(self.kc.kernel_info())
                self.nb.metadata["language_info"] = info["content"]["language_info"]
                self.set_widgets_metadata()
            else:
                # A graceful end waits for an answer that a stuck or dead kernel never gives.
                self.shutdown_kernel = "immediate"
        return self.nb

    def _cleanup_kernel(self) -> None:
        """End the kernel, or ask it to when somebody looks after those that leave."""
        if self._execution.leaving and self._execution.ended:
            self.kc.shutdown()
            self.kc.stop_channels()
        else:
            super()._cleanup_kernel()

    def _execute_cells(self) -> bool:
        """Execute part by part; False when it ended before the last cell or with the kernel gone."""
        return all(self._execute_part(place, part) for place, part in enumerate(outline(_read(self.nb))))

    def _execute_part(self, place: int, part: Part) -> bool:
        """Execute the cells of a part, as often as it declares while they fail; False when nothing comes behind it."""
        if self._execution.waits(place):
            return False
        for attempt in range(1, part.limits.attempts):
            error = self._execute_once(place, part, goes_on=False)
            if not error or error.ends_kernel:
                return not error
            wait = _FIRST_WAIT * 2 ** (attempt - 1)
            self._execution.on_repeat(place, wait)
            self._execution.interruption.wait(wait)
        return not self._execute_once(place, part, self._execution.goes_on(place))

    def _execute_once(self, place: int, part: Part, goes_on: bool) -> CellError | None:
        """Execute the cells of a part and return the error that stopped it, if one did."""
        self._limit = part.limits.seconds
        self._ends = monotonic() + (self._limit or 0)
        for cell in part.cells:
            outcome = self._execute_one(place, self.nb.cells[cell.index], cell.index)
            self._execution.on_cell(place, outcome)
            if outcome.error and (outcome.error.ends_kernel or not goes_on):
                return outcome.error
        return None

    def _execute_one(self, place: int, cell: Any, index: int) -> CellOutcome:
        if self._execution.skip.intersection(cell.metadata.get("tags", [])) or not cell.source.strip():
            cell.metadata.papermill["status"] = "skipped"
            return CellOutcome(cell, skipped=True, seconds=0.0, error=None)
        self._execution.on_start(place, cell)
        started = monotonic()
        self.nb_man.cell_start(cell, index)
        error = self._interrupted() or self._attempt(cell, index)
        for held in self._messages.flush():
            super().process_message(held, cell, index)
        if error:
            error = replace(error, message=self._execution.secrets.text(error.message))
            self.nb_man.cell_exception(cell, cell_index=index)
            _show_error(cell, error)
        self.nb_man.cell_complete(cell, cell_index=index)
        return CellOutcome(cell, skipped=False, seconds=monotonic() - started, error=error)

    def _time_left(self, _cell: Any) -> float:
        """Seconds that the next cell may take; nbclient takes 0 for no limit at all."""
        return self._cell_limit if self._limit is None else max(self._ends - monotonic(), 0.001)

    def _over(self) -> str:
        if self._limit is None:
            return f"the cell runs longer than its limit of {self._cell_limit:g} s"
        return f"the step runs longer than its limit of {self._limit:g} s"

    def _attempt(self, cell: Any, index: int) -> CellError | None:
        try:
            self.execute_cell(cell, index)
        except CellExecutionError as error:
            return self._why(error)
        except CellTimeoutError:
            return CellError("TimeLimit", f"{self._over()} and does not obey an interrupt", True)
        except DeadKernelError:
            return self._interrupted() or CellError("DeadKernel", f"the kernel died, {self.km.autopsy()}", True)
        if self._asked_to_exit:
            return CellError("Exit", "the cell ends its kernel with exit(); remove that, or raise an error", True)
        return None

    def _why(self, error: CellExecutionError) -> CellError:
        if error.ename == "TimeLimit":
            return CellError(
                "TimeLimit", f"{self._over()}; make it faster, or give its step more with a line **Limits:**"
            )
        if error.ename == "SystemExit":
            return CellError("Exit", "the cell calls sys.exit(), which is no way to pass; remove it, or raise an error")
        return self._interrupted() or CellError(error.ename, error.evalue)

    def _interrupted(self) -> CellError | None:
        received = self._execution.interruption.received
        return CellError("Interrupted", f"stopped by {received.name}", True) if received else None

    def _notice_exit(self, execute_reply: dict[str, Any], **_unused: Any) -> None:
        payloads = execute_reply["content"].get("payload", [])
        self._asked_to_exit = any(payload.get("source") == "ask_exit" for payload in payloads)


def register() -> None:
    """Make the engine known to papermill in this process, installed as an entry point or not."""
    # its parser does not read every annotation, and it warns of what it did not read; names are checked before
    logging.getLogger("papermill").setLevel(logging.ERROR)
    papermill_engines.register(NAME, papermill_engine)


def _read(nb: Any) -> Notebook:
    return notebook.parse(Path("notebook.ipynb"), nb.metadata, notebook.cells_of(nb.cells))


def check_parameters(nb: Any, secrets: Redactor) -> None:
    """Check what papermill injected, whoever called it, and learn the secrets that are at hand.

    Raises:
        UsageError: A parameter holds what its declaration does not take.
    """
    given = nb.metadata.get("papermill", {}).get("parameters", {})
    for parameter in _read(nb).parameters:
        at_hand = values.settle(parameter, given.get(parameter.name, parameter.default))
        secrets.learn(at_hand or b"")


def _show_error(cell: Any, error: CellError) -> None:
    """Add the error to the cell's outputs unless the kernel's own report of it is there."""
    if not any(output.output_type == "error" and output.ename == error.name for output in cell.outputs):
        lines = [f"{error.name}: {error.message}"]
        facts = {"ename": error.name, "evalue": error.message, "traceback": lines}
        cell.outputs.append(nbformat.v4.new_output("error", **facts))  # type: ignore[no-untyped-call]
