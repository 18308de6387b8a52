"""Relays: the addresses at which servers can be reached. A relay knows who calls, asks whether the network lets the call in,
ends TLS where the server cannot, and only then talks to the server behind it.
"""

import asyncio
import random
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ragonotebooks.sandbox.callers import Address
from ragonotebooks.sandbox.streams import Stream, close, no_delay, splice

#: Whether a connection from the first address to the second may pass.
Admit = Callable[[Address, Address], bool]

_CANCEL_REQUEST: Final = 80877102
_SSL_REQUEST: Final = 80877103
_GSS_REQUEST: Final = 80877104
# A network that drops a packet lets the caller wait. A listener cannot drop one, so it holds the connection, this long.
_HOLD_SECONDS: Final = 10.0
# With too many open files nothing can be accepted until some are closed.
_FULL_SECONDS: Final = 0.5
_BACKLOG: Final = 512


def free_listener(port: int) -> socket.socket:
    """Return a listening socket on `port` of a loopback address where that port is free."""
    while True:
        address = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError:
            listener.close()
        else:
            return listener


class Relay:
    """An endpoint in front of a server's unix socket.

    Args:
        listener: A bound socket.
        server: The server's unix socket.
        context: The certificate that the endpoint shows; None for an endpoint that speaks in clear.
        admit: Whether the network lets a connection in; one that it does not is reset before a byte is read.
    """

    def __init__(self, listener: socket.socket, server: Path, context: ssl.SSLContext | None, admit: Admit) -> None:
        self._listener = listener
        self._target = server
        self._context = context
        self._admit = admit
        self._accepting: asyncio.Task[None] | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Start to accept connections."""
        self._listener.setblocking(False)
        self._listener.listen(_BACKLOG)
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Stop to accept connections and end those that are open."""
        tasks = [task for task in (self._accepting, *self._open) if task]
        for task in tasks:
            task.cancel()
        # asyncio forgets a socket when whoever waits for it ends; closed before, the next one of its number is never heard
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(_FULL_SECONDS)
                continue
            task = asyncio.create_task(self._serve(connection))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            if self._admit(connection.getpeername(), connection.getsockname()):
                await self._talk(connection)
            else:
                with connection:
                    await self._turn_away(connection)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client has gone or does not speak TLS: nobody is left to tell

    async def _talk(self, connection: socket.socket) -> None:
        client = await _stream(connection, self._context)
        try:
            await splice(client, await self._connect())
        finally:
            close(client[1])

    async def _turn_away(self, connection: socket.socket) -> None:
        # a cache's clients wait for ever for an answer, so they get a reset instead of silence
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def _connect(self) -> Stream:
        return await asyncio.open_unix_connection(str(self._target))


class PostgresRelay(Relay):
    """A TLS endpoint in front of a Postgres server. A connection that the network does not let in is held without an answer.

    Args:
        listener: A bound socket.
        server: The server's unix socket.
        context: The certificate that the endpoint shows.
        admit: Whether the network lets a connection in.
        must_encrypt: Whether whoever does not ask for TLS is refused.
    """

    def __init__(
        self,
        listener: socket.socket,
        server: Path,
        context: ssl.SSLContext,
        admit: Admit,
        must_encrypt: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(listener, server, None, admit)
        self._tls = context
        self._must_encrypt = must_encrypt

    async def _talk(self, connection: socket.socket) -> None:
        reader, writer = await _stream(connection)
        try:
            await self._greet(reader, writer)
        finally:
            close(writer)

    async def _turn_away(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_HOLD_SECONDS):
            while await loop.sock_recv(connection, 1024):
                pass

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(8)
            _, code = struct.unpack(">II", head)
            if code == _GSS_REQUEST:
                writer.write(b"N")
            elif code == _SSL_REQUEST:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self._tls)
                await splice((reader, writer), await self._connect())
                return
            elif code == _CANCEL_REQUEST:
                await self._cancel(head + await reader.readexactly(8))
                return
            elif self._must_encrypt():
                await _refuse_plain_text(reader, writer, head)
                return
            else:
                server = await self._connect()
                server[1].write(head)
                await splice((reader, writer), server)
                return

    async def _cancel(self, request: bytes) -> None:
        _, backend = await self._connect()
        backend.write(request)
        await backend.drain()
        close(backend)


async def _stream(connection: socket.socket, context: ssl.SSLContext | None = None) -> Stream:
    """Return an accepted connection as a stream, after the TLS handshake if it has a context."""
    loop = asyncio.get_running_loop()
    stream: asyncio.Future[Stream] = loop.create_future()
    # with a callback, asyncio takes itself for the server, which decides who begins a TLS handshake
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(), lambda *made: stream.set_result(made))
    await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
    reader, writer = await stream
    no_delay(writer)
    return reader, writer


async def _refuse_plain_text(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    startup = await reader.readexactly(struct.unpack(">I", head[:4])[0] - 8)
    words = startup.split(b"\0")
    given = dict(zip(words[::2], words[1::2], strict=False))
    user, database = given.get(b"user", b""), given.get(b"database", given.get(b"user", b""))
    text = b'no pg_hba.conf entry for host "%s", user "%s", database "%s", no encryption' % (
        writer.get_extra_info("peername")[0].encode(),
        user,
        database,
    )
    fields = b"SFATAL\0VFATAL\0C28000\0M" + text + b"\0\0"
    writer.write(b"E" + struct.pack(">I", len(fields) + 4) + fields)
    await writer.drain()
