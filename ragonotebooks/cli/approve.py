"""`ragonotebooks approve`: let a run go on that waits for a person to look."""

import getpass
import os
import socket
from typing import Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.consent import Account, Yes
from ragonotebooks.cli.resume import go_on


@app.command()
def approve(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or its name below runs.")],
    account: Account = None,
    yes: Yes = False,
) -> None:
    """Approve the step that a run waits for, write down who did, and go on with the notebook that it is in.

    Exit codes are those of `run`; a step behind it that has to be approved too waits in turn.
    """
    from ragonotebooks.run import record

    go_on(record.find(run), account, yes, f"{_user()} on {socket.gethostname()}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # without an entry in the list of users, as in many containers
        return f"user {os.getuid()}"
