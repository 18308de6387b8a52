"""A run in the terminal: one line for each thing a person waits for, and on a terminal one live line under them."""

from time import monotonic
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from ragonotebooks.run.events import Event, label
from ragonotebooks.run.results import Status

SIGNS = {
    Status.PASSED: "✓",
    Status.FAILED: "✗",
    Status.BLOCKED: "∅",
    Status.SKIPPED: "-",
    Status.INTERRUPTED: "■",
    Status.WAITING: "‖",
}
_COLOURS = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.BLOCKED: "yellow",
    Status.SKIPPED: "dim",
    Status.INTERRUPTED: "bold yellow",
    Status.WAITING: "bold yellow",
}
_WIDEST_LABEL = 60


class Progress:
    """Listens to a run's events and prints them; used as a context manager around the run.

    Sections without a number are printed only when something is wrong with them, blocked steps as one line a notebook.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, refresh_per_second=8) if console.is_terminal else None
        self._key_width = self._label_width = 0
        self._blocked: list[str] = []

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Print what the event means to a person, if it means something."""
        show = getattr(self, f"_{event.name}", None)
        if show:
            show(event.data)

    def _run_started(self, data: dict[str, Any]) -> None:
        keys = [notebook["notebook"] for notebook in data["notebooks"]]
        self._key_width = max(map(len, keys), default=0)
        labels = [len(label(step)) for notebook in data["notebooks"] for step in notebook["steps"]]
        self._label_width = min(max(labels, default=0), _WIDEST_LABEL)
        count = f"{len(keys)} notebook{'s' * (len(keys) != 1)}"
        self._print(f"[bold]{data['mode']} {escape(data['runbook'])}[/] · {count} · {escape(data['target'])}")
        if dead := data["took_over"]:
            self._print(
                f"[yellow]takes over from a run of {escape(dead['runbook'])} that died ({escape(dead['folder'])})[/]"
            )

    def _run_resumed(self, data: dict[str, Any]) -> None:
        self._run_started(data | {"mode": "resume"})

    def _approved(self, data: dict[str, Any]) -> None:
        self._print(f"{escape(data['by'])} approves {escape(data['notebook'])} · {escape(label(data))}")

    def _notebook_started(self, data: dict[str, Any]) -> None:
        self._print(f"[bold]{self._key(data)}  {escape(data['title'])}[/]")
        self._wait_for(f"{data['notebook']}  its kernel starts")

    def _step_started(self, data: dict[str, Any]) -> None:
        self._wait_for(f"{data['notebook']}  {label(data)}")

    def _attempt_failed(self, data: dict[str, Any]) -> None:
        attempt = f"attempt {data['attempt']} of {data['attempts']} failed, again in {data['wait']:g} s"
        step = escape(f"{label(data):<{self._label_width}}")
        self._print(f"{self._key(data)}  {step}  [{_COLOURS[Status.INTERRUPTED]}]↻ {attempt}[/]")
        self._tell(data["failures"])

    def _step_finished(self, data: dict[str, Any]) -> None:
        status = Status(data["status"])
        if status is Status.BLOCKED and data["step"] is not None:
            self._blocked.append(data["blocked_by"])
        if status is Status.BLOCKED or (data["step"] is None and status in (Status.PASSED, Status.SKIPPED)):
            return
        result = f"[{_COLOURS[status]}]{SIGNS[status]} {escape(_result(status, data)):<10}[/]"
        seconds = f"[dim]{data['seconds']:6.1f} s[/]" if status in (Status.PASSED, Status.FAILED) else ""
        step = escape(f"{label(data):<{self._label_width}}")
        self._print(f"{self._key(data)}  {step}  {result}{seconds}".rstrip())
        self._tell(data["failures"])

    def _tell(self, failures: list[dict[str, Any]]) -> None:
        for failure in failures:
            self._print(f"{'':<{self._key_width}}  [red]{escape(_what(failure))}[/]")

    def _notebook_finished(self, data: dict[str, Any]) -> None:
        if "failure" in data:
            self._print(f"{self._key(data)}  [red]✗ {escape(_what(data['failure']))}[/]")
        if self._blocked:
            count = f"{len(self._blocked)} step{'s' * (len(self._blocked) != 1)}"
            reason = f"{SIGNS[Status.BLOCKED]} {count} blocked by {self._blocked[0]}"
            self._print(f"{self._key(data)}  [{_COLOURS[Status.BLOCKED]}]{escape(reason)}[/]")
            self._blocked.clear()

    def _run_finished(self, data: dict[str, Any]) -> None:
        if self._live:
            self._live.update("")

    def _wait_for(self, what: str) -> None:
        if self._live:
            self._live.update(_Waiting(what))

    def _key(self, data: dict[str, Any]) -> str:
        return escape(f"{data['notebook']:<{self._key_width}}")

    def _print(self, line: RenderableType) -> None:
        # Long lines are left to the terminal: a log that is searched must not have them broken.
        self._console.print(line, highlight=False, soft_wrap=True)


class _Waiting:
    """The live line: a spinner, what is executed, and for how long."""

    def __init__(self, what: str) -> None:
        self._started = monotonic()
        self._what = what
        self._spinner = Spinner("dots", style="cyan")

    def __rich__(self) -> RenderableType:
        self._spinner.update(text=Text(f"{self._what}  {monotonic() - self._started:.0f} s", style="dim"))
        return self._spinner


def _result(status: Status, data: dict[str, Any]) -> str:
    if status is Status.PASSED:
        return f"{data['checks']} check{'s' * (data['checks'] != 1)}"
    return str(status)


def _what(failure: dict[str, Any]) -> str:
    """The failure in one line; the executed notebook has the rest."""
    first, *rest = failure["message"].strip().splitlines() or [""]
    text = f"{first} …" if rest else first
    return text if failure["error"] == "CheckFailed" else f"{failure['error']}: {text}"
