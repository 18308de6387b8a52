"""`ragonotebooks runs` and `diff`: what was run here, and what changed from one run to another."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragonotebooks.cli import app

if TYPE_CHECKING:
    from ragonotebooks.run.results import Run

Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


@app.command()
def runs(as_json: Json = False) -> None:
    """List the runs below `runs` in the current folder, the oldest first."""
    from ragonotebooks.cli import tables
    from ragonotebooks.run import record

    found = [_facts(where) for where in record.runs()]
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    rows = [[*(one[field] for field in ("run", "mode", "target", "status", "steps")), one["seconds"]] for one in found]
    tables.show("Runs", ["run", "mode", "on", "status", "steps passed", "seconds"], rows)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or its name below runs.")],
    after: Annotated[str, typer.Argument(metavar="RUN", help="Another one.")],
    as_json: Json = False,
) -> None:
    """Show what changed from one run to another: parameters, steps, checks, the price.

    Exit code 0: nothing; 1: something.
    """
    from dataclasses import asdict

    from ragonotebooks.cli import tables
    from ragonotebooks.run import history, record
    from ragonotebooks.run.difference import differences

    found = differences(*(history.read(record.find(one)) for one in (before, after)))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
    else:
        rows = [[one.place or "the run", one.what, one.before, one.after] for one in found]
        tables.show("What changed", ["where", "what", "before", "after"], rows)
    raise typer.Exit(int(bool(found)))


def _facts(where: Path) -> dict[str, Any]:
    from ragonotebooks.errors import UsageError
    from ragonotebooks.run import history

    try:
        return {"run": where.name} | _of_run(history.read(where), history.goes_on(where))
    except UsageError as error:
        unknown = dict.fromkeys(("runbook", "mode", "target", "steps", "seconds"))
        return {"run": where.name} | unknown | {"status": f"unreadable: {error}"}


def _of_run(run: "Run", goes_on: bool) -> dict[str, Any]:
    from ragonotebooks.run.results import Status

    steps = [step for _, step in run.steps if step.number is not None]
    passed = sum(step.status is Status.PASSED for step in steps)
    return {
        "runbook": run.runbook,
        "mode": run.mode,
        "target": run.target,
        "status": "running" if goes_on else run.status,
        "steps": f"{passed} of {len(steps)}",
        "seconds": round(run.seconds, 1),
    }
