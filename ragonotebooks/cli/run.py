"""`ragonotebooks run`: provision, step by step, and prove each step."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError

if TYPE_CHECKING:
    from ragonotebooks.catalog.declaration import Value
    from ragonotebooks.catalog.notebook import Notebook
    from ragonotebooks.catalog.runbook import Runbook
    from ragonotebooks.run.results import Mode

What = Annotated[str, typer.Argument(metavar="RUNBOOK", help="A runbook's or notebook's name or path.")]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A parameter of its notebooks.")
]
ParamsFile = Annotated[
    Path | None,
    typer.Option("--params", metavar="FILE", help="Parameters in a YAML or JSON file; -p wins over what it says."),
]
Sandbox = Annotated[
    str, typer.Option("--name", metavar="SANDBOX", envvar="RAGONOTEBOOKS_SANDBOX", help="The sandbox to use.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="A new or empty folder for the evidence, instead of runs/TIME-RUNBOOK."),
]


@app.command()
def run(
    runbook: What,
    parameter: Parameters = None,
    params: ParamsFile = None,
    name: Sandbox = "default",
    out: Out = None,
) -> None:
    """Run a runbook's notebooks in order and stop at the first cell that fails.

    Exit code 0: every step passed its checks; 1: it did not; 130: interrupted.
    """
    execute("run", runbook, given(parameter, params), name, out)


def given(pairs: list[str] | None, file: Path | None) -> dict[str, str]:
    """The parameters of the options -p and --params, as they are written there."""
    from ragonotebooks.catalog import params_file

    return (params_file.read(file) if file else {}) | _pairs(pairs or [])


def execute(mode: "Mode", name: str, given: dict[str, str], sandbox: str, out: Path | None) -> None:
    """Run or verify, report in the terminal and as a page, and leave with the exit code that tells how it went."""
    from rich.console import Console

    from ragonotebooks.catalog import runbook
    from ragonotebooks.run import checklist, checklist_page, report, summary
    from ragonotebooks.run.progress import Progress
    from ragonotebooks.run.runner import Request
    from ragonotebooks.run.runner import execute as execute_runbook

    book = runbook.load(name)
    values = book.bind(given)
    sandboxed = _target(book, values) == "sandbox"
    if sandboxed:
        _check_sandbox(sandbox, mode, book.name)
    console = Console()

    def mark(notebook: "Notebook", bound: "dict[str, Value]") -> None:
        if mode == "run" and sandboxed:
            from ragonotebooks.sandbox import client

            # A notebook that asked nothing of the sandbox did not start it, and left nothing there to build upon.
            if client.find(sandbox):
                client.mark_passed(sandbox, notebook.key, bound)

    with Progress(console) as progress:
        result, folder = execute_runbook(Request(book, mode, values, sandbox, out, [progress], mark))
    page = report.write(result, folder)
    summary.show(result, page, console)
    if sandboxed and result.exit_code:
        _tell_of_death(sandbox)
    judged = checklist.judge(result, book.checklist)
    if judged:
        summary.show_checklist(judged, checklist_page.write(result, judged, folder), console)
    raise typer.Exit(result.exit_code or int(checklist.worst(judged) != "pass"))


def _target(book: "Runbook", values: "dict[str, Value]") -> "Value | None":
    defaults = {parameter.name: parameter.default for parameter in book.parameters}
    return (defaults | values).get("target")


def _check_sandbox(name: str, mode: "Mode", runbook: str) -> None:
    """Refuse before anything is written what no notebook could use; `connect` starts a sandbox for a run, not for this."""
    from ragonotebooks.sandbox import client

    if client.find(name) is None and mode == "verify":
        raise UsageError(
            f"there is nothing to verify, no sandbox {name} runs; bring it up with: "
            f"ragonotebooks run {runbook} --name {name}"
        )


def _tell_of_death(sandbox: str) -> None:
    """Name the cause when every client failed because the sandbox died."""
    from ragonotebooks.sandbox import client
    from ragonotebooks.sandbox.state import folder_of, read_state
    from ragonotebooks.sandbox.status import absence

    if client.find(sandbox) is None and read_state(folder_of(sandbox)):
        typer.echo(f"ragonotebooks: {absence(sandbox)}", err=True)


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
