"""One client's connection: each request is judged by the listener's rules and answered, or handed to a target."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ragonotebooks.sandbox.parts.balancer import answers, http1
from ragonotebooks.sandbox.parts.balancer.exchange import Exchange, TargetError
from ragonotebooks.sandbox.parts.balancer.http1 import BadMessageError, Head
from ragonotebooks.sandbox.parts.balancer.passing import Request, onward, token, understand
from ragonotebooks.sandbox.parts.balancer.rules import first_match
from ragonotebooks.sandbox.parts.balancer.targets import Group, Target
from ragonotebooks.sandbox.parts.balancer.world import Balancer, Listener, World
from ragonotebooks.sandbox.streams import Stream, abandon, close


@dataclass(frozen=True)
class Arrival:
    """How a connection came.

    Attributes:
        balancer: The ARN of the load balancer that it is for.
        port: The listener's port.
        source: The address that it comes from.
        host: For requests to a proxy, the host that they must name; None when the connection leads to the load balancer itself.
    """

    balancer: str
    port: int
    source: str
    host: str | None


class Connection:
    """Serves one connection to its end.

    Args:
        world: What is known.
        arrival: How the connection came.
        client: Its streams.
        give_back: Takes the bytes of a request to another host, on the connection of a proxy's client.
    """

    def __init__(self, world: World, arrival: Arrival, client: Stream, give_back: Callable[[bytes], None]) -> None:
        self._world, self._arrival, self._client = world, arrival, client
        self._give_back = give_back

    async def serve(self) -> None:
        """Answer requests until one side ends the connection."""
        try:
            while await self._next():
                pass
        except (OSError, EOFError, TimeoutError, BadMessageError):
            pass  # the client has gone, or sends what cannot be answered any more
        finally:
            close(self._client[1])

    async def _next(self) -> bool:
        """Answer a request; return whether there may be another one."""
        balancer = self._world.balancers.get(self._arrival.balancer)
        if balancer is None:
            return False
        try:
            async with asyncio.timeout(balancer.idle):
                head = await http1.read_request(self._client[0])
            if self._arrival.host is not None and not self._is_for_us(head):
                self._give_back(head.encode() + await abandon(self._client))
                return False
            request = understand(head, self._arrival.source)
        except BadMessageError:
            return await self._say(answers.problem(400, keep=False), keep=False)
        # rules may have changed while the connection was idle
        balancer = self._world.balancers.get(self._arrival.balancer)
        listener = balancer.listeners.get(self._arrival.port) if balancer else None
        return await self._act(balancer, listener, request) if balancer and listener else False

    def _is_for_us(self, head: Head) -> bool:
        scheme, _, rest = head.line[1].partition("://")
        return scheme == "http" and rest.partition("/")[0].lower() == self._arrival.host

    async def _act(self, balancer: Balancer, listener: Listener, request: Request) -> bool:
        action = first_match(listener.rules, request.asked)
        if request.head.get("expect"):
            self._client[1].write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if action["Type"] == "forward":
            return await self._forward(balancer, listener, request, action)
        if action["Type"] == "redirect":
            self._world.counts.add(balancer.arn, "HTTP_Redirect_Count")
            text = answers.redirect(action["RedirectConfig"], request, listener.port)
        else:
            self._world.counts.add(balancer.arn, "HTTP_Fixed_Response_Count")
            text = answers.fixed(action["FixedResponseConfig"], request)
        return await self._swallow_and_say(balancer, request, text)

    async def _forward(self, balancer: Balancer, listener: Listener, request: Request, action: dict[str, Any]) -> bool:
        group = self._world.group_of(action)
        target = group.choose(token(group, request.head)) if group else None
        if group is None or target is None:
            self._count_failure(balancer, 503)
            return await self._swallow_and_say(balancer, request, answers.problem(503, request.keep, request))
        self._world.counts.add_for(balancer.arn, group.arn, "RequestCount")
        head = onward(request, listener.port, balancer.forwarded)
        with self._serving(group, target):
            try:
                return await Exchange(self._world, balancer, group, target, request, self._client).run(head)
            except TargetError as error:
                self._world.counts.add_for(balancer.arn, group.arn, "TargetConnectionErrorCount")
                self._count_failure(balancer, error.status)
                # what is left of a body would be taken for the next request
                keep = request.keep and request.framing == 0
                return await self._say(answers.problem(error.status, keep, request), keep)

    @contextlib.contextmanager
    def _serving(self, group: Group, target: Target) -> Iterator[None]:
        try:
            with target.serving():
                yield
        finally:
            self._world.finish(group, target)

    def _count_failure(self, balancer: Balancer, status: int) -> None:
        self._world.counts.add(balancer.arn, "HTTPCode_ELB_5XX_Count")
        self._world.counts.add(balancer.arn, f"HTTPCode_ELB_{status}_Count")

    async def _swallow_and_say(self, balancer: Balancer, request: Request, text: bytes) -> bool:
        async with asyncio.timeout(balancer.idle):
            async for _ in http1.pieces(self._client[0], request.framing):
                pass
        return await self._say(text, request.keep)

    async def _say(self, text: bytes, keep: bool) -> bool:
        self._client[1].write(text)
        await self._client[1].drain()
        return keep
