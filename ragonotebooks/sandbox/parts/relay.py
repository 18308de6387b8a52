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
from ragonotebooks.sandbox.streams import close, no_delay, splice

#: Whether a connection from the first address to the second may pass.
Admit = Callable[[Address, Address], bool]

_CANCEL_REQUEST: Final = 80877102
_SSL_REQUEST: Final = 80877103
_GSS_REQUEST: Final = 80877104
# A network that drops a packet lets the caller wait. A listener cannot drop one, so it holds the connection, this long.
_HOLD_SECONDS: Final = 10.0


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


class PostgresRelay:
    """A TLS endpoint in front of a Postgres server's unix socket.

    Args:
        listener: A bound socket.
        server: The server's unix socket.
        context: The certificate that the endpoint shows.
        admit: Whether the network lets a connection in; one that it does not is held without an answer.
    """

    def __init__(self, listener: socket.socket, server: Path, context: ssl.SSLContext, admit: Admit) -> None:
        self._listener = listener
        self._target = server
        self._context = context
        self._admit = admit
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Start to accept connections."""
        self._server = await asyncio.start_server(self._serve, sock=self._listener, backlog=512)

    async def close(self) -> None:
        """Stop to accept connections and end those that are open."""
        if self._server:
            self._server.close()
        for writer in list(self._open):
            close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        no_delay(writer)
        try:
            if self._admit(writer.get_extra_info("peername"), writer.get_extra_info("sockname")):
                await self._greet(reader, writer)
            else:
                await asyncio.wait_for(_until_the_end(reader), _HOLD_SECONDS)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ssl.SSLError):
            pass  # the client has gone or does not speak TLS: nobody is left to tell
        finally:
            self._open.discard(writer)
            close(writer)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(8)
            _, code = struct.unpack(">II", head)
            if code == _GSS_REQUEST:
                writer.write(b"N")
            elif code == _SSL_REQUEST:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self._context)
                await splice((reader, writer), await asyncio.open_unix_connection(str(self._target)))
                return
            elif code == _CANCEL_REQUEST:
                await self._cancel(head + await reader.readexactly(8))
                return
            else:
                await _refuse_plain_text(reader, writer, head)
                return

    async def _cancel(self, request: bytes) -> None:
        _, backend = await asyncio.open_unix_connection(str(self._target))
        backend.write(request)
        await backend.drain()
        close(backend)


async def _until_the_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(1024):
        pass


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
