"""The gateway: an HTTP proxy that ends TLS for the hosts that the sandbox plays and refuses all others.

Everything that a sandboxed program says to a cloud passes here, so it cannot reach a real one. What arrives is handed on to
the sandbox's own HTTP server, which sees the host name that the client meant.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from pathlib import Path

from ragonotebooks.sandbox.authority import Authority
from ragonotebooks.sandbox.streams import Stream, close, no_delay, quick_ack, splice

#: How the HTTP server behind knows that a request came without TLS.
SCHEME_HEADER = "X-Sandbox-Scheme"

_HEAD_LIMIT = 64 * 1024
_REQUEST_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")

#: Tells why a connection from `peer` (address, port) to a host must not pass, or None when it may.
Verdict = Callable[[tuple[str, int], tuple[str, int], str], str | None]


class Gateway:
    """One listener on a loopback port.

    Args:
        authority: Issues the certificates that the clients see.
        backend: The unix socket of the HTTP server that answers for every emulated host.
        emulates: Whether the sandbox plays a host.
        verdict: Whether this caller's network reaches that host.
    """

    def __init__(self, authority: Authority, backend: Path, emulates: Callable[[str], bool], verdict: Verdict) -> None:
        self._authority = authority
        self._backend = backend
        self._emulates = emulates
        self._verdict = verdict
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
        host = target.partition("://")[2].partition("/")[0] if method != b"CONNECT" else target
        host = host.rpartition(":")[0] or host
        reason = self._refusal(client[1], host)
        if reason:
            client[1].write(f"HTTP/1.1 403 {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await client[1].drain()
            close(client[1])
        elif method == b"CONNECT":
            await self._tunnel(client, host)
        else:
            await self._hand_on(client, _plain(head, target))

    def _refusal(self, writer: asyncio.StreamWriter, host: str) -> str | None:
        if not self._emulates(host):
            return f"blocked by the sandbox: {host} is not a host that it plays"
        return self._verdict(writer.get_extra_info("peername"), writer.get_extra_info("sockname"), host)

    async def _tunnel(self, client: Stream, host: str) -> None:
        reader, writer = client
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(self._authority.server_context(host))
        quick_ack(writer)
        await self._hand_on((reader, writer), b"")

    async def _hand_on(self, client: Stream, head: bytes) -> None:
        backend = await connect_unix(self._backend)
        if head:
            backend[1].write(head)
        await splice(client, backend)


def _plain(head: bytes, target: str) -> bytes:
    """A proxy's request as its server gets it, marked as one that came without TLS, and the only one of its connection."""
    path = "/" + target.partition("://")[2].partition("/")[2]
    line, fields = head.replace(target.encode("latin-1"), path.encode("latin-1"), 1).split(b"\r\n", 1)
    kept = b"".join(field for field in fields.splitlines(keepends=True) if not field.lower().startswith(b"connection:"))
    return line + b"\r\n" + SCHEME_HEADER.encode() + b": http\r\nConnection: close\r\n" + kept


async def connect_unix(path: Path, attempts: int = 200) -> Stream:
    """Connect to a unix socket, waiting a little while its backlog is full or its server is starting."""
    for _ in range(attempts - 1):
        try:
            return await asyncio.open_unix_connection(str(path))
        except (BlockingIOError, ConnectionRefusedError, FileNotFoundError):
            await asyncio.sleep(0.01)
    return await asyncio.open_unix_connection(str(path))
