"""What a daemon tells of itself at `/status`, and how it is asked."""

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ragonotebooks.sandbox import control
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.local import Local
from ragonotebooks.sandbox.state import DAEMON_LOG, State, folder_of, read_state
from ragonotebooks.sandbox.watcher import descendants

_PATH: Final = "/status"


@dataclass(frozen=True)
class Server:
    """A server that the sandbox runs behind an emulated resource.

    Attributes:
        service: The service's prefix as IAM spells it: `rds`.
        id: The resource's identifier.
        status: The resource's state: `available`.
        address: The loopback address of its endpoint, None while it has none.
        port: The endpoint's port, None while it has none.
        pid: The server's process id, None while it does not run.
        log: The file that the server writes its log to, None while there is none.
    """

    service: str
    id: str
    status: str
    address: str | None
    port: int | None
    pid: int | None
    log: str | None


@dataclass(frozen=True)
class Status:
    """A running sandbox.

    Attributes:
        name: The sandbox's name.
        pid: The daemon's process id.
        folder: The folder of everything that it writes.
        gateway: The URL of the gateway.
        memory_mb: Resident memory of the daemon and everything below it, shared pages counted once, in 10^6 bytes.
        servers: The servers that it runs.
    """

    name: str
    pid: int
    folder: str
    gateway: str
    memory_mb: float
    servers: tuple[Server, ...]


def serve(context: Context, local: Local, servers: Callable[[], Iterable[Server]]) -> None:
    """Answer at `/status` with what `servers()` says at that moment."""

    def answer(_body: object) -> dict[str, Any]:
        pid = os.getpid()
        memory = round(sum(map(_resident, [pid, *descendants(pid)])) / 1e6, 1)
        return {"memory_mb": memory, "servers": [asdict(server) for server in servers()]}

    control.serve(context, local, _PATH, answer)


def ask(state: State) -> Status:
    """Ask a running sandbox for its status.

    Raises:
        RagonotebooksError: It does not answer.
    """
    answer = control.ask(state, _PATH)
    servers = tuple(Server(**server) for server in answer["servers"])
    gateway = f"http://127.0.0.1:{state.port}"
    return Status(state.name, state.pid, str(folder_of(state.name)), gateway, answer["memory_mb"], servers)


def absence(name: str) -> str:
    """Say in one sentence why there is no running sandbox called `name`, and how to get one."""
    folder = folder_of(name)
    start = f"ragonotebooks sandbox up --name {name}"
    state = read_state(folder)
    if state:
        log = folder / DAEMON_LOG
        return f"the sandbox {name} died, its process {state.pid} is gone; read {log}, start it anew with: {start}"
    return f"no sandbox {name} runs; start it with: {start}"


def _resident(pid: int) -> int:
    """A process's proportional share of resident memory, in bytes; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
