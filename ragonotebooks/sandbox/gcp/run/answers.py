"""What Cloud Run answers itself, without asking an instance."""

from http import HTTPStatus
from typing import Final

from ragonotebooks.sandbox.parts.balancer.http1 import Head
from ragonotebooks.sandbox.parts.balancer.passing import Request

_TITLES: Final = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Page not found",
    429: "Rate exceeded.",
    500: "Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_PAGE: Final = (
    '<html><head>\n<meta http-equiv="content-type" content="text/html;charset=utf-8">\n<title>{status} {title}</title>\n'
    "</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: {title}</h1>\n<h2>{text}</h2>\n<h2></h2>\n</body></html>\n"
)


def problem(status: int, text: str, request: Request | None) -> bytes:
    """A page that says what is wrong.

    Args:
        status: The HTTP status.
        text: What is said.
        request: What is answered; None when the connection ends with it.
    """
    title = _TITLES.get(status, HTTPStatus(status).phrase)
    body = _PAGE.format(status=status, title=title, text=text or title).encode()
    fields = [
        ("Server", "Google Frontend"),
        ("Content-Type", "text/html; charset=UTF-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "keep-alive" if request else "close"),
    ]
    if status == HTTPStatus.UNAUTHORIZED:
        fields.append(("WWW-Authenticate", f'Bearer error="invalid_token" error_description="{text}"'))
    head = Head(("HTTP/1.1", str(status), HTTPStatus(status).phrase), fields).encode()
    return head if request and request.method == "HEAD" else head + body


def to_https(url: str) -> bytes:
    """The redirection of a request without TLS."""
    place = f"https://{url.partition('://')[2]}"
    fields = [("Location", place), ("Content-Length", "0"), ("Connection", "close"), ("Server", "Google Frontend")]
    return Head(("HTTP/1.1", "302", "Found"), fields).encode()
