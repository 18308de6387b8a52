"""The end of a run for the person at the terminal: how it went, what failed and where to look."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent

from rich.console import Console
from rich.markup import escape

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.run import checklist
from ragonotebooks.run.checklist import Judged
from ragonotebooks.run.progress import SIGNS
from ragonotebooks.run.results import Failure, NotebookRun, Run, Status

_COLOURS = {
    Status.PASSED: "bold green",
    Status.FAILED: "bold red",
    Status.INTERRUPTED: "bold yellow",
    Status.WAITING: "bold yellow",
}


@contextmanager
def shown(run: Run, report: Path, console: Console) -> Iterator[None]:
    """Print how the run went around a block that writes its report; the report's path last, when it was written.

    Raises:
        RagonotebooksError: The block could not write.
    """
    _show(run, console)
    if run.mode == "run" and run.exit_code:
        verb = "approve" if run.status is Status.WAITING else "resume"
        _line(console, f"  {verb:<8}ragonotebooks {verb} {escape(_near(report.parent))}")
    try:
        yield
    except OSError as error:
        raise RagonotebooksError(
            f"the report {_near(report)} cannot be written ({error.strerror}); "
            f"make room, then write it with: ragonotebooks report {_near(report.parent)}"
        ) from None
    _line(console, f"  report  {escape(_near(report))}")


def _show(run: Run, console: Console) -> None:
    """Print every failure with its cell, then the totals."""
    for notebook in run.notebooks:
        for step in notebook.steps:
            for failure in step.failures:
                _show_failure(notebook, step.label, failure, console)
        if notebook.failure:
            _show_failure(notebook, "", notebook.failure, console)
    if run.waiting:
        notebook, step = run.waiting
        console.print()
        _line(console, f"[bold yellow]‖ {escape(notebook.key)}[/]{escape(f' · {step.label}')}")
        _line(console, f"  waits for an approval: {escape(step.waits_for)}")
    steps = [step for _, step in run.steps if step.number is not None]
    checks = [check for _, step in run.steps for check in step.checks]
    passed, held = sum(step.status is Status.PASSED for step in steps), sum(check.passed for check in checks)
    status = f"[{_COLOURS[run.status]}]{SIGNS[run.status]} {run.status}[/]"
    totals = f"{passed} of {len(steps)} steps passed · {held} of {len(checks)} checks hold · {run.seconds:.1f} s"
    console.print()
    _line(console, f"{status} · {totals}")


def show_checklist(judged: Iterable[Judged], page: Path, console: Console) -> None:
    """Print every line of a checklist with its verdict, and below one that does not pass why."""
    console.print()
    for line in judged:
        colour = _COLOURS.get(checklist.STATUS[line.verdict], "bold yellow")
        _line(console, f"[{colour}]{checklist.SIGNS[line.verdict]} {line.verdict:<8}[/]{escape(line.title)}")
        for one in line.evidence:
            for reason in one.reasons:
                _line(console, escape(f"          {one.place}\n            {reason}"))
    _line(console, f"  checklist  {escape(_near(page))}")


def _show_failure(notebook: NotebookRun, step: str, failure: Failure, console: Console) -> None:
    console.print()
    _line(console, f"[bold red]✗ {escape(notebook.key)}[/]{escape(f' · {step}' if step else '')}")
    _line(console, escape(indent(_said(failure), "  ")))
    if failure.source:
        _line(console, f"  [dim]{escape(indent(failure.source, '  │ ').lstrip())}[/]")
    if notebook.executed:
        _line(console, f"  see {escape(_near(notebook.executed))}")


def _said(failure: Failure) -> str:
    if check := failure.check:
        return f"{check.claim}\n  is         {check.actual}\n  should be  {check.expected}"
    return f"{failure.error}: {failure.message.strip()}"


def _near(path: Path) -> str:
    """The path from the current folder when it is inside of it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
