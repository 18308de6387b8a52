"""`ragonotebooks schedule`: what makes a cloud run a runbook regularly."""

from pathlib import Path
from typing import Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.run import Parameters, ParamsFile, What, given
from ragonotebooks.errors import UsageError

When = Annotated[str, typer.Option("--cron", metavar="FIELDS", help="Five fields of cron, such as '0 6 * * MON-FRI'.")]
Zone = Annotated[str, typer.Option("--timezone", metavar="ZONE", help="The time zone of that, such as Europe/Berlin.")]
Account = Annotated[str, typer.Option("--account", metavar="ID", help="The AWS account, or the project, to run it in.")]
Image = Annotated[str, typer.Option("--image", metavar="IMAGE", help="An image with the project installed in it.")]
Subnets = Annotated[
    list[str] | None, typer.Option("--subnet", metavar="ID", help="On AWS, a subnet that the internet is reached from.")
]


@app.command()
def schedule(
    runbook: What,
    cron: When,
    account: Account,
    image: Image,
    parameter: Parameters = None,
    params: ParamsFile = None,
    timezone: Zone = "UTC",
    subnet: Subnets = None,
) -> None:
    """Print the commands that make the runbook's cloud run it regularly; none is executed."""
    from ragonotebooks.catalog import regions
    from ragonotebooks.catalog import runbook as runbooks
    from ragonotebooks.schedule import aws, gcp, job
    from ragonotebooks.schedule.cron import parse

    if Path(runbook).is_file():
        raise UsageError(f"the image knows runbooks and notebooks of the checkout by name; schedule one, not {runbook}")
    book = runbooks.load(runbook)
    values = book.bind(given(parameter, params))
    region = str(values.get("region", regions.DEFAULT.get(book.cloud, "")))
    asked = job.Job(book, values, account, region, image, parse(cron), timezone)
    job.check(asked)
    if book.cloud == "aws" and not subnet:
        raise UsageError(
            f"a task needs a subnet; give --subnet with one of: aws ec2 describe-subnets --region {region}"
        )
    if book.cloud == "gcp" and subnet:
        raise UsageError("a job of Cloud Run needs no subnet; leave --subnet out")
    script = aws.script(asked, subnet or []) if book.cloud == "aws" else gcp.script(asked)
    typer.echo("\n".join([*(f"# {remark}" for remark in asked.remarks), "", *script]))
