"""The load balancer's process: `python -m ragonotebooks.sandbox.parts.balancer DESCRIPTOR`, one end of a channel.

It is told `{"world": …}`, which replaces what it was told before, and `{"accept": …}` with a connection to serve. It tells
`{"health": …}`, `{"drained": …}`, `{"counts": …}`, and `{"return": true}` with a connection whose client now wants another host.
It ends when the other end does.
"""

import asyncio
import os
import signal
import socket
import sys
from typing import Final

import uvloop

from ragonotebooks.sandbox.parts.balancer.connection import Arrival, Connection
from ragonotebooks.sandbox.parts.balancer.http1 import HEAD_LIMIT
from ragonotebooks.sandbox.parts.balancer.world import World
from ragonotebooks.sandbox.parts.channel import Channel
from ragonotebooks.sandbox.streams import adopt, no_delay, quick_ack

_COUNT_SECONDS: Final = 5


def main() -> None:
    """Serve until the channel ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, lambda *_: os._exit(0))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Process(socket.socket(fileno=int(sys.argv[1]))).run())


class _Process:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._channel = Channel(connection)
        self._world = World(self._channel.send)
        self._over = asyncio.Event()
        # asyncio itself holds running tasks weakly
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        asyncio.get_running_loop().add_reader(self._connection, self._hear)
        counting = asyncio.create_task(self._count())
        await self._over.wait()
        counting.cancel()

    def _hear(self) -> None:
        try:
            for message, data, connection in self._channel.receive():
                if connection is None:
                    self._world.apply(message["world"])
                else:
                    task = asyncio.create_task(self._serve(Arrival(**message["accept"]), data, connection))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
        except (EOFError, OSError):
            self._over.set()

    async def _serve(self, arrival: Arrival, data: bytes, connection: socket.socket) -> None:
        stream = await adopt(connection, data, HEAD_LIMIT)
        no_delay(stream[1])
        quick_ack(stream[1])

        def give_back(rest: bytes) -> None:
            self._channel.send({"return": True}, rest, stream[1].get_extra_info("socket"))

        self._world.counts.add(arrival.balancer, "NewConnectionCount")
        await Connection(self._world, arrival, stream, give_back).serve()

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(_COUNT_SECONDS)
            self._channel.send({"counts": self._world.counts.take()})


if __name__ == "__main__":
    main()
