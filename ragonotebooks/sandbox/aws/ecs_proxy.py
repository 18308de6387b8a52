"""The gateway as the proxy of tasks: it knows the names of Service Connect and the private addresses of tasks, and leads there what
security groups let through. Whole connections pass, so that large bodies and WebSockets do too.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from ragonotebooks.sandbox.aws import network
from ragonotebooks.sandbox.aws.ecs_connect import Endpoint, endpoints
from ragonotebooks.sandbox.aws.ecs_model import Task
from ragonotebooks.sandbox.callers import Address, CallerGone
from ragonotebooks.sandbox.context import Context, Place
from ragonotebooks.sandbox.gateway import GiveBack, Player, Wanted, origin_form
from ragonotebooks.sandbox.streams import Stream, close, no_delay, splice

#: The private networks of RFC 1918, roughly: what no task has for an address is refused in any case.
_ADDRESSES: Final = r"(10|172|192)(\.\d{1,3}){3}"
_CONNECT_SECONDS, _LINGER_SECONDS = 5.0, 5.0
_CHUNK: Final = 64 * 1024

#: Lets a player play the hosts that a pattern matches.
Play = Callable[[str, Player], None]


class UnavailableError(Exception):
    """The name is known, and nobody answers to it; the message says why."""


class Proxy:
    """Plays the names and addresses of tasks.

    Args:
        context: The daemon's shared parts.
        find: Returns a running task by its ARN.
        play: Registers hosts with the gateway.
    """

    def __init__(self, context: Context, find: Callable[[str], Task | None], play: Play) -> None:
        self._context, self._find, self._play = context, find, play
        self._turns: Counter[str] = Counter()
        self._names: set[str] = set()
        play(_ADDRESSES, self)

    def learn(self, names: set[str]) -> None:
        """Play these names from now on, if it does not yet."""
        for name in names - self._names:
            self._play(re.escape(name.lower()), self)
        self._names |= names

    async def take(self, client: Stream, wanted: Wanted, give_back: GiveBack) -> str | None:
        """Lead a connection to a task, or tell why it must not pass."""
        peer, here = client[1].get_extra_info("peername"), client[1].get_extra_info("sockname")
        client[1].transport.resume_reading()  # type: ignore[attr-defined]  # a socket's transport can
        try:
            found = await asyncio.to_thread(self._lookup, peer, here, wanted.host, wanted.port)
            if found is None:
                return f"blocked by the sandbox: {wanted.host}:{wanted.port} is nothing that it plays for this caller"
            server = await self._connect(found, wanted)
        except CallerGone:
            return "the caller has gone"
        except UnavailableError as problem:
            await _answer(client, str(problem))
            return None
        client[1].write(wanted.greeting)
        server[1].write(origin_form(wanted.head) if wanted.head else b"")
        await splice(client, server)
        return None

    def _lookup(self, peer: Address, here: Address, host: str, port: int) -> list[Endpoint] | None:
        """Return where those are that answer to a name, whose turn it is first; None when nobody has the name for this caller."""
        arn = self._context.callers.who(peer, here)
        with self._context.lock:
            task, place = self._find(arn or ""), self._context.places.get(arn or "")
            if task is None or place is None:
                return None
            return self._neighbour(task, place, host, port) or self._named(task, place, host, port)

    def _neighbour(self, task: Task, place: Place, host: str, port: int) -> list[Endpoint] | None:
        other = network.place_of_private_address(self._context, host, place.vpc)
        return self._admitted(task, place, [Endpoint(other, port)], f"{host}:{port}") if other else None

    def _named(self, task: Task, place: Place, host: str, port: int) -> list[Endpoint] | None:
        found = endpoints(self._context, task, host, port)
        if found is None:
            return None
        name = f"{host}:{port}"
        if not found:
            raise UnavailableError(f"no healthy upstream: no task of the service behind {name} is ready")
        there = self._admitted(task, place, [one for one in found if one.place.vpc == place.vpc], name)
        turn = self._turns[name] % len(there)
        self._turns[name] += 1
        return [*there[turn:], *there[:turn]]

    def _admitted(self, task: Task, place: Place, found: list[Endpoint], name: str) -> list[Endpoint]:
        account, region = self._context.state.account, task.region
        there = [
            one
            for one in found
            if network.admits(account, region, one.place.groups, one.port, place)
            and network.lets_out(account, region, one.place, one.port, place)
        ]
        if not there:
            raise UnavailableError(
                f"upstream connect error: connection timeout: no security group lets the task through to {name}"
            )
        return there

    async def _connect(self, found: list[Endpoint], wanted: Wanted) -> Stream:
        for one in found:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    stream: Stream = await asyncio.open_connection(one.place.loopback, one.port)
                no_delay(stream[1])
                return stream
        raise UnavailableError(
            f"upstream connect error: connection refused: nothing listens at {wanted.host}:{wanted.port}"
        )


async def _answer(client: Stream, problem: str) -> None:
    """Answer as the proxy of Service Connect does when it has nobody to ask, also a client that is still sending."""
    reader, writer = client
    body = f"{problem}\n".encode()
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(_CHUNK):
                pass
    close(writer)
