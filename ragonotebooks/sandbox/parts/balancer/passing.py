"""Requests and answers that pass: what is read of a request, and what a load balancer changes in heads on their way.

Source: Application Load Balancers user guide, "HTTP headers and Application Load Balancers" and "Sticky sessions", read 2026-11.
"""

import contextlib
import re
import secrets
import time
from dataclasses import dataclass
from email.utils import formatdate
from http.cookies import CookieError, SimpleCookie
from typing import Final

from ragonotebooks.sandbox.parts.balancer.http1 import BadMessageError, Framing, Head, request_body
from ragonotebooks.sandbox.parts.balancer.rules import Asked
from ragonotebooks.sandbox.parts.balancer.targets import Group, Target

_COOKIE: Final = "AWSALB"
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "upgrade", "expect"}
)
# what `Connection` may not take away: without it the other side would see another message
_ESSENTIAL: Final = frozenset({"host", "content-length", "transfer-encoding"})
_REPLACED: Final = frozenset({"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-amzn-trace-id"})
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]+)([^#]*)", re.IGNORECASE)
_PORT: Final = re.compile(r":\d*$")


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        head: Its head.
        asked: What rules look at.
        framing: How long its body is.
        keep: Whether its client wants to go on with the connection.
    """

    head: Head
    asked: Asked
    framing: Framing
    keep: bool

    @property
    def method(self) -> str:
        return self.head.line[0]


def understand(head: Head, source: str) -> Request:
    """Read what a request from the address `source` asks. Raises BadMessageError for one that is not clear."""
    method, target, version = head.line
    if absolute := _ABSOLUTE.fullmatch(target):
        target = absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"
        others = [field for field in head.fields if field[0].lower() != "host"]
        head = Head((method, target, version), [("Host", absolute[1]), *others])
    hosts = head.all("host")
    if len(hosts) > 1 or (not hosts and version == "HTTP/1.1") or not target.startswith(("/", "*")):
        raise BadMessageError("the request does not name one host and one path")
    host = _PORT.sub("", hosts[0]).lower() if hosts else ""
    path, _, query = target.partition("?")
    keep = version == "HTTP/1.1" and "close" not in head.tokens("connection")
    return Request(head, Asked(head, host, path, query, source), request_body(head), keep)


def onward(request: Request, port: int, forwarded: str) -> Head:
    """Return the request's head as the target gets it.

    `port` is the listener's; `forwarded` is what becomes of X-Forwarded-For: `append`, `preserve` or `remove`.
    """
    head = request.head
    named = head.tokens("connection")
    before = head.all("x-forwarded-for")
    chain = {"append": [*before, request.asked.source], "preserve": before, "remove": []}[forwarded]
    fields = [field for field in lasting_fields(head) if field[0].lower() not in _REPLACED]
    if chain:
        fields.append(("X-Forwarded-For", ", ".join(chain)))
    fields += [("X-Forwarded-Proto", "http"), ("X-Forwarded-Port", str(port))]
    fields.append(("X-Amzn-Trace-Id", _trace(head.get("x-amzn-trace-id"))))
    if "upgrade" in named and "websocket" in head.tokens("upgrade"):
        fields += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    elif head.line[2] == "HTTP/1.0":
        fields.append(("Connection", "close"))
    return Head(head.line, fields)


def back(response: Head, keep: bool, group: Group, target: Target) -> Head:
    """Return the answer's head as the client gets it, with the cookie that leads it to the same target again."""
    fields = [*lasting_fields(response), ("Connection", "keep-alive" if keep else "close")]
    if seconds := group.settings["sticky"]:
        expires = formatdate(time.time() + seconds, usegmt=True)
        fields.append(("Set-Cookie", f"{_COOKIE}={target.token}; Expires={expires}; Path=/"))
    return Head(("HTTP/1.1", response.line[1], response.line[2]), fields)


def token(group: Group, head: Head) -> str | None:
    """Return what the cookie of a request says of its target, None without one and where targets are not sticky."""
    if not group.settings["sticky"]:
        return None
    for value in head.all("cookie"):
        with contextlib.suppress(CookieError):
            if morsel := SimpleCookie(value).get(_COOKIE):
                return morsel.value
    return None


def lasting_fields(head: Head) -> list[tuple[str, str]]:
    """The fields that are not about the connection alone."""
    dropped = _HOP_BY_HOP | (head.tokens("connection") - _ESSENTIAL)
    return [field for field in head.fields if field[0].lower() not in dropped]


def _trace(given: str | None) -> str:
    mark = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Self={mark};{given}" if given else f"Root={mark}"
