"""`ragonotebooks run`: provision, step by step, and prove each step."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError

if TYPE_CHECKING:
    from ragonotebooks.catalog.notebook import Notebook, Value
    from ragonotebooks.run.results import Mode

What = Annotated[str, typer.Argument(metavar="RUNBOOK", help="A runbook's or notebook's name or path.")]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A parameter of its notebooks.")
]
Sandbox = Annotated[str, typer.Option("--name", metavar="SANDBOX", help="The sandbox to use.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="A new or empty folder for the evidence, instead of runs/TIME-RUNBOOK."),
]


@app.command()
def run(runbook: What, parameter: Parameters = None, name: Sandbox = "default", out: Out = None) -> None:
    """Run a runbook's notebooks in order and stop at the first cell that fails.

    Exit code 0: every step passed its checks; 1: it did not; 130: interrupted.
    """
    execute("run", runbook, parameter or [], name, out)


def execute(mode: "Mode", name: str, pairs: list[str], sandbox: str, out: Path | None) -> None:
    """Run or verify, report in the terminal and as a page, and leave with the exit code that tells how it went."""
    from rich.console import Console

    from ragonotebooks.catalog import runbook
    from ragonotebooks.run import report, summary
    from ragonotebooks.run.progress import Progress
    from ragonotebooks.run.runner import Request
    from ragonotebooks.run.runner import execute as execute_runbook

    book = runbook.load(name)
    values = book.bind(_pairs(pairs))
    console = Console()

    def mark(notebook: "Notebook", bound: "dict[str, Value]") -> None:
        if mode == "run" and bound.get("target") == "sandbox":
            from ragonotebooks.sandbox import client

            # A notebook that asked nothing of the sandbox did not start it, and left nothing there to build upon.
            if client.find(sandbox):
                client.mark_passed(sandbox, notebook.key, bound)

    with Progress(console) as progress:
        result, folder = execute_runbook(Request(book, mode, values, sandbox, out, [progress], mark))
    page = report.write(result, folder)
    summary.show(result, page, console)
    raise typer.Exit(result.exit_code)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name):
            raise UsageError(f"'-p {text}' is not of the form name=value; write -p {name or 'region'}=VALUE")
        if name in pairs:
            raise UsageError(f"parameter '{name}' is given twice; give it once")
        pairs[name] = value
    return pairs
