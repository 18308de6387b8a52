"""`ragonotebooks test`: runs the cases of runbooks, and says of each whether it holds."""

import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.errors import RagonotebooksError, UsageError

if TYPE_CHECKING:
    from ragonotebooks.trial.cases import Case, Trial

What = Annotated[list[str], typer.Argument(metavar="RUNBOOK…", help="Names of runbooks.")]
Only = Annotated[str | None, typer.Option("--case", metavar="CASE", help="Only the case of this name.")]
Sandbox = Annotated[
    str | None,
    typer.Option("--name", metavar="SANDBOX", help="A sandbox to test in that stays, instead of a throw-away one."),
]


@app.command("test")
def try_cases(runbooks: What, case: Only = None, name: Sandbox = None) -> None:
    """Run the cases of runbooks, as runbooks/tests declares them, and print a line for each.

    They share a throw-away sandbox as long as they hold; behind one that does not, the next begins in a fresh one. Exit
    code 0: all hold; 1: one does not; 2: a file of cases is wrong; 130: interrupted.
    """
    from ragonotebooks.catalog import runbook
    from ragonotebooks.sandbox import client
    from ragonotebooks.sandbox.throwaway import throwaway
    from ragonotebooks.trial.reading import read

    trials = [_with(read(runbook.load(one)), case) for one in runbooks]
    every = True
    with ExitStack() as stack:
        sandbox = name or stack.enter_context(throwaway("test")).name
        for trial in trials:
            for one in trial.cases:
                holds = _holds(trial, one, sandbox)
                every = every and holds
                if not holds and name is None:
                    client.down(sandbox)
    raise typer.Exit(0 if every else 1)


def _with(trial: "Trial", name: str | None) -> "Trial":
    """The trial with the one case of this name, or with all for None."""
    from ragonotebooks.catalog.nearest import did_you_mean

    if name is None:
        return trial
    names = [one.name for one in trial.cases]
    if name not in names:
        raise UsageError(f"{trial.runbook.name} has no case '{name}'; {did_you_mean(name, names)}")
    return replace(trial, cases=(trial.cases[names.index(name)],))


def _holds(trial: "Trial", case: "Case", sandbox: str) -> bool:
    """Do a case and print its line; the evidence of one that does not hold stays."""
    started, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="ragonotebooks-test-"))
    problems = _problems(trial, case, sandbox, folder)
    line = f"{trial.runbook.name} · {case.name}"
    if not problems:
        shutil.rmtree(folder)
        typer.echo(f"✓ {line} ({time.monotonic() - started:.1f} s)")
        return True
    typer.echo(f"✗ {line}: {'; '.join(problems)}; see {folder}")
    return False


def _problems(trial: "Trial", case: "Case", sandbox: str, folder: Path) -> list[str]:
    from ragonotebooks.cli import trying
    from ragonotebooks.trial import judging

    try:
        for place, book in enumerate(trial.before):
            trying.bring_up(book, sandbox, folder / f"before-{place + 1}")
        outcome = trying.carry_out(trial.runbook, case, sandbox, folder / "run")
    except RagonotebooksError as error:
        return [str(error)]
    return list(judging.problems(case, outcome))
