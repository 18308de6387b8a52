"""What `test` does with a case: carries out its faults in a sandbox, runs it there, and asks what came of it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import typer

from ragonotebooks.catalog import regions
from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.cli import cleaning
from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.run import runner
from ragonotebooks.run.memory import memory
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import Mode, Run, Status
from ragonotebooks.sandbox import client, faults, rights, status
from ragonotebooks.sandbox.ledger import Call, end_of_ledger, read_ledger
from ragonotebooks.sandbox.state import State, folder_of
from ragonotebooks.trial.calling import call_aws, call_gcp
from ragonotebooks.trial.cases import ApiCall, Case, Kill, Refuse
from ragonotebooks.trial.judging import Outcome, reason
from ragonotebooks.trial.shown import shown


def bring_up(book: Runbook, sandbox: str, out: Path) -> None:
    """Run what a case builds on, unless the sandbox remembers that it passed.

    Raises:
        RagonotebooksError: It did not pass.
    """
    plain = {one.key: {parameter.name: parameter.default for parameter in one.parameters} for one in book.notebooks}
    if client.find(sandbox) and all(client.passed(sandbox, key, values) for key, values in plain.items()):
        return
    run = _run(book, "run", {}, sandbox, out)
    if run.status is not Status.PASSED:
        raise RagonotebooksError(f"{book.name}, which has to pass before, did not: {reason(run)}")


def carry_out(book: Runbook, case: Case, sandbox: str, out: Path) -> Outcome:
    """Do a case in a sandbox that runs; the evidence goes to `out`.

    Raises:
        RagonotebooksError: A fault or a call of the case could not be carried out.
    """
    state = client.up(sandbox)
    values = {one.name: one.default for one in book.parameters} | dict(case.parameters)
    region = str(values.get("region") or regions.DEFAULT[book.cloud])
    with _faults(book, case, state, region):
        start = end_of_ledger(folder_of(sandbox))
        run, said = _tried(book, case, sandbox, out)
        calls = list(read_ledger(folder_of(sandbox), start=start))
    left = _left(book, str(values["name"]), sandbox, region) if case.cleanup else ()
    changes = {_name(call) for call in calls if call.mutating and rights.is_operators(call)}
    return Outcome(run, said, changes, {_name(call) for call in calls if call.injected}, left)


def _tried(book: Runbook, case: Case, sandbox: str, out: Path) -> tuple[Run | None, str]:
    """The run with what it shows; no run with the sentence that refused it."""
    try:
        values = book.bind(dict(case.parameters))
    except UsageError as error:
        return None, str(error)
    run = _run(book, case.mode, values, sandbox, out, approves=case.status != Status.WAITING)
    return run, shown(run)


def _run(book: Runbook, mode: Mode, values: dict[str, Value], sandbox: str, out: Path, approves: bool = True) -> Run:
    request = Request(book, mode, values, sandbox, book.name, out)
    request = replace(request, on_passed=memory(request))
    run, _ = runner.execute(request)
    while approves and run.status is Status.WAITING:
        run = runner.resume(request, out, lambda notebook, values: True, approver="ragonotebooks test")
    if run.status is Status.INTERRUPTED:
        raise typer.Exit(run.exit_code)  # whoever interrupts a run means the test
    return run


@contextmanager
def _faults(book: Runbook, case: Case, state: State, region: str) -> Iterator[None]:
    """Carry out what happens before the run; take it back afterwards."""
    try:
        for fault in case.faults:
            match fault:
                case Kill():
                    _kill(state, fault.server)
                case ApiCall():
                    _call(book, fault, state.name, region)
        refused = [fault for fault in case.faults if isinstance(fault, Refuse)]
        faults.tell(state, [faults.Refusal(one.call, one.error, one.times) for one in refused])
        yield
    finally:
        faults.tell(state, [])
        for call in case.after:
            _call(book, call, state.name, region)


def _kill(state: State, pattern: str) -> None:
    servers = {f"{one.service}/{one.id}": one.pid for one in status.ask(state).servers if one.pid}
    found = next((pid for name, pid in servers.items() if fnmatchcase(name, pattern)), None)
    if found is None:
        raise RagonotebooksError(f"no server '{pattern}' runs that could be killed; there are {', '.join(servers)}")
    os.kill(found, signal.SIGKILL)


def _call(book: Runbook, call: ApiCall, sandbox: str, region: str) -> None:
    with _inside(sandbox):
        if book.cloud == "aws":
            call_aws(call, region)
        else:
            call_gcp(call)


def _left(book: Runbook, deployment: str, sandbox: str, region: str) -> list[str]:
    """Clean a deployment up, and return what would not go, a line each."""
    with _inside(sandbox):
        place = cleaning.reach(book.cloud, "sandbox", region, sandbox, None, yes=True)
        rows = list(place.clean(deployment, yes=True))
    return [f"{row.service} {row.kind} {row.id}: {row.why}" for row in rows if row.action != "deleted"]


@contextmanager
def _inside(sandbox: str) -> Iterator[None]:
    """This process's clients are the operator of a sandbox meanwhile."""
    before = dict(os.environ)
    cleaning.enter(sandbox)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def _name(call: Call) -> str:
    return f"{call.service}:{call.action}"
