"""`ragonotebooks rehearse`: what a runbook would do for real, found out in a sandbox of its own."""

import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.run import Out, Parameters, ParamsFile, What, given

if TYPE_CHECKING:
    from rich.console import Console

    from ragonotebooks.catalog.runbook import Runbook
    from ragonotebooks.rehearse.plan import Plan
    from ragonotebooks.run.events import Listener
    from ragonotebooks.run.request import Request
    from ragonotebooks.run.results import Run

After = Annotated[
    list[str] | None,
    typer.Option("--after", metavar="RUNBOOK", help="What has been run before, besides what its notebooks need."),
]
Prove = Annotated[
    bool, typer.Option("--prove", help="Run it once more where it is allowed nothing but what it needed.")
]


@app.command()
def rehearse(
    runbook: What,
    parameter: Parameters = None,
    params: ParamsFile = None,
    after: After = None,
    out: Out = None,
    prove: Prove = False,
) -> None:
    """Run a runbook in a sandbox of its own, and tell what it would do for real.

    The run's folder gets the plan: every change in order, what the cloud has to allow for it, price, time, objectives. The
    parameter `target` does not matter. Exit codes are those of `run`; 1 also when the proof fails.
    """
    from rich.console import Console

    from ragonotebooks.catalog import runbook as runbooks
    from ragonotebooks.rehearse import files
    from ragonotebooks.run import folder as folders
    from ragonotebooks.run.request import Request
    from ragonotebooks.run.results import Status

    book = runbooks.load(runbook)
    if out:
        # one that cannot be used is refused before all that comes first
        folders.discard(folders.create(out, book.name))
    values = {name: value for name, value in book.bind(given(parameter, params)).items() if name != "target"}
    before = [runbooks.load(one) for one in after or ()]
    asked, console = Request(book, "rehearse", values, "", runbook, out), Console()
    plan, folder = _rehearsed(asked, before, console)
    files.write(plan, folder)
    if prove:
        run = _proof(replace(asked, out=folder / "proof"), before, plan, console)
        plan = replace(plan, proven=run.status is Status.PASSED)
        files.write(plan, folder)
    _show(plan, folder, console)
    raise typer.Exit(int(plan.proven is False))


def _rehearsed(asked: "Request", before: "list[Runbook]", console: "Console") -> "tuple[Plan, Path]":
    """What the runbook would do, and the folder with the evidence; leaves with the run's exit code when it does not pass."""
    from ragonotebooks.rehearse.calls import Place
    from ragonotebooks.rehearse.plan import Steps, make
    from ragonotebooks.sandbox import rights
    from ragonotebooks.sandbox.ledger import end_of_ledger, read_ledger
    from ragonotebooks.sandbox.state import folder_of
    from ragonotebooks.sandbox.throwaway import throwaway

    with throwaway("rehearsal") as state:
        request = replace(asked, sandbox=state.name)
        _prepare(request, before, console)
        ledger, steps = folder_of(state.name), Steps()
        start = end_of_ledger(ledger)
        run, folder = _run(request, console, steps)
        _tell(run, folder, console)
        calls = [call for call in read_ledger(ledger, start=start) if rights.is_operators(call)]
        if run.exit_code:
            raise typer.Exit(run.exit_code)
        return make(asked.runbook, run, steps, calls, Place(state.account, state.project, state.project_number)), folder


def _proof(asked: "Request", before: "list[Runbook]", plan: "Plan", console: "Console") -> "Run":
    """The runbook once more, in another sandbox whose operator has the plan's rights and no others."""
    from ragonotebooks.sandbox import rights
    from ragonotebooks.sandbox.throwaway import throwaway

    with throwaway("rehearsal") as state:
        request = replace(asked, sandbox=state.name)
        _prepare(request, before, console)
        rights.limit(state, plan.policies, plan.role["includedPermissions"] if plan.role else [])
        console.print("\nOnce more, with the rights of the plan and no others:\n")
        run, folder = _run(request, console)
        _tell(run, folder, console)
        return run


def _prepare(request: "Request", before: "list[Runbook]", console: "Console") -> None:
    """Run what the runbook builds on, with its region and the name of its deployment; leave when that does not pass."""
    from ragonotebooks.catalog.runbook import Runbook
    from ragonotebooks.rehearse.standing import needed

    book = request.runbook
    lessons = tuple(needed(book, before))
    rest = [Runbook(f"what {book.name} needs", "", book.cloud, "", lessons)] if lessons else []
    for one in (*before, *rest):
        known = {parameter.name for parameter in one.parameters} & {"region", "name"}
        values = {name: value for name, value in request.values.items() if name in known}
        where = Path(tempfile.mkdtemp(prefix="ragonotebooks-rehearsal-"))
        run, _ = _run(replace(request, runbook=one, values=values, out=where), console)
        if run.exit_code:
            _tell(run, where, console)
            raise typer.Exit(run.exit_code)
        shutil.rmtree(where)


def _run(request: "Request", console: "Console", *listeners: "Listener") -> "tuple[Run, Path]":
    from ragonotebooks.run import runner
    from ragonotebooks.run.memory import memory
    from ragonotebooks.run.progress import Progress

    # what is not remembered, connect would bring up again
    with Progress(console) as progress:
        return runner.execute(replace(request, listeners=[progress, *listeners], on_passed=memory(request)))


def _tell(run: "Run", folder: Path, console: "Console") -> None:
    """How a run went, in the terminal and as a page."""
    from ragonotebooks.run import report, summary

    with summary.shown(run, folder / report.FILE, console):
        report.write(run, folder)


def _show(plan: "Plan", folder: Path, console: "Console") -> None:
    """The plan in short."""
    from rich.markup import escape

    from ragonotebooks.rehearse import files

    changes: dict[str, Counter[str]] = {}
    for change in plan.changes:
        changes.setdefault(change.step, Counter())[change.call] += 1
    price = f" · {text}" if (text := files.price(plan)) else ""
    proven = {None: "", True: " · its rights are enough", False: " · [bold red]✗ its rights are not enough[/]"}
    lines = ["", "[bold]What it would do[/]"]
    for step, calls in changes.items():
        lines += [escape(step), f"  [dim]{', '.join(_times(*one) for one in calls.items())}[/]"]
    lines += [escape(f"{step} waits for an approval: {why}") for step, why in plan.approvals.items()]
    lines += ["", f"{len(plan.changes)} changes of {len(plan.resources)} resources{price}{proven[plan.proven]}"]
    lines += [f"  {escape(str(folder / name))}" for name in (files.PAGE, *files.rights(plan))]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _times(call: str, count: int) -> str:
    return call if count == 1 else f"{call} × {count}"
