"""Moving bytes between two asyncio streams, and the socket options that keep a loopback hop from stalling."""

import asyncio
import contextlib
import socket
from typing import Final

_CHUNK: Final = 256 * 1024
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def splice(a: Stream, b: Stream) -> None:
    """Copy bytes both ways until both sides have ended, then close both."""
    try:
        await asyncio.gather(_copy(a[0], b[1], a[1]), _copy(b[0], a[1], b[1]))
    finally:
        close(a[1])
        close(b[1])


async def adopt(connection: socket.socket, data: bytes, limit: int) -> Stream:
    """Return the streams of an accepted connection on which `data` has been read already."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit)
    if data:
        reader.feed_data(data)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def abandon(client: Stream) -> bytes:
    """Read no more from a connection that another process goes on with, and return what has been read and not used."""
    client[1].transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
    client[0].feed_eof()
    return await client[0].read()


def close(writer: asyncio.StreamWriter) -> None:
    """Close a stream whose other end may be gone already."""
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


def no_delay(writer: asyncio.StreamWriter) -> None:
    """Send small pieces at once."""
    if connection := _tcp(writer):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def quick_ack(writer: asyncio.StreamWriter) -> None:
    """Acknowledge at once: clients that leave Nagle's algorithm on behind a proxy wait 40 ms otherwise. Linux only."""
    if connection := _tcp(writer):
        _quick_ack(connection)


def _tcp(writer: asyncio.StreamWriter) -> socket.socket | None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    return connection if connection is not None and connection.family != socket.AF_UNIX else None


def _quick_ack(connection: socket.socket) -> None:
    if _QUICKACK is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: asyncio.StreamWriter) -> None:
    connection = _tcp(source)
    try:
        while data := await reader.read(_CHUNK):
            if connection:
                _quick_ack(connection)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            # TLS has no half-close: the end of one direction ends the connection
            close(writer)
    except (OSError, RuntimeError):
        close(writer)
