"""`ragonotebooks run`: provision, step by step, and prove each step."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.consent import Account, Yes
from ragonotebooks.errors import UsageError

if TYPE_CHECKING:
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
    account: Account = None,
    yes: Yes = False,
) -> None:
    """Run a runbook's notebooks in order and stop at the first cell that fails.

    Exit code 0: every step passed its checks; 1: it did not; 2: wrong input; 3: it waits for an approval; 130: interrupted.
    """
    execute("run", runbook, given(parameter, params), name, out, account, yes)


def given(pairs: list[str] | None, file: Path | None) -> dict[str, str]:
    """The parameters of the options -p and --params, as they are written there."""
    from ragonotebooks.catalog import params_file

    return (params_file.read(file) if file else {}) | _pairs(pairs or [])


def execute(
    mode: "Mode",
    name: str,
    given: dict[str, str],
    sandbox: str,
    out: Path | None,
    account: str | None = None,
    yes: bool = False,
) -> None:
    """Run or verify the runbook of this name or path; see `carry_out`."""
    from ragonotebooks.catalog import runbook
    from ragonotebooks.cli import consent
    from ragonotebooks.cli.running import carry_out
    from ragonotebooks.run import runner
    from ragonotebooks.run.request import Request

    book = runbook.load(name)
    source = str(Path(name).absolute()) if Path(name).is_file() else name
    request = Request(book, mode, book.bind(given), sandbox, source, out)
    if request.sandboxed:
        _check_sandbox(sandbox, mode, book.name)
    carry_out(consent.obtain(request, book.notebooks, account, yes), runner.execute)


def _check_sandbox(name: str, mode: "Mode", runbook: str) -> None:
    """Refuse before anything is written what no notebook could use; `connect` starts a sandbox for a run, not for this."""
    from ragonotebooks.sandbox import client

    if client.find(name) is None and mode == "verify":
        raise UsageError(
            f"there is nothing to verify, no sandbox {name} runs; bring it up with: "
            f"ragonotebooks run {runbook} --name {name}"
        )


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
