"""`ragonotebooks lint`: checks lessons and runbooks against the numbered rules."""

from typing import Annotated

import typer

from ragonotebooks.cli import app


@app.command()
def lint(
    paths: Annotated[list[str] | None, typer.Argument(help="Notebooks, runbooks, folders; all by default.")] = None,
) -> None:
    """Check lessons and runbooks; every problem names its place and its fix."""
    from ragonotebooks.catalog import lint as linter

    problems = linter.lint(paths or [])
    for problem in problems:
        typer.echo(str(problem))
    if problems:
        typer.echo(f"problems: {len(problems)}", err=True)
        raise typer.Exit(1)
