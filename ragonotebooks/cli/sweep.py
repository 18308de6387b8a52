"""`ragonotebooks sweep`: removes what was forgotten in an account that many share, or says what it would remove."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.cleaning import Cloud, Named, Region, Sandbox, Target, Yes, reach, show
from ragonotebooks.errors import UsageError

if TYPE_CHECKING:
    from ragonotebooks.cleanup.sweep import Deployment

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Age = Annotated[
    str, typer.Option("--older-than", metavar="AGE", help="How long ago the last thing was made in it: 90m, 8h, 2d.")
]
Owner = Annotated[
    str, typer.Option(help="Only what this person brought up: an ARN or its last part, an e-mail address.")
]


@app.command()
def sweep(
    older_than: Age,
    owner: Owner = "",
    cloud: Cloud = "aws",
    target: Target = "sandbox",
    region: Region = "",
    name: Sandbox = "default",
    account: Named = None,
    yes: Yes = False,
) -> None:
    """Remove every deployment that is older than an age; say what it would remove when not told --yes.

    What is young, protected or not made from here stays; everything does as long as something cannot be looked for. Exit
    code 1: that, or something was left that should have gone, or does not tell its age.
    """
    from ragonotebooks.cleanup.sweep import Rule, deployments
    from ragonotebooks.cli import tables

    rule = Rule(_age(older_than), owner, datetime.now(UTC))
    place = reach(cloud, target, region, name, account, yes)
    found, unseen = deployments(place.account)
    # what nobody sees may be young, or protected
    blind = "not everything could be looked for" if unseen else ""
    stays = {one.name: rule.stays(one) or blind for one in found}
    columns = ["deployment", "brought up by", "age", "resources", "then"]
    rows = [_row(one, rule.now, stays[one.name] or "goes") for one in found]
    tables.show(f"Deployments in {place.region}", columns, rows)
    show(unseen)
    going = [name for name, why in stays.items() if not why]
    ends = [show(place.clean(deployment, yes)) for deployment in going if yes]
    left = sum(any(row.action == "left" for row in rows) for rows in ends)
    typer.echo(f"{len(going) - left} of {len(found)} {'deleted' if yes else 'to delete; do it with --yes'}")
    if left or unseen or any(one.made is None and not rule.spares(one) for one in found):
        raise typer.Exit(1)


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if not found:
        raise UsageError(f"--older-than {text} is no age; give minutes, hours or days, such as 90m, 8h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _row(one: "Deployment", now: datetime, then: str) -> list[object]:
    owner = one.owner or ("unknown" if not one.unread else f"unknown: {one.unread}")
    return [one.name, owner, _told(now - one.made) if one.made else "unknown", len(one.resources), then]


def _told(age: timedelta) -> str:
    """An age in whole minutes, from an hour on in hours, from two days on in days."""
    minutes = max(0, age // timedelta(minutes=1))
    days, hours = minutes // (24 * 60), minutes // 60
    return f"{days} d" if days > 1 else f"{hours} h" if hours else f"{minutes} m"
