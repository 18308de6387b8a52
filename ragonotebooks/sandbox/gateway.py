"""The gateway: an HTTP proxy that ends TLS for the hosts that the sandbox plays and refuses all others.

Everything that a sandboxed program says to a cloud passes here, so it cannot reach a real one. What arrives is handed on to
the sandbox's own HTTP server, which sees the host name that the client meant, or whole to a player of the host.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ragonotebooks.sandbox.authority import Authority
from ragonotebooks.sandbox.streams import Stream, adopt, close, no_delay, quick_ack, splice

#: How the HTTP server behind knows that a request came without TLS.
SCHEME_HEADER = "X-Sandbox-Scheme"

# in this order: a client that speaks both, such as curl, means REST; gRPC's speak the second alone
_PROTOCOLS = ("http/1.1", "h2")
_HEAD_LIMIT = 64 * 1024
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REQUEST_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")

#: Tells why a connection from `peer` (address, port) to a host must not pass, or None when it may.
Verdict = Callable[[tuple[str, int], tuple[str, int], str], str | None]

#: Takes back a connection whose client now asks for another host, and the bytes of that request.
GiveBack = Callable[[socket.socket, bytes], None]


@dataclass(frozen=True)
class Wanted:
    """What a client of the proxy wants.

    Attributes:
        host: The host's name.
        port: Its port.
        head: The head of its first request to a proxy; empty when it wants a tunnel.
        greeting: What it must be told first when it gets what it wants.
    """

    host: str
    port: int
    head: bytes
    greeting: bytes


class Player(Protocol):
    """Plays hosts from the first byte of a connection, instead of the HTTP server."""

    async def take(self, client: Stream, wanted: Wanted, give_back: GiveBack) -> str | None:
        """Take a connection over, or tell why it must not pass. Nothing is read from it meanwhile."""


@dataclass(frozen=True)
class GrpcHosts:
    """The hosts that speak gRPC besides HTTP.

    Attributes:
        pattern: Matches their names whole.
        server: Gives the unix socket of the gRPC server; the first who asks has it started, which takes a while.
    """

    pattern: str
    server: Callable[[], Path]


class Gateway:
    """One listener on a loopback port.

    Args:
        authority: Issues the certificates that the clients see.
        backend: The unix socket of the HTTP server that answers for every emulated host.
        emulates: Whether the sandbox plays a host.
        verdict: Whether this caller's network reaches that host.
        player: Who plays a host from the first byte, None for most.
        grpc: The hosts that speak gRPC too.
    """

    def __init__(
        self,
        authority: Authority,
        backend: Path,
        emulates: Callable[[str], bool],
        verdict: Verdict,
        player: Callable[[str], Player | None],
        grpc: GrpcHosts,
    ) -> None:
        self._authority = authority
        self._backend = backend
        self._emulates = emulates
        self._verdict = verdict
        self._player = player
        self._grpc = grpc
        # asyncio itself holds running tasks weakly
        self._running: set[asyncio.Task[None]] = set()

    async def listen(self) -> int:
        """Start listening on a free loopback port and return it."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_LIMIT)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        no_delay(writer)
        quick_ack(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line = _REQUEST_LINE.match(head)
            if line is None:
                close(writer)
                return
            await self._route(line[1], line[2].decode("latin-1"), head, (reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            close(writer)

    async def _route(self, method: bytes, target: str, head: bytes, client: Stream) -> None:
        if target.startswith("/"):
            await self._hand_on(client, head)
            return
        place = target.partition("://")[2].partition("/")[0] if method != b"CONNECT" else target
        host, _, port = place.rpartition(":") if ":" in place else (place, "", "80")
        if (player := self._player(host)) and port.isdecimal():
            tunnel = method == b"CONNECT"
            wanted = Wanted(host.lower(), int(port), b"" if tunnel else head, _ESTABLISHED if tunnel else b"")
            await self._play(player, client, wanted)
        elif reason := self._refusal(client[1], host):
            await _deny(client[1], reason)
        elif method == b"CONNECT":
            await self._tunnel(client, host)
        else:
            await self._hand_on(client, origin_form(head, f"{SCHEME_HEADER}: http".encode()))

    def _refusal(self, writer: asyncio.StreamWriter, host: str) -> str | None:
        if not self._emulates(host):
            return f"blocked by the sandbox: {host} is not a host that it plays"
        return self._verdict(writer.get_extra_info("peername"), writer.get_extra_info("sockname"), host)

    async def _play(self, player: Player, client: Stream, wanted: Wanted) -> None:
        client[1].transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
        loop = asyncio.get_running_loop()
        reason = await player.take(client, wanted, lambda connection, data: self._take_back(loop, connection, data))
        if reason:
            await _deny(client[1], reason)

    def _take_back(self, loop: asyncio.AbstractEventLoop, connection: socket.socket, data: bytes) -> None:
        async def serve() -> None:
            self._accept(*await adopt(connection, data, _HEAD_LIMIT))

        asyncio.run_coroutine_threadsafe(serve(), loop)

    async def _tunnel(self, client: Stream, host: str) -> None:
        reader, writer = client
        writer.write(_ESTABLISHED)
        await writer.drain()
        speaks_grpc = re.fullmatch(self._grpc.pattern, host.lower()) is not None
        await writer.start_tls(self._authority.server_context(host, _PROTOCOLS if speaks_grpc else ()))
        quick_ack(writer)
        if speaks_grpc and writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            await splice((reader, writer), await connect_unix(await asyncio.to_thread(self._grpc.server)))
        else:
            await self._hand_on((reader, writer), b"")

    async def _hand_on(self, client: Stream, head: bytes) -> None:
        backend = await connect_unix(self._backend)
        if head:
            backend[1].write(head)
        await splice(client, backend)


async def _deny(writer: asyncio.StreamWriter, reason: str) -> None:
    writer.write(f"HTTP/1.1 403 {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    close(writer)


def origin_form(head: bytes, *more: bytes) -> bytes:
    """A proxy's request as its server gets it, with `more` fields. It is the only one of its connection, unless it is to go on in
    another protocol.
    """
    line, fields = head.split(b"\r\n", 1)
    method, target, version = line.split(b" ", 2)
    kept = fields.splitlines(keepends=True)
    if not any(field.lower().startswith(b"upgrade:") for field in kept):
        kept = [b"Connection: close\r\n", *(field for field in kept if not field.lower().startswith(b"connection:"))]
    path = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return b" ".join([method, path, version]) + b"\r\n" + b"".join(field + b"\r\n" for field in more) + b"".join(kept)


async def connect_unix(path: Path, attempts: int = 200) -> Stream:
    """Connect to a unix socket, waiting a little while its backlog is full or its server is starting."""
    for _ in range(attempts - 1):
        try:
            return await asyncio.open_unix_connection(str(path))
        except (BlockingIOError, ConnectionRefusedError, FileNotFoundError):
            await asyncio.sleep(0.01)
    return await asyncio.open_unix_connection(str(path))
