"""`ragonotebooks new`: begins a lesson or a runbook with a small one that works."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from ragonotebooks.cli import app
from ragonotebooks.errors import RagonotebooksError

Name = Annotated[str, typer.Argument(help="What it is called, such as archive-papers.")]
Cloud = Annotated[Literal["aws", "gcp"], typer.Option(help="Which cloud.")]

new = typer.Typer(no_args_is_help=True, help="Begin a lesson or a runbook: a small one that works, to be rewritten.")
app.add_typer(new, name="new")


@new.command()
def lesson(name: Name, cloud: Cloud = "aws") -> None:
    """Begin a lesson behind the last one of its cloud, executed and saved with its outputs."""
    from ragonotebooks.author import beginnings

    (path,) = _write(beginnings.lesson(name, cloud))
    typer.echo(f"rewrite it, name it in runbooks/deploy-{cloud}.yaml and in README.md, and check it with:")
    typer.echo(f"  ragonotebooks lint {cloud}/{path.stem}")


@new.command()
def runbook(name: Name, cloud: Cloud = "aws") -> None:
    """Begin a runbook with a notebook of its own and the cases that it is tested with."""
    from ragonotebooks.author import beginnings

    _write(beginnings.runbook(name, cloud))
    typer.echo("rewrite them, and check them with:")
    typer.echo(f"  ragonotebooks lint {name} runbooks/{cloud}/{name} && ragonotebooks test {name}")


def _write(files: Mapping[Path, str]) -> list[Path]:
    """Write new files, notebooks executed in a throw-away sandbox; nothing is left of them when a cell fails."""
    from nbclient.exceptions import CellExecutionError

    from ragonotebooks.catalog.project import shown
    from ragonotebooks.cli.saving import save
    from ragonotebooks.sandbox.throwaway import throwaway

    try:
        with throwaway("new") as sandbox:
            for path, text in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                if path.suffix == ".ipynb":
                    save(path, sandbox.name)
    except BaseException as error:
        for path in files:
            path.unlink(missing_ok=True)
        if isinstance(error, CellExecutionError):
            raise RagonotebooksError(f"nothing was begun, a cell fails here: {error.ename}: {error.evalue}") from None
        raise
    for path in files:
        typer.echo(shown(path))
    return list(files)
