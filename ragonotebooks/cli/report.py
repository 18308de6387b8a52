"""`ragonotebooks report`: a run's report, written again or in another form."""

from pathlib import Path
from typing import Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.resume import Run
from ragonotebooks.errors import UsageError

Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="html, json, junit or md.")]
To = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it, instead of the terminal.")]


@app.command()
def report(run: Run = None, form: Format = "html", out: To = None) -> None:
    """Report on a run, whatever ended it: html into its folder, other forms into the terminal, or any into a file."""
    from ragonotebooks.catalog.nearest import did_you_mean
    from ragonotebooks.run import export, folder, history, record
    from ragonotebooks.run import report as page

    if form not in export.FORMATS:
        raise UsageError(f"there is no format '{form}'; {did_you_mean(form, export.FORMATS)}")
    where = record.find(run)
    text = export.FORMATS[form](history.read(where))
    path = out or (where / page.FILE if form == "html" else None)
    if path is None:
        typer.echo(text, nl=False)
        return
    folder.write(path, text)
    typer.echo(str(path))
