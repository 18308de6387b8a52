"""A run as its events tell it: the same whether it listens while they happen or reads them later."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ragonotebooks.catalog.objectives import parse_refs
from ragonotebooks.errors import UsageError
from ragonotebooks.run import events
from ragonotebooks.run.events import Event
from ragonotebooks.run.results import Approval, Check, Failure, NotebookRun, Run, Status, Step

_CUT_OFF = Failure("Killed", "the run ends here without a word: its process was killed, or the machine went down")


class History:
    """Listens to a run's events and keeps what they add up to."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the executed notebooks that events name. `over`: the run has said how it ended."""
        self._folder = folder
        self._run: Run | None = None
        self.over = False
        self._since = self._last = 0.0
        self._seconds = 0.0

    @property
    def began(self) -> bool:
        """Whether there was a first event."""
        return self._run is not None

    @property
    def lasts(self) -> float:
        """Seconds from when the run was started or resumed to its last event."""
        return self._last - self._since

    @property
    def run(self) -> Run:
        """The run so far; not before its first event."""
        if self._run is None:
            raise UsageError(f"the run in {self._folder} ended before it began; start it again with: ragonotebooks run")
        return self._run

    def __call__(self, event: Event) -> None:
        self._last = event.time.timestamp()
        tell: Callable[[Event, dict[str, Any]], None] = getattr(self, f"_{event.name}", _nothing)
        tell(event, event.data)

    def end(self) -> Run:
        """The run when no more events will come: one that did not say how it ended was cut off."""
        if not self.over:
            self._cut_off()
        return self.run

    def _run_started(self, event: Event, data: dict[str, Any]) -> None:
        self._run = Run(
            runbook=data["runbook"],
            title=data["title"],
            mode=data["mode"],
            target=data["target"],
            started=event.time,
            notebooks=[_notebook(one) for one in data["notebooks"]],
        )
        self._since = event.time.timestamp()

    def _run_resumed(self, event: Event, data: dict[str, Any]) -> None:
        if not self.over:
            self._cut_off()
        keys = [notebook["notebook"] for notebook in data["notebooks"]]
        kept = [one for one in self.run.notebooks if one.key not in keys]
        self.run.notebooks = [*kept, *map(_notebook, data["notebooks"])]
        self.run.resumed.append(event.time)
        self._seconds, self._since, self.over = self.run.seconds, event.time.timestamp(), False

    def _approved(self, event: Event, data: dict[str, Any]) -> None:
        notebook, label = data["notebook"], self._step(data).label
        self.run.approvals.append(Approval(notebook, label, data["by"], event.time))

    def _notebook_started(self, _event: Event, data: dict[str, Any]) -> None:
        self._notebook(data).executed = self._folder / data["executed"]

    def _step_started(self, _event: Event, data: dict[str, Any]) -> None:
        self._step(data).status = Status.INTERRUPTED  # until it is finished

    def _cell_finished(self, _event: Event, data: dict[str, Any]) -> None:
        step = self._step(data)
        step.seconds += data["seconds"]
        step.failures += map(_failure, data.get("failures", ()))

    def _check(self, _event: Event, data: dict[str, Any]) -> None:
        self._step(data).checks.append(_check(data))

    def _price(self, _event: Event, data: dict[str, Any]) -> None:
        self._step(data).prices.append({"lines": data["lines"], "month": data["month"]})

    def _attempt_failed(self, _event: Event, data: dict[str, Any]) -> None:
        self._step(data).begin_again(data["wait"])

    def _step_finished(self, _event: Event, data: dict[str, Any]) -> None:
        step = self._step(data)
        step.status, step.blocked_by = Status(data["status"]), data["blocked_by"]
        step.waits_for = data.get("waits_for", "")
        step.failures = [_failure(one) for one in data["failures"]]

    def _notebook_finished(self, _event: Event, data: dict[str, Any]) -> None:
        notebook = self._notebook(data)
        notebook.status, notebook.seconds = Status(data["status"]), data["seconds"]
        notebook.failure = _failure(data["failure"]) if "failure" in data else None

    def _run_finished(self, _event: Event, data: dict[str, Any]) -> None:
        self.run.status, self.run.seconds = Status(data["status"]), self._seconds + data["seconds"]
        self.over = True

    def _cut_off(self) -> None:
        run = self.run
        run.status, run.seconds = Status.INTERRUPTED, self._seconds + self.lasts
        for notebook in run.notebooks:
            if notebook.executed and notebook.status is Status.BLOCKED:
                _cut_off(notebook)
            for step in notebook.steps:
                if step.status is Status.BLOCKED and not step.blocked_by:
                    step.blocked_by = "the end of the run's process"

    def _notebook(self, data: dict[str, Any]) -> NotebookRun:
        return next(one for one in self.run.notebooks if one.key == data["notebook"])

    def _step(self, data: dict[str, Any]) -> Step:
        place: int = data["part"]
        return self._notebook(data).steps[place]


def read(folder: Path) -> Run:
    """The run whose evidence this folder holds, as far as it has come when it goes on.

    Raises:
        UsageError: There is no log of a run in it, or it is damaged.
    """
    told = replay(folder)
    return told.run if goes_on(folder) else told.end()


def goes_on(folder: Path) -> bool:
    """Whether a process executes the run in this folder now."""
    return events.is_open(folder / events.FILE)


def replay(folder: Path) -> History:
    """The history that a run's log tells; raises as `read` does."""
    history = History(folder)
    log = folder / events.FILE
    try:
        for event in events.read(log):
            history(event)
    except (KeyError, ValueError, TypeError, IndexError, StopIteration):
        raise UsageError(f"{log} was written by another version of ragonotebooks, or is damaged") from None
    return history


def _cut_off(notebook: NotebookRun) -> None:
    notebook.status = Status.INTERRUPTED
    under_way = [step for step in notebook.steps if step.status is Status.INTERRUPTED]
    for step in under_way:
        step.failures = step.failures or [_CUT_OFF]
    notebook.failure = None if under_way else _CUT_OFF


def _nothing(_event: Event, _data: dict[str, Any]) -> None:
    """Events that add nothing to the whole."""


def _notebook(data: dict[str, Any]) -> NotebookRun:
    steps = [Step(one["step"], one["title"], parse_refs(" · ".join(one["objectives"]))) for one in data["steps"]]
    return NotebookRun(data["notebook"], data["title"], steps, data["parameters"])


def _failure(data: dict[str, Any]) -> Failure:
    check = data["check"]
    return Failure(data["error"], data["message"], data["source"], _check(check) if check else None)


def _check(data: dict[str, Any]) -> Check:
    return Check(data["claim"], data["passed"], data["actual"], data["expected"])
