"""`ragonotebooks cleanup`: removes a deployment, found by its tags, or says what it would remove."""

from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.cleaning import Cloud, Named, Region, Sandbox, Target, Yes, reach, show

if TYPE_CHECKING:
    from ragonotebooks.cleanup.engine import Row


@app.command()
def cleanup(
    deployment: Annotated[str, typer.Option(help="The value of the tag or label `deployment`.")] = "ragonometrics",
    cloud: Cloud = "aws",
    target: Target = "sandbox",
    region: Region = "",
    name: Sandbox = "default",
    account: Named = None,
    yes: Yes = False,
) -> None:
    """Remove everything that carries both of the deployment's tags; say what it would remove when not told --yes.

    What is protected is left: by its deletion protection, or by a tag or label `protected=true`.
    """
    place = reach(cloud, target, region, name, account, yes)
    rows = show(place.clean(deployment, yes))
    typer.echo(_summary(rows, yes, f"{deployment} in {place.region}"))
    if any(row.action == "left" for row in rows):
        raise typer.Exit(1)


def _summary(rows: list["Row"], yes: bool, where: str) -> str:
    left = sum(row.action == "left" for row in rows)
    if not rows:
        return f"{where}: nothing is there"
    if not yes:
        return f"{where}: {len(rows) - left} to delete; do it with --yes"
    return f"{where}: {len(rows) - left} deleted, {left} left"
