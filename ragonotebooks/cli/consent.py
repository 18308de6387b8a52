"""What a run may change in a real account is shown to a person, who agrees to it before the first kernel starts."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.errors import UsageError

if TYPE_CHECKING:
    from ragonotebooks.catalog.notebook import Notebook
    from ragonotebooks.lesson.identity import Identity
    from ragonotebooks.run.request import Request

Account = Annotated[
    str | None, typer.Option("--account", metavar="ID", help="The AWS account, or the project, for target=cloud.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Agree to the changes in the real account that --account names.")]


def obtain(request: "Request", notebooks: Sequence["Notebook"], account: str | None, yes: bool) -> "Request":
    """The request with the account that it is for, once a person has agreed to what it changes there.

    A sandbox needs no consent, and neither does what only reads. Of the cloud only the caller's identity is asked.

    Args:
        request: What is asked for; its account, if it has one, is the only one that it may be for.
        notebooks: Those that are going to be executed.
        account: The option --account.
        yes: The option --yes.

    Raises:
        UsageError: Nobody agreed, or the account is another one.
        RagonotebooksError: The credentials are not good.
    """
    from ragonotebooks.lesson import identity

    book = request.runbook
    if request.sandboxed:
        if account or yes:
            raise UsageError("--account and --yes are about a real account, and a sandbox answers; leave them out")
        return request
    if book.cloud not in identity.CLOUDS:
        if account or request.changes:
            raise UsageError(
                f"{book.name} is on several clouds at once; on real ones it can only read, without --account"
            )
        return request
    request = replace(request, account=_meant(request, account))
    if not request.changes:
        return request
    place = identity.CLOUDS[book.cloud].PLACE
    if yes and not account:
        raise UsageError(f"--yes agrees to changes in a real {place}; name the one that you mean with --account")
    if not (yes or sys.stdin.isatty()):
        raise UsageError(
            f"this changes a real {place}: run it in a terminal, or agree with --yes --account <{place} id>"
        )
    who = identity.ask(book.cloud, request.account)
    _show(request, notebooks, who)
    if not yes:
        _ask(place, who.account)
    return replace(request, account=who.account)


def _meant(request: "Request", account: str | None) -> str:
    """The account that the request is for; empty for whichever the credentials are for."""
    from ragonotebooks.lesson.identity import CLOUDS

    cloud = CLOUDS[request.runbook.cloud]
    if request.account and account not in (None, request.account):
        raise UsageError(f"the run is one in {cloud.PLACE} {request.account} and goes on there, not in {account}")
    return account or request.account or os.environ.get(cloud.NAMED, "")


def _ask(place: str, account: str) -> None:
    try:
        typed = input(f"Type the id of the {place} to agree: ").strip()
    except (EOFError, KeyboardInterrupt):
        typed = ""
    if typed != account:
        raise UsageError(f"'{typed}' is not the id of the {place}, {account}; nothing was changed")


def _show(request: "Request", notebooks: Sequence["Notebook"], who: "Identity") -> None:
    from ragonotebooks.catalog import regions
    from ragonotebooks.cli import facts, tables
    from ragonotebooks.lesson.identity import CLOUDS

    cloud = request.runbook.cloud
    changing = [(one, _changing(one)) for one in notebooks if _changing(one)]
    month = sum(line["month"] for one, _ in changing for line in facts.prices(one))
    told = {
        "identity": who.caller,
        CLOUDS[cloud].PLACE: who.account,
        "region": request.value("region") or regions.DEFAULT[cloud],
        "deployment": request.value("name"),
        "price": f"about ${month:.2f} a month" if month else None,
    }
    tables.show(request.runbook.title, ["", "a real account"], [[name, value] for name, value in told.items() if value])
    rows = [[one.key, "\n".join(sections), one.cost] for one, sections in changing]
    tables.show("What is changed", ["notebook", "steps", "price"], rows)


def _changing(notebook: "Notebook") -> list[str]:
    """The titles of the sections that change something."""
    return [one.title for one in notebook.sections if one.changes]
