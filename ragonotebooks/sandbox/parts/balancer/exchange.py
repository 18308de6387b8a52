"""One client's connection: each request is judged by the listener's rules and answered, or handed to a target and back.

Source: Application Load Balancers user guide, "HTTP headers and Application Load Balancers" and "Troubleshoot your Application Load
Balancers", read 2026-11.
"""

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from ragonotebooks.sandbox.parts.balancer import http1
from ragonotebooks.sandbox.parts.balancer.http1 import BadMessageError, Framing, Head
from ragonotebooks.sandbox.parts.balancer.rules import Asked, first_match, location
from ragonotebooks.sandbox.parts.balancer.targets import Group, Target
from ragonotebooks.sandbox.parts.balancer.world import Balancer, Listener, World
from ragonotebooks.sandbox.streams import Stream, abandon, close, quick_ack

_COOKIE: Final = "AWSALB"
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "upgrade", "expect"}
)
_REPLACED: Final = frozenset({"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-amzn-trace-id"})
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]+)([^#]*)", re.IGNORECASE)
_PORT: Final = re.compile(r":\d*$")
_SMALL: Final = 64 * 1024


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


class TargetError(Exception):
    """A target gave no answer; the status says what the client gets: 502 or 504."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class _Request:
    """A request on its way."""

    head: Head
    asked: Asked
    framing: Framing
    keep: bool


class Connection:
    """Serves one connection to its end.

    Args:
        world: What is known.
        arrival: How the connection came.
        client: Its streams.
        give_back: Takes the bytes of a request to another host, on the connection of a proxy's client.
    """

    def __init__(self, world: World, arrival: Arrival, client: Stream, give_back: Callable[[bytes], None]) -> None:
        self._world, self._arrival = world, arrival
        self._reader, self._writer = client
        self._give_back = give_back

    async def serve(self) -> None:
        """Answer requests until one side ends the connection."""
        try:
            while await self._next():
                pass
        except (OSError, EOFError, TimeoutError, BadMessageError):
            pass  # the client has gone, or sends what cannot be answered any more
        finally:
            close(self._writer)

    async def _next(self) -> bool:
        found = self._listener()
        if found is None:
            return False
        balancer, listener = found
        try:
            async with asyncio.timeout(balancer.idle):
                head = await http1.read_request(self._reader)
            if self._arrival.host is not None and not self._is_for_us(head):
                await self._return(head)
                return False
            request = _read(head, self._arrival.source)
        except BadMessageError:
            await self._say(400, keep=False)
            return False
        # rules may have changed while the connection was idle
        balancer, listener = self._listener() or (balancer, listener)
        return await self._act(balancer, listener, request)

    def _listener(self) -> tuple[Balancer, Listener] | None:
        balancer = self._world.balancers.get(self._arrival.balancer)
        listener = balancer.listeners.get(self._arrival.port) if balancer else None
        return (balancer, listener) if balancer and listener else None

    def _is_for_us(self, head: Head) -> bool:
        scheme, _, rest = head.line[1].partition("://")
        return scheme == "http" and rest.partition("/")[0].lower() == self._arrival.host

    async def _return(self, head: Head) -> None:
        rest = await abandon((self._reader, self._writer))
        self._give_back(head.encode() + rest)

    async def _act(self, balancer: Balancer, listener: Listener, request: _Request) -> bool:
        action = first_match(listener.rules, request.asked)
        if request.head.get("expect"):
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if action["Type"] == "forward":
            return await self._forward(balancer, listener, request, action)
        async for _ in http1.pieces(self._reader, request.framing):
            pass
        if action["Type"] == "redirect":
            return await self._redirect(balancer, listener, request, action["RedirectConfig"])
        self._world.counts.add(balancer.arn, "HTTP_Fixed_Response_Count")
        config = action["FixedResponseConfig"]
        kind, text = config.get("ContentType", "text/plain"), config.get("MessageBody", "")
        return await self._say(int(config["StatusCode"]), text, kind, request=request)

    async def _redirect(
        self, balancer: Balancer, listener: Listener, request: _Request, config: dict[str, Any]
    ) -> bool:
        self._world.counts.add(balancer.arn, "HTTP_Redirect_Count")
        status = int(config["StatusCode"].removeprefix("HTTP_"))
        place = location(config, request.asked, listener.protocol, listener.port)
        return await self._say(status, request=request, fields=[("Location", place)])

    async def _forward(self, balancer: Balancer, listener: Listener, request: _Request, action: dict[str, Any]) -> bool:
        group = self._world.group_of(action)
        target = group.choose(_token(group, request.head)) if group else None
        if group is None or target is None:
            return await self._fail(balancer, request, 503)
        self._world.counts.add_for(balancer.arn, group.arn, "RequestCount")
        head = _onward(request, listener, balancer.forwarded)
        with self._counted(group, target):
            try:
                exchange = _Exchange(self._world, balancer, group, target, request, (self._reader, self._writer))
                return await exchange.run(head)
            except TargetError as error:
                self._world.counts.add_for(balancer.arn, group.arn, "TargetConnectionErrorCount")
                return await self._fail(balancer, request, error.status)

    @contextlib.contextmanager
    def _counted(self, group: Group, target: Target) -> Iterator[None]:
        try:
            with target.serving():
                yield
        finally:
            self._world.finish(group, target)

    async def _fail(self, balancer: Balancer, request: _Request, status: int) -> bool:
        self._world.counts.add(balancer.arn, "HTTPCode_ELB_5XX_Count")
        self._world.counts.add(balancer.arn, f"HTTPCode_ELB_{status}_Count")
        # what is left of a body would be taken for the next request
        return await self._say(status, request=request, keep=request.keep and request.framing == 0)

    async def _say(
        self,
        status: int,
        text: str | None = None,
        kind: str = "text/html",
        request: _Request | None = None,
        fields: list[tuple[str, str]] | None = None,
        keep: bool | None = None,
    ) -> bool:
        keep = (request is not None and request.keep) if keep is None else keep
        phrase = _phrase(status)
        page = f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body><h1>{status} {phrase}</h1></body>\r\n</html>"
        body = (page if text is None else text).encode()
        head = Head(
            ("HTTP/1.1", str(status), phrase),
            [
                ("Server", "awselb/2.0"),
                ("Date", formatdate(usegmt=True)),
                ("Content-Type", f"{kind}; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Connection", "keep-alive" if keep else "close"),
                *(fields or []),
            ],
        )
        bare = request is not None and request.head.line[0] == "HEAD"
        self._writer.write(head.encode() + (b"" if bare else body))
        await self._writer.drain()
        return keep


class _Exchange:
    """One request to a target and its answer."""

    def __init__(
        self, world: World, balancer: Balancer, group: Group, target: Target, request: _Request, client: Stream
    ) -> None:
        self._world, self._balancer, self._group, self._target = world, balancer, group, target
        self._request = request
        self._reader, self._writer = client

    async def run(self, head: Head) -> bool:
        """Return whether the client's connection can be used again. Raises TargetError while the client has got nothing."""
        started = time.perf_counter()
        stream, response, sending = await self._ask(head)
        reusable = False
        try:
            self._count(response, time.perf_counter() - started)
            if response.line[1] == "101":
                await self._tunnel(response, stream)
                return False
            reusable = await self._relay(response, stream[0])
            sent = sending is None or sending.done()
            kept = reusable and sent and self._request.keep
            reusable = reusable and sent and "close" not in response.tokens("connection") and head.line[2] != "HTTP/1.0"
            return kept
        finally:
            if sending:
                sending.cancel()
            (self._target.keep if reusable else self._target.discard)(stream)

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
            http1.response_body(response, self._request.head.line[0])
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
        """Copy the answer; return whether both connections can be used again, as far as the answer says."""
        framing = http1.response_body(response, self._request.head.line[0])
        whole = framing != "end"
        waiting = _back(response, self._request.keep and whole, self._group, self._target).encode()
        if not isinstance(framing, int) or framing > _SMALL:
            self._writer.write(waiting)
            waiting = b""
        async with asyncio.timeout(self._balancer.idle) as limit:
            async for piece in http1.pieces(reader, framing):
                self._writer.write(waiting + piece)
                waiting = b""
                await self._writer.drain()
                _reschedule(limit, self._balancer.idle)
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


def _read(head: Head, source: str) -> _Request:
    """Read what a request asks. Raises BadMessageError for one that is not clear."""
    method, target, version = head.line
    framing = http1.request_body(head)
    if absolute := _ABSOLUTE.fullmatch(target):
        target = absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"
        head.fields = [("Host", absolute[1]), *(field for field in head.fields if field[0].lower() != "host")]
        head.line = (method, target, version)
    hosts = head.all("host")
    if len(hosts) > 1 or (not hosts and version == "HTTP/1.1") or not target.startswith(("/", "*")):
        raise BadMessageError("the request does not name one host and one path")
    host = _PORT.sub("", hosts[0]).lower() if hosts else ""
    path, _, query = target.partition("?")
    keep = version == "HTTP/1.1" and "close" not in head.tokens("connection")
    return _Request(head, Asked(head, host, path, query, source), framing, keep)


def _onward(request: _Request, listener: Listener, forwarded: str) -> Head:
    """The request's head as the target gets it."""
    head, named = request.head, request.head.tokens("connection")
    fields = [
        field
        for field in head.fields
        if (name := field[0].lower()) not in _HOP_BY_HOP and name not in _REPLACED and name not in named
    ]
    before = head.all("x-forwarded-for")
    chain = {"append": [*before, request.asked.source], "preserve": before, "remove": []}[forwarded]
    if chain:
        fields.append(("X-Forwarded-For", ", ".join(chain)))
    fields += [("X-Forwarded-Proto", listener.protocol), ("X-Forwarded-Port", str(listener.port))]
    fields.append(("X-Amzn-Trace-Id", _trace(head.get("x-amzn-trace-id"))))
    upgrade = head.get("upgrade")
    if upgrade and upgrade.lower() == "websocket" and "upgrade" in named:
        fields += [("Connection", "Upgrade"), ("Upgrade", upgrade)]
    elif head.line[2] == "HTTP/1.0":
        fields.append(("Connection", "close"))
    return Head(head.line, fields)


def _trace(given: str | None) -> str:
    mark = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Self={mark};{given}" if given else f"Root={mark}"


def _back(response: Head, keep: bool, group: Group, target: Target) -> Head:
    """The answer's head as the client gets it."""
    named = response.tokens("connection")
    fields = [field for field in response.fields if (name := field[0].lower()) not in _HOP_BY_HOP and name not in named]
    fields.append(("Connection", "keep-alive" if keep else "close"))
    if seconds := group.settings["sticky"]:
        expires = formatdate(time.time() + seconds, usegmt=True)
        fields.append(("Set-Cookie", f"{_COOKIE}={target.token}; Expires={expires}; Path=/"))
    return Head(("HTTP/1.1", response.line[1], response.line[2]), fields)


def _token(group: Group, head: Head) -> str | None:
    if not group.settings["sticky"]:
        return None
    for value in head.all("cookie"):
        with contextlib.suppress(CookieError):
            if morsel := SimpleCookie(value).get(_COOKIE):
                return morsel.value
    return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
