"""The daemon: one process a sandbox. It starts what answers, writes down how it is reached, and lives until told to stop."""

import argparse
import asyncio
import os
import secrets
import signal
import threading
import traceback
from functools import partial
from pathlib import Path

from ragonotebooks.sandbox import faults, rights
from ragonotebooks.sandbox.authority import Authority
from ragonotebooks.sandbox.callers import Address, CallerGone, Callers
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.front import Front
from ragonotebooks.sandbox.gateway import Gateway, GrpcHosts
from ragonotebooks.sandbox.gcp import door
from ragonotebooks.sandbox.ledger import Ledger
from ragonotebooks.sandbox.local import Local
from ragonotebooks.sandbox.state import State, write_state
from ragonotebooks.sandbox.watcher import Watcher

_ACCOUNT = "123456789012"
_PROJECT = "ragonometrics-sandbox"
_PROJECT_NUMBER = "314159265358"
_THREADS = 24


def main() -> None:
    """Serve until SIGTERM or SIGINT, then end everything that was started."""
    parser = argparse.ArgumentParser(description="The daemon of one sandbox.")
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    # gRPC's handlers of forks would end the servers that are started while it answers calls
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
    asyncio.run(_serve(arguments.name, arguments.folder))


async def _serve(name: str, folder: Path) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    watcher = Watcher()
    try:
        context = _context(name, folder, watcher, loop)
        await _start(context)
        await stopped.wait()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        watcher.finish()
        # controllers may still wait for servers that are gone now; nothing of theirs is worth waiting for
        os._exit(0)


def _context(name: str, folder: Path, watcher: Watcher, loop: asyncio.AbstractEventLoop) -> Context:
    state = State(
        name=name,
        pid=os.getpid(),
        port=0,
        account=_ACCOUNT,
        access_key=f"AKIA{secrets.token_hex(8).upper()}",
        secret_key=secrets.token_urlsafe(30),
        project=_PROJECT,
        project_number=_PROJECT_NUMBER,
        refresh_token=f"1//{secrets.token_urlsafe(40)}",
    )
    return Context(state, folder, Authority(folder), Ledger(folder), watcher, Callers(), loop)


async def _start(context: Context) -> None:
    local = Local(context)
    faults.serve(context, local)
    front = Front(local)
    socket = context.folder / "http.sock"
    google = door.Door(context, local)
    google.play(front)
    rights.serve(context, local, google)
    gateway = Gateway(
        context.authority,
        socket,
        front.plays,
        partial(_verdict, context, google),
        front.player,
        GrpcHosts(door.HOSTS, google.grpc_socket),
    )
    port = await gateway.listen()
    context.state = State(**{**vars(context.state), "port": port})
    await asyncio.to_thread(_play_aws, context, front, local)
    threading.Thread(target=_http, args=(front, socket), daemon=True).start()
    door.write_credentials(context)
    write_state(context.folder, context.state)


def _verdict(context: Context, google: door.Door, client: Address, server: Address, host: str) -> str | None:
    """Say why a task's network does not let it reach a host; what is no task is outside of every network and may."""
    try:
        task = context.callers.who(client, server)
    except CallerGone:
        return "the caller has gone"
    if task is None:
        return None
    if task.startswith("//"):  # as Google Cloud names what runs
        return google.verdict(task, host)
    # not imported at the start; where a task runs, it has been imported long ago
    from ragonotebooks.sandbox.aws import reach

    return reach.verdict(context, task, host)


def _play_aws(context: Context, front: Front, local: Local) -> None:
    # imported here: this takes most of the start
    from ragonotebooks.sandbox.aws import memory

    memory.install()
    from ragonotebooks.sandbox.aws import control_plane

    control_plane.play(context, front, local)


def _http(front: Front, socket: Path) -> None:
    from ragonotebooks.sandbox.server import create_server

    create_server(
        front,
        unix_socket=str(socket),
        unix_socket_perms="600",
        threads=_THREADS,
        channel_timeout=3600,
        max_request_body_size=8 * 1024**3,
        ident="ragonotebooks",
        clear_untrusted_proxy_headers=True,
    ).run()


if __name__ == "__main__":
    main()
