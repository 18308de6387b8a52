"""One request to a target and its answer, copied as it comes.

Source: Application Load Balancers user guide, "Troubleshoot your Application Load Balancers", read 2026-11.
"""

import asyncio
import contextlib
import time
from typing import Final

from ragonotebooks.sandbox.parts.balancer import http1
from ragonotebooks.sandbox.parts.balancer.http1 import BadMessageError, Head
from ragonotebooks.sandbox.parts.balancer.passing import Request, back
from ragonotebooks.sandbox.parts.balancer.targets import Group, Target
from ragonotebooks.sandbox.parts.balancer.world import Balancer, World
from ragonotebooks.sandbox.streams import Stream, close, quick_ack

_SMALL: Final = 64 * 1024


class TargetError(Exception):
    """A target gave no answer; the status says what the client gets: 502 or 504."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Exchange:
    """One request to a target and its answer."""

    def __init__(
        self, world: World, balancer: Balancer, group: Group, target: Target, request: Request, client: Stream
    ) -> None:
        self._world, self._balancer, self._group, self._target = world, balancer, group, target
        self._request = request
        self._reader, self._writer = client

    async def run(self, head: Head) -> bool:
        """Return whether the client's connection can be used again. Raises TargetError while the client has got nothing."""
        started = time.perf_counter()
        stream, response, sending = await self._ask(head)
        whole = False
        try:
            self._count(response, time.perf_counter() - started)
            if response.line[1] == "101":
                await self._tunnel(response, stream)
            else:
                # an answer may come before its request has been sent whole
                whole = await self._relay(response, stream[0]) and (sending is None or sending.done())
        finally:
            if sending:
                sending.cancel()
            lasting = head.line[2] != "HTTP/1.0" and "close" not in response.tokens("connection")
            (self._target.keep if whole and lasting else self._target.discard)(stream)
        return whole and self._request.keep

    def _count(self, response: Head, seconds: float) -> None:
        self._world.counts.answered(self._balancer.arn, self._group.arn, int(response.line[1]), seconds)

    async def _ask(self, head: Head) -> tuple[Stream, Head, "asyncio.Task[None] | None"]:
        """Send the request and read the head of the answer; a target may just have closed a connection that was kept."""
        try:
            stream, reused = await self._target.connect()
            try:
                return await self._send(head, stream)
            except (ConnectionError, EOFError):
                if not reused or self._request.framing != 0:
                    raise
            stream, _ = await self._target.connect(fresh=True)
            return await self._send(head, stream)
        except TimeoutError as error:
            raise TargetError(504) from error
        except (OSError, EOFError, BadMessageError) as error:
            raise TargetError(502) from error

    async def _send(self, head: Head, stream: Stream) -> tuple[Stream, Head, "asyncio.Task[None] | None"]:
        sending = None
        try:
            stream[1].write(head.encode())
            if self._request.framing != 0:
                sending = asyncio.get_running_loop().create_task(self._send_body(stream))
            async with asyncio.timeout(self._balancer.idle) as limit:
                if sending:  # the time counts from the end of the request
                    limit.reschedule(None)
                    sending.add_done_callback(lambda _: _reschedule(limit, self._balancer.idle))
                response = await _final_response(stream[0])
            http1.response_body(response, self._request.method)
        except BaseException:
            if sending:
                sending.cancel()
            self._target.discard(stream)
            raise
        return stream, response, sending

    async def _send_body(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(self._balancer.idle) as limit:
                async for piece in http1.pieces(self._reader, self._request.framing):
                    stream[1].write(piece)
                    await stream[1].drain()
                    quick_ack(self._writer)
                    _reschedule(limit, self._balancer.idle)
        except (OSError, EOFError, BadMessageError):
            # without its whole body the request must not look complete to the target
            close(stream[1])

    async def _relay(self, response: Head, reader: asyncio.StreamReader) -> bool:
        """Copy the answer; return whether its end could be seen without the end of the connection."""
        framing = http1.response_body(response, self._request.method)
        whole = framing != "end"
        waiting = back(response, self._request.keep and whole, self._group, self._target).encode()
        if not isinstance(framing, int) or framing > _SMALL:
            self._writer.write(waiting)
            waiting = b""
        try:
            async with asyncio.timeout(self._balancer.idle) as limit:
                async for piece in http1.pieces(reader, framing):
                    self._writer.write(waiting + piece)
                    waiting = b""
                    await self._writer.drain()
                    _reschedule(limit, self._balancer.idle)
        except (OSError, EOFError, BadMessageError) as error:
            if waiting:  # the client has got nothing yet
                raise TargetError(504 if isinstance(error, TimeoutError) else 502) from error
            raise
        if waiting:
            self._writer.write(waiting)
        await self._writer.drain()
        return whole

    async def _tunnel(self, response: Head, stream: Stream) -> None:
        """Copy both ways until one side ends, or both are silent for too long."""
        self._writer.write(response.encode())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._balancer.idle) as limit:

                async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    while data := await reader.read(_SMALL):
                        _reschedule(limit, self._balancer.idle)
                        writer.write(data)
                        await writer.drain()
                    close(writer)

                await asyncio.gather(copy(self._reader, stream[1]), copy(stream[0], self._writer))


async def _final_response(reader: asyncio.StreamReader) -> Head:
    while True:
        response = await http1.read_response(reader)
        if response.line[1] == "101" or not response.line[1].startswith("1"):
            return response


def _reschedule(limit: asyncio.Timeout, seconds: float) -> None:
    with contextlib.suppress(RuntimeError):  # its block has ended
        limit.reschedule(asyncio.get_running_loop().time() + seconds)
