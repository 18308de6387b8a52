"""What a load balancer answers itself."""

from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from ragonotebooks.sandbox.parts.balancer.http1 import Head
from ragonotebooks.sandbox.parts.balancer.passing import Request
from ragonotebooks.sandbox.parts.balancer.rules import location

_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"


def problem(status: int, keep: bool, request: Request | None = None) -> bytes:
    """A status that says what went wrong, such as 503; `request` is None when it could not be understood."""
    return _answer(status, _PAGE.format(f"{status} {_phrase(status)}"), "text/html", keep, request)


def fixed(config: Mapping[str, Any], request: Request) -> bytes:
    """What a rule answers with a FixedResponseConfig."""
    kind, text = config.get("ContentType", "text/plain"), config.get("MessageBody", "")
    return _answer(int(config["StatusCode"]), text, f"{kind}; charset=utf-8", request.keep, request)


def redirect(config: Mapping[str, Any], request: Request, port: int) -> bytes:
    """What a rule answers with a RedirectConfig; `port` is the listener's."""
    status = int(config["StatusCode"].removeprefix("HTTP_"))
    page = _PAGE.format(f"{status} {_phrase(status)}")
    place = location(config, request.asked, port)
    return _answer(status, page, "text/html", request.keep, request, ("Location", place))


def _answer(status: int, text: str, kind: str, keep: bool, request: Request | None, *fields: tuple[str, str]) -> bytes:
    body = text.encode()
    about = [
        ("Server", "awselb/2.0"),
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Connection", "keep-alive" if keep else "close"),
    ]
    head = Head(("HTTP/1.1", str(status), _phrase(status)), [*about, *fields]).encode()
    return head if request and request.method == "HEAD" else head + body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
