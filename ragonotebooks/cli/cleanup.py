"""`ragonotebooks cleanup`: removes a deployment, found by its tags, or says what it would remove."""

import os
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError

if TYPE_CHECKING:
    from ragonotebooks.cleanup.engine import Row
    from ragonotebooks.cleanup.kind import Account


@app.command()
def cleanup(
    deployment: Annotated[str, typer.Option(help="The value of the tag or label `deployment`.")] = "ragonometrics",
    cloud: Annotated[Literal["aws", "gcp"], typer.Option(help="Which cloud.")] = "aws",
    target: Annotated[
        Literal["sandbox", "cloud"], typer.Option(help="Where: a sandbox, or a real account.")
    ] = "sandbox",
    region: Annotated[str, typer.Option(help="The region; us-east-1 or us-central1 unless told.")] = "",
    name: Annotated[str, typer.Option(envvar="RAGONOTEBOOKS_SANDBOX", help="The sandbox.")] = "default",
    account: Annotated[
        str | None,
        typer.Option(help="The AWS account, or the project, that --yes may delete in; needed for the cloud."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it, only say what would be deleted.")] = False,
) -> None:
    """Remove everything that carries both of the deployment's tags; say what it would remove when not told --yes."""
    from ragonotebooks.catalog import regions
    from ragonotebooks.cleanup import engine
    from ragonotebooks.cleanup.ownership import Ownership

    region = regions.known(region or regions.DEFAULT[cloud], cloud)
    if target == "sandbox":
        _enter(name)
    where = (_aws if cloud == "aws" else _gcp)(target, region, account, yes)
    owner = Ownership(deployment)
    patience = engine.Patience(0.2, 10) if target == "sandbox" else engine.Patience(5, 600)
    rows = engine.clean(where, owner, patience) if yes else engine.plan(where, owner)
    seen = [_print(row) for row in rows]
    if yes and target == "sandbox":
        _forget_passed(name)
    typer.echo(_summary(seen, yes, f"{deployment} in {region}"))
    if any(row.action == "left" for row in seen):
        raise typer.Exit(1)


def _enter(name: str) -> None:
    """Point this process's clients at a sandbox."""
    from ragonotebooks.sandbox import client

    state = client.find(name)
    if state is None:
        raise UsageError(
            f"no sandbox called {name} runs, and what it held is gone; see which run with: "
            "ragonotebooks sandbox status --all"
        )
    for variable in client.FOREIGN_VARIABLES:
        os.environ.pop(variable, None)
    os.environ |= client.environment(state)


def _forget_passed(name: str) -> None:
    """What a lesson needs is brought up again when it is gone."""
    from ragonotebooks.sandbox import client

    client.forget_passed(name)


def _aws(target: str, region: str, account: str | None, yes: bool) -> "Account":
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from ragonotebooks.cleanup import aws

    where = aws.account(boto3.Session(region_name=region).client)
    if target == "sandbox":
        return where
    try:
        actual = where.clients("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise UsageError(f"AWS does not know who you are ({error}); check your credentials") from error
    if yes and account is None:
        raise _unnamed(f"your credentials are for {actual}")
    if account not in (None, actual):
        raise UsageError(f"your credentials are for account {actual}, not {account}; nothing was touched")
    return where


def _gcp(target: str, region: str, account: str | None, yes: bool) -> "Account":
    from ragonotebooks.lesson.gcp import NAMED, who_am_i

    if target == "cloud" and account is None and yes:
        raise _unnamed("credentials of Google Cloud are good for any project")
    if target == "cloud" and account is not None:
        os.environ[NAMED] = account
    project, _ = who_am_i(target)  # which says it, when Google's clients are not installed
    from ragonotebooks.cleanup import gcp

    return gcp.account(project, region)


def _unnamed(why: str) -> UsageError:
    return UsageError(f"--yes deletes in a real account: name the one you mean with --account; {why}")


def _print(row: "Row") -> "Row":
    typer.echo(f"{row.service:<16} {row.kind:<23} {row.id}: {row.action}{f': {row.why}' if row.why else ''}")
    return row


def _summary(rows: list["Row"], yes: bool, where: str) -> str:
    left = sum(row.action == "left" for row in rows)
    if not rows:
        return f"{where}: nothing is there"
    if not yes:
        return f"{where}: {len(rows) - left} to delete; do it with --yes"
    return f"{where}: {len(rows) - left} deleted, {left} left"
