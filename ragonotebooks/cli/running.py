"""What `run`, `verify` and `resume` do alike: show a run as it happens, report on it, and end with its exit code."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ragonotebooks.run.memory import memory

if TYPE_CHECKING:
    from ragonotebooks.run.request import Request
    from ragonotebooks.run.results import Run


def carry_out(request: "Request", run: Callable[["Request"], tuple["Run", Path]]) -> None:
    """Have the request run, report in the terminal and as a page, and leave with the exit code that tells how it went.

    Raises:
        RagonotebooksError: The report cannot be kept; how the run went is printed all the same.
    """
    from rich.console import Console

    from ragonotebooks.run import checklist, checklist_page, report, summary
    from ragonotebooks.run.progress import Progress

    console = Console()
    with Progress(console) as progress:
        result, folder = run(replace(request, listeners=[progress], on_passed=memory(request)))
    page = folder / report.FILE
    with summary.shown(result, page, console):
        report.write(result, folder)
    if request.sandboxed and result.exit_code:
        _tell_of_death(request.sandbox)
    judged = checklist.judge(result, request.runbook.checklist)
    if judged:
        summary.show_checklist(judged, checklist_page.write(result, judged, folder), console)
    raise typer.Exit(result.exit_code or int(checklist.worst(judged) != "pass"))


def _tell_of_death(sandbox: str) -> None:
    """Name the cause when every client failed because the sandbox died."""
    from ragonotebooks.sandbox import client
    from ragonotebooks.sandbox.state import folder_of, read_state
    from ragonotebooks.sandbox.status import absence

    if client.find(sandbox) is None and read_state(folder_of(sandbox)):
        typer.echo(f"ragonotebooks: {absence(sandbox)}", err=True)
