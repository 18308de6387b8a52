"""`ragonotebooks report`: a run's report, written again or in another form."""

from pathlib import Path
from typing import Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.cleaning import Sandbox, Target, enter
from ragonotebooks.cli.resume import Run
from ragonotebooks.errors import UsageError

Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="html, json, junit or md.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it, instead of the terminal.")]


To = Annotated[
    str, typer.Option("--to", metavar="ADDRESS", help="Send it to s3://BUCKET/KEY or gs://BUCKET/KEY, of --target.")
]


@app.command()
def report(
    run: Run = None,
    form: Format = "html",
    out: Out = None,
    to: To = "",
    target: Target = "sandbox",
    name: Sandbox = "default",
) -> None:
    """Report on a run, whatever ended it: html into its folder, other forms into the terminal, or any into a file.

    Or to a bucket, of a sandbox unless the target is the cloud; below an address that ends in a slash it gets the run's name.
    """
    from ragonotebooks.catalog.nearest import did_you_mean
    from ragonotebooks.run import export, history, record, sending

    if form not in export.FORMATS:
        raise UsageError(f"there is no format '{form}'; {did_you_mean(form, export.FORMATS)}")
    if to and out:
        raise UsageError("a report goes to a file or to a bucket; give --out or --to, not both")
    address = sending.address(to) if to else None
    where = record.find(run)
    text = export.FORMATS[form](history.read(where))
    if address:
        if target == "sandbox":
            enter(name)
        typer.echo(str(sending.send(text, form, where.name, address)))
    else:
        _write(text, form, where, out)


def _write(text: str, form: str, where: Path, out: Path | None) -> None:
    from ragonotebooks.run import folder, report

    path = out or (where / report.FILE if form == "html" else None)
    if path is None:
        typer.echo(text, nl=False)
        return
    folder.write(path, text)
    typer.echo(str(path))
