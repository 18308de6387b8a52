"""`ragonotebooks objectives`: how much of each exam the lessons cover, from the evidence in executed notebooks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app

if TYPE_CHECKING:
    from ragonotebooks.learn.coverage import ExamCoverage


@app.command()
def objectives(
    exam: Annotated[str | None, typer.Argument(help="An exam such as DEA-C01; all by default.")] = None,
    run: Annotated[Path | None, typer.Option(help="Take the evidence from this run folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show the coverage of the exams: an objective counts when a step that names it passed its checks."""
    from ragonotebooks.catalog import objectives as guides
    from ragonotebooks.learn.coverage import coverage, executed

    wanted = [guides.exam(exam).code] if exam else list(guides.exams())
    found = [one for one in coverage(executed(run)) if one.exam.code in wanted]
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found], ensure_ascii=False, indent=2))
    elif exam:
        _print_exam(found[0])
    else:
        _print_exams(found)


def _print_exams(found: "list[ExamCoverage]") -> None:
    from ragonotebooks.cli import tables

    rows = [[one.exam.code, one.exam.name, f"{one.covered}/{one.total}", f"{one.weighted:.0%}"] for one in found]
    tables.show("Coverage", ["exam", "name", "objectives", "weighted"], rows)


def _print_exam(found: "ExamCoverage") -> None:
    from ragonotebooks.cli import tables

    rows = [
        [
            objective.ref.id,
            objective.title,
            ", ".join(f"{_number(proof.lesson)} step {proof.step}" for proof in found.evidence[objective.ref]),
        ]
        for objective in found.exam.objectives
    ]
    title = f"{found.exam.code}: {found.covered}/{found.total} objectives, {found.weighted:.0%} by weight"
    tables.show(title, ["id", "objective", "proven by"], rows)
    typer.echo(found.exam.url)


def _number(title: str) -> str:
    """`AWS 02` of `AWS 02 · The artifact bucket`."""
    return title.partition(" · ")[0]
