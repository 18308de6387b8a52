"""`ragonotebooks list`: what can be run and learned here."""

import json
from typing import Annotated

import typer

from ragonotebooks.cli import app


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """List the runbooks and the lessons."""
    from ragonotebooks.catalog import notebook, runbook
    from ragonotebooks.cli import facts, tables

    books = [facts.of_runbook(runbook.load(name)) for name in runbook.names()]
    lessons = [facts.of_lesson(notebook.read(path)) for path in notebook.lessons()]
    if as_json:
        typer.echo(json.dumps({"runbooks": books, "lessons": lessons}, ensure_ascii=False, indent=2))
        return
    rows = [[one["name"], one["title"], one["cloud"], len(one["notebooks"])] for one in books]
    tables.show("Runbooks", ["name", "title", "cloud", "notebooks"], rows)
    fields = ["key", "title", "minutes", "cost"]
    tables.show("Lessons", [*fields[:3], "costs"], [[one[field] for field in fields] for one in lessons])
