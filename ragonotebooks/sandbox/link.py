"""Where this machine's browser reaches a load balancer or a service: it resolves none of a cloud's names, but knows 127.0.0.1."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from ragonotebooks.sandbox.streams import Stream, close

_WAITING: Final = 512


class Link:
    """Listens from the moment that it is made.

    Args:
        loop: Where connections are served.
        serve: Serves one; nothing has been read from it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, serve: Callable[[Stream], Awaitable[None]]) -> None:
        self._loop, self._serve = loop, serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_WAITING)
        self._server: asyncio.Server | None = None
        # asyncio itself holds running tasks weakly
        self._running: set[asyncio.Task[None]] = set()
        self.address: tuple[str, int] = self._listener.getsockname()
        asyncio.run_coroutine_threadsafe(self._open(), loop)

    def close(self) -> None:
        """Listen no more; connections that were served go on."""
        self._loop.call_soon_threadsafe(self._close)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._listener)

    def _close(self) -> None:
        if self._server:
            self._server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
        task = asyncio.get_running_loop().create_task(self._answer((reader, writer)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, client: Stream) -> None:
        try:
            await self._serve(client)
        except OSError:
            close(client[1])
