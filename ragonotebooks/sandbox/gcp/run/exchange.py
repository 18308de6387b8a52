"""One request to an instance and its answer, copied as it comes; WebSockets and answers without end pass too."""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from ragonotebooks.sandbox.parts.balancer import http1
from ragonotebooks.sandbox.parts.balancer.http1 import HEAD_LIMIT, BadMessageError, Head
from ragonotebooks.sandbox.parts.balancer.passing import Request, lasting_fields
from ragonotebooks.sandbox.streams import Stream, close, no_delay

_CHUNK: Final = 64 * 1024
_CONNECT_SECONDS: Final = 5.0
_FAILED: Final = (
    "The request failed because either the HTTP response was malformed or connection to the instance had an error."
)
_TIMEOUT: Final = "The request has been terminated because it has reached the maximum request timeout."
_SIGNATURE: Final = re.compile(r"^(Bearer [\w-]+\.[\w-]+\.)[\w-]+$", re.IGNORECASE)
_REPLACED: Final = frozenset(
    ("x-forwarded-for", "x-forwarded-proto", "x-cloud-trace-context", "traceparent", "forwarded")
)


class InstanceError(Exception):
    """An instance gave no answer.

    Args:
        status: What the client gets: 503 or 504.
        text: What it is told.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class UnreachableError(InstanceError):
    """Nobody listens at an instance any more; it has seen nothing of the request."""


class Exchange:
    """One request and its answer.

    Args:
        place: Where the instance listens.
        request: The request, its body not read.
        client: The client's streams.
        limit: How long all may take, in seconds.
        unsigned: Whether the caller's token loses its signature: it was the front end that looked at it.

    Attributes:
        status: The answer's status.
        sent: The size of its body, in bytes.
    """

    def __init__(
        self, place: tuple[str, int], request: Request, client: Stream, limit: float, *, unsigned: bool
    ) -> None:
        self._place, self._request, self._limit, self._unsigned = place, request, limit, unsigned
        self._reader, self._writer = client
        self.status, self.sent = 0, 0

    async def run(self, trace: Mapping[str, str]) -> bool:
        """Return whether the client's connection can be used again.

        Raises:
            InstanceError: There is no answer, and the client has got nothing.
        """
        try:
            async with asyncio.timeout(self._limit):
                return await self._run(trace)
        except TimeoutError:
            if self.status == 0:
                raise InstanceError(504, _TIMEOUT) from None
            return False  # the answer stops in its middle

    async def _run(self, trace: Mapping[str, str]) -> bool:
        server, sending = await self._connect(), None
        try:
            try:
                server[1].write(_onward(self._request, trace, self._unsigned).encode())
                sending = asyncio.get_running_loop().create_task(self._send_body(server[1]))
                response = await self._response(server[0])
            except (OSError, EOFError, BadMessageError) as error:
                raise InstanceError(503, _FAILED) from error
            self.status = int(response.line[1])
            if self.status == 101:
                await self._tunnel(response, server)
                return False
            whole = await self._relay(response, server[0])
            # an answer may come before its request has been sent whole
            return whole and sending.done() and self._request.keep
        finally:
            if sending:
                sending.cancel()
            close(server[1])

    async def _connect(self) -> Stream:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                stream: Stream = await asyncio.open_connection(*self._place, limit=HEAD_LIMIT)
        except ConnectionRefusedError as error:
            raise UnreachableError(503, _FAILED) from error
        except (OSError, TimeoutError) as error:
            raise InstanceError(503, _FAILED) from error
        no_delay(stream[1])
        return stream

    async def _send_body(self, writer: asyncio.StreamWriter) -> None:
        if self._request.head.get("expect"):
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async for piece in http1.pieces(self._reader, self._request.framing):
                writer.write(piece)
                await writer.drain()
        except (OSError, EOFError, BadMessageError):
            # without its whole body the request must not look complete to the instance
            close(writer)

    async def _response(self, reader: asyncio.StreamReader) -> Head:
        while True:
            response = await http1.read_response(reader)
            if response.line[1] == "101" or not response.line[1].startswith("1"):
                http1.response_body(response, self._request.method)
                return response

    async def _relay(self, response: Head, reader: asyncio.StreamReader) -> bool:
        """Copy the answer; return whether its end could be seen without the end of the connection."""
        framing = http1.response_body(response, self._request.method)
        whole = framing != "end"
        keep = self._request.keep and whole
        fields = [*lasting_fields(response), ("Connection", "keep-alive" if keep else "close")]
        self._writer.write(Head(("HTTP/1.1", response.line[1], response.line[2]), fields).encode())
        try:
            async for piece in http1.pieces(reader, framing):
                self.sent += len(piece)
                self._writer.write(piece)
                await self._writer.drain()
        except (EOFError, BadMessageError):
            return False
        await self._writer.drain()
        return whole

    async def _tunnel(self, response: Head, server: Stream) -> None:
        """Copy both ways until one side ends."""
        self._writer.write(response.encode())

        async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(_CHUNK):
                writer.write(data)
                await writer.drain()
            close(writer)

        await asyncio.gather(copy(self._reader, server[1]), copy(server[0], self._writer))


def _onward(request: Request, trace: Mapping[str, str], unsigned: bool) -> Head:
    """The request's head as an instance gets it."""
    head = request.head
    kept = [field for field in lasting_fields(head) if field[0].lower() not in _REPLACED]
    hidden = ("authorization", "x-serverless-authorization") if unsigned else ()
    fields = [(name, _hide_signature(value) if name.lower() in hidden else value) for name, value in kept]
    chain = [*head.all("x-forwarded-for"), request.asked.source]
    fields += [("X-Forwarded-For", ", ".join(chain)), ("X-Forwarded-Proto", "https"), *trace.items()]
    fields.append(("Forwarded", f'for="{request.asked.source}";proto=https'))
    if "upgrade" in head.tokens("connection") and "websocket" in head.tokens("upgrade"):
        fields += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    else:
        fields.append(("Connection", "close"))
    return Head((head.line[0], head.line[1], "HTTP/1.1"), fields)


def _hide_signature(value: str) -> str:
    """An identity token without its signature: an instance may read who calls, and not call others in that name."""
    return _SIGNATURE.sub(r"\1SIGNATURE_REMOVED_BY_GOOGLE", value)
