"""A relay that closes leaves nothing behind that could get in the way of what comes after it."""

import asyncio
import socket
from pathlib import Path

from ragonotebooks.sandbox.parts.relay import Relay


def test_socket_that_gets_the_number_of_a_closed_listener_is_heard() -> None:
    async def scenario() -> bytes:
        listener = socket.create_server(("127.0.0.1", 0))
        relay = Relay(listener, Path("absent"), None, lambda *_: True)
        await relay.open()
        await asyncio.sleep(0)  # the relay waits for its first connection
        number = listener.fileno()
        await relay.close()
        here, there = socket.socketpair()
        with there:
            assert number in (here.fileno(), there.fileno())
            ours, theirs = (here, there) if here.fileno() == number else (there, here)
            reader, writer = await asyncio.open_connection(sock=ours)
            theirs.sendall(b"word")
            word = await asyncio.wait_for(reader.readexactly(4), 10)
            writer.close()
            theirs.close()
            return word

    assert asyncio.run(scenario()) == b"word"
