"""`ragonotebooks resume`: go on with a run that ended too early, whatever ended it."""

import json
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.cli.consent import Account, Yes

if TYPE_CHECKING:
    from ragonotebooks.run.request import Request, Values

Run = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="A run's folder, or its name below runs; the newest when omitted.")
]


@app.command()
def resume(run: Run = None, account: Account = None, yes: Yes = False) -> None:
    """Go on with a run at the first notebook that did not pass, with the same parameters.

    What passed is not run again, unless the sandbox that it ran in is gone. Exit codes are those of `run`.
    """
    from ragonotebooks.run import record

    go_on(record.find(run), account, yes)


def go_on(where: Path, account: str | None, yes: bool, approver: str = "") -> None:
    """Go on with the run in this folder; see `runner.resume` and `carry_out`."""
    from ragonotebooks.catalog import runbook
    from ragonotebooks.cli import consent
    from ragonotebooks.cli.running import carry_out
    from ragonotebooks.run import history, record, runner
    from ragonotebooks.run.request import Request
    from ragonotebooks.run.results import Status

    asked = record.read(where)
    book = runbook.load(asked.runbook)
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.values.items()}
    request = Request(book, asked.mode, book.bind(given), asked.sandbox, asked.runbook, account=asked.account)
    passed = {one.key for one in history.read(where).notebooks if one.status is Status.PASSED}
    if left := list(dropwhile(lambda one: one.key in passed, book.notebooks)):
        request = consent.obtain(request, left, account, yes)
    carry_out(
        request,
        lambda request: (runner.resume(request, where, lambda *one: _stands(request, *one), approver), where),
    )


def _stands(request: "Request", notebook: str, values: "Values") -> bool:
    """What passed in a sandbox stands as long as the sandbox remembers it; a cloud's account forgets nothing."""
    from ragonotebooks.sandbox import client

    if not request.sandboxed:
        return True
    return client.find(request.sandbox) is not None and client.passed(request.sandbox, notebook, values)
