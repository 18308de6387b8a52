"""`ragonotebooks show`: one runbook or lesson, seen from the outside."""

import json
from typing import Annotated, Any

import typer

from ragonotebooks.cli import app


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A runbook such as deploy-aws, or a lesson such as aws/02-storage.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show a runbook or a lesson: its steps with their objectives, its parameters, needs and prices."""
    from ragonotebooks.catalog import runbook
    from ragonotebooks.cli import facts

    book = runbook.load(name)
    lessons = [facts.of_lesson(one) | {"prices": facts.prices(one)} for one in book.notebooks]
    known = facts.of_runbook(book) | {"notebooks": lessons}
    if as_json:
        typer.echo(json.dumps(known, ensure_ascii=False, indent=2))
    else:
        _print(known)


def _print(book: dict[str, Any]) -> None:
    from ragonotebooks.cli import tables

    typer.echo(f"{book['title']}\n{book['purpose']}\n")
    lessons = book["notebooks"]
    fields = ["key", "title", "minutes", "risk", "cost"]
    rows = [[*(one[field] for field in fields), "\n".join(one["needs"])] for one in lessons]
    tables.show("Lessons", ["key", "title", "minutes", "does", "costs", "needs"], rows)
    steps = [
        [one["key"], step["number"], step["title"], "\n".join(step["objectives"])]
        for one in lessons
        for step in one["steps"]
    ]
    tables.show("Steps", ["lesson", "step", "title", "objectives"], steps)
    parameters = [[p["name"], p["takes"], _default(p), p["comment"]] for p in book["parameters"]]
    tables.show("Parameters: -p name=value, or --params FILE", ["name", "takes", "default", "meaning"], parameters)
    fields = ["service", "item", "quantity", "unit", "usd", "month"]
    prices = [[line[field] for field in fields] for one in lessons for line in one["prices"]]
    if prices:
        month = sum(line["month"] for one in lessons for line in one["prices"])
        tables.show(f"Prices in US dollars, together {month:.2f} a month", [*fields[:4], "a unit", "a month"], prices)


def _default(parameter: dict[str, Any]) -> str:
    if parameter["required"]:
        return "(required)"
    default = parameter["default"]
    return str(default).lower() if isinstance(default, bool) else str(default)
