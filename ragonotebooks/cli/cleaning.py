"""What `cleanup` and `sweep` share: where they delete, who has to agree to that, and how it is told."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ragonotebooks.errors import UsageError

if TYPE_CHECKING:
    from ragonotebooks.cleanup.engine import Row
    from ragonotebooks.cleanup.kind import Account
    from ragonotebooks.sandbox.state import State

Cloud = Annotated[Literal["aws", "gcp"], typer.Option(help="Which cloud.")]
Target = Annotated[Literal["sandbox", "cloud"], typer.Option(help="Where: a sandbox, or a real account.")]
Region = Annotated[str, typer.Option(help="The region; us-east-1 or us-central1 unless told.")]
Sandbox = Annotated[str, typer.Option("--name", envvar="RAGONOTEBOOKS_SANDBOX", help="The sandbox.")]
Named = Annotated[
    str | None,
    typer.Option("--account", help="The AWS account, or the project, that --yes may delete in; needed for the cloud."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Delete; without it, only say what would be deleted.")]


@dataclass(frozen=True)
class Place:
    """Where it is deleted.

    Attributes:
        account: The account, or the project, as a cleanup sees it.
        region: The region.
        sandbox: The sandbox's name; empty in a real account.
    """

    account: "Account"
    region: str
    sandbox: str

    def clean(self, deployment: str, yes: bool) -> Iterator["Row"]:
        """Delete a deployment, or find out what would be deleted; yield what becomes of each resource."""
        from ragonotebooks.cleanup import engine

        patience = engine.Patience(0.2, 10) if self.sandbox else engine.Patience(5, 600)
        yield from engine.clean(self.account, deployment, patience) if yes else engine.plan(self.account, deployment)
        if yes and self.sandbox:
            from ragonotebooks.sandbox import client

            # what a lesson needs is brought up again when it is gone
            client.forget_passed(self.sandbox)


def reach(cloud: str, target: str, region: str, sandbox: str, account: str | None, yes: bool) -> Place:
    """Point this process's clients at a place, once it is known to be the one that was meant.

    Raises:
        UsageError: The region or the sandbox is not there, or the account is not named, or another one.
        RagonotebooksError: The credentials are not good.
    """
    from ragonotebooks.catalog import regions
    from ragonotebooks.lesson import identity

    region = regions.known(region or regions.DEFAULT[cloud], cloud)
    if target == "sandbox":
        state = enter(sandbox)
        account = state.account if cloud == "aws" else state.project
    elif account is None and yes:
        place = identity.CLOUDS[cloud].PLACE
        raise UsageError(f"--yes deletes in a real {place}: name the one you mean with --account")
    else:
        account = account or ("" if cloud == "aws" else identity.named(cloud))
        os.environ |= identity.CLOUDS[cloud].variables(region)
    account = identity.ask(cloud, account).account
    return Place(_account(cloud, account, region), region, sandbox if target == "sandbox" else "")


def enter(sandbox: str) -> "State":
    """Point this process's clients at a sandbox, and return it.

    Raises:
        UsageError: It does not run.
    """
    from ragonotebooks.sandbox import client

    state = client.find(sandbox)
    if state is None:
        raise UsageError(
            f"no sandbox called {sandbox} runs, and what it held is gone; see which run with: "
            "ragonotebooks sandbox status --all"
        )
    for variable in client.FOREIGN_VARIABLES:
        os.environ.pop(variable, None)
    os.environ |= client.environment(state)
    return state


def show(rows: Iterable["Row"]) -> list["Row"]:
    """Print a line for each row as it comes, and return them all."""
    told = []
    for row in rows:
        typer.echo(f"{row.service:<16} {row.kind:<23} {row.id}: {row.action}{f': {row.why}' if row.why else ''}")
        told.append(row)
    return told


def _account(cloud: str, account: str, region: str) -> "Account":
    if cloud == "aws":
        import boto3

        from ragonotebooks.cleanup import aws

        return aws.account(boto3.Session(region_name=region).client)
    from ragonotebooks.cleanup import gcp

    return gcp.account(account, region)
