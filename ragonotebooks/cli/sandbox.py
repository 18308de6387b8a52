"""`ragonotebooks sandbox`: a local cloud from the shell, for any client."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragonotebooks.cli import app
from ragonotebooks.errors import RagonotebooksError, UsageError

if TYPE_CHECKING:
    from ragonotebooks.sandbox.ledger import Call
    from ragonotebooks.sandbox.state import State
    from ragonotebooks.sandbox.status import Status

Name = Annotated[str, typer.Option("--name", envvar="RAGONOTEBOOKS_SANDBOX", help="The sandbox.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]

sandbox = typer.Typer(
    no_args_is_help=True, help="A cloud on this machine: start it, use it from a shell, look into it."
)
app.add_typer(sandbox, name="sandbox")


@sandbox.command()
def up(name: Name = "default") -> None:
    """Start the sandbox if it does not run."""
    from ragonotebooks.sandbox import client

    state = client.up(name)
    typer.echo(f"the sandbox {name} runs (process {state.pid}); use it in this shell with:")
    typer.echo(f'  eval "$(ragonotebooks sandbox env --name {name})"')


@sandbox.command()
def down(name: Name = "default") -> None:
    """Stop the sandbox and remove everything that is in it."""
    from ragonotebooks.sandbox import client

    typer.echo(f"the sandbox {name} is gone" if client.down(name) else f"there was no sandbox {name}")


@sandbox.command()
def status(
    name: Name = "default",
    every: Annotated[bool, typer.Option("--all", help="All sandboxes of this user.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the process, the folder, the endpoints and the memory of the sandbox."""
    if every:
        _status_of_all(as_json)
        return
    from ragonotebooks.sandbox.status import absence, ask

    state = _find(name)
    if state is None:
        raise RagonotebooksError(absence(name))
    found = ask(state)
    if as_json:
        typer.echo(json.dumps(_facts(found), indent=2))
    else:
        _print(found)


@sandbox.command()
def env(name: Name = "default") -> None:
    """Print shell commands after which any client in that shell works on the sandbox."""
    from ragonotebooks.sandbox import client

    variables = client.environment(_running(name))
    for variable in client.FOREIGN_VARIABLES:
        typer.echo(f"unset {variable}")
    for variable, value in variables.items():
        typer.echo(f"export {variable}={shlex.quote(value)}")


@sandbox.command()
def logs(
    name: Name = "default",
    server: Annotated[str | None, typer.Option(help="Only this server, such as a database instance.")] = None,
) -> None:
    """Print the log of the daemon and of each server."""
    for title, file in _logs(name, server):
        typer.echo(f"==> {title} <==")
        typer.echo(file.read_text(encoding="utf-8", errors="replace"), nl=False)


@sandbox.command()
def ledger(
    name: Name = "default",
    as_json: AsJson = False,
    mutating: Annotated[bool, typer.Option("--mutating", help="Only calls that can change something.")] = False,
) -> None:
    """Print every call that the sandbox answered."""
    from ragonotebooks.sandbox.ledger import read_ledger

    calls = read_ledger(_folder(name), mutating_only=mutating)
    if as_json:
        for call in calls:
            typer.echo(json.dumps(asdict(call)))
        return
    for line in _aligned([_row(call) for call in calls]):
        typer.echo(line)


def _row(call: "Call") -> list[str]:
    when = call.time.partition("+")[0]
    return [
        when,
        str(call.status),
        f"{call.service}:{call.action}",
        f"{call.error or '-'}{' (injected)' if call.injected else ''}",
        call.resource,
        call.caller or "-",
    ]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Columns as wide as they must be: a list to search in is never folded to the terminal's width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _find(name: str) -> "State | None":
    from ragonotebooks.sandbox import client

    return client.find(name)


def _running(name: str) -> "State":
    from ragonotebooks.sandbox.status import absence

    state = _find(name)
    if state is None:
        raise UsageError(absence(name))
    return state


def _folder(name: str) -> Path:
    """The folder of a sandbox, running or dead: what it wrote can be read as long as it is there."""
    from ragonotebooks.sandbox.state import folder_of
    from ragonotebooks.sandbox.status import absence

    folder = folder_of(name)
    if not folder.exists():
        raise UsageError(absence(name))
    return folder


def _logs(name: str, server: str | None) -> list[tuple[str, Path]]:
    from ragonotebooks.sandbox.state import DAEMON_LOG
    from ragonotebooks.sandbox.status import ask

    folder, state = _folder(name), _find(name)
    servers = ask(state).servers if state else ()
    found = {one.id: (f"{one.service} {one.id}", Path(one.log)) for one in servers if one.log}
    if server is None:
        return [("daemon", folder / DAEMON_LOG), *found.values()]
    if server not in found:
        raise UsageError(f"the sandbox {name} runs no server {server}; it runs: {', '.join(found) or 'none'}")
    return [found[server]]


def _status_of_all(as_json: bool) -> None:
    from ragonotebooks.cli import tables
    from ragonotebooks.sandbox import client

    facts = [_one_of_all(name) for name in client.names()]
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    rows = [[one["name"], one.get("problem", "runs"), one.get("pid"), one.get("memory_mb")] for one in facts]
    tables.show("Sandboxes", ["name", "state", "process", "memory (MB)"], rows)


def _one_of_all(name: str) -> dict[str, object]:
    from ragonotebooks.sandbox.status import absence, ask

    state = _find(name)
    try:
        return _facts(ask(state)) if state else {"running": False, "name": name, "problem": absence(name)}
    except RagonotebooksError as error:
        return {"running": True, "name": name, "problem": str(error)}


def _facts(found: "Status") -> dict[str, object]:
    return {"running": True, **asdict(found)}


def _print(found: "Status") -> None:
    from ragonotebooks.cli import tables

    facts = [
        ["process", str(found.pid)],
        ["folder", found.folder],
        ["gateway", found.gateway],
        ["memory", f"{found.memory_mb} MB"],
    ]
    tables.show(f"The sandbox {found.name} runs", ["", ""], facts)
    if found.servers:
        rows = [[s.service, s.id, s.status, f"{s.address}:{s.port}" if s.port else "", s.pid] for s in found.servers]
        tables.show("Servers", ["service", "id", "status", "endpoint", "process"], rows)
