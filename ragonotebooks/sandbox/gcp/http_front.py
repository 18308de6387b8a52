"""The REST front: JSON requests for the hosts of Google's APIs, as a WSGI application."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from ragonotebooks.sandbox.gcp import engine
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, fault
from ragonotebooks.sandbox.ledger import Call as Entry

_HOST: Final = re.compile(
    r"(?:[a-z]+-[a-z]+\d-)?(?P<name>[a-z0-9-]+)(?:\.mtls|\.[a-z]+-[a-z]+\d\.rep)?\.googleapis\.com"
)
# hosts that are older than the division by service
_OLD: Final = {"www.googleapis.com": "oauth2.googleapis.com", "openidconnect.googleapis.com": "oauth2.googleapis.com"}
_REASONS: Final = {
    200: "OK",
    201: "Created",
    204: "No Content",
    206: "Partial Content",
    304: "Not Modified",
    308: "Resume Incomplete",
}


@dataclass
class Request:
    """A request as it came.

    Attributes:
        method: `GET`.
        host: The host that the client meant, in lower case.
        path: The path as it was sent, percent-encoded.
        query: The parameters, in their order.
        headers: The fields by lower-case name.
        body: What follows, read when it is asked for.
    """

    method: str
    host: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    _stream: Any = field(repr=False)

    @property
    def body(self) -> bytes:
        """The whole body."""
        read: bytes = self._stream.read()
        return read

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)

    @property
    def token(self) -> str:
        """The bearer token that it carries."""
        return self.headers.get("authorization", "").removeprefix("Bearer ") or self.parameter("access_token")

    def json(self) -> Any:
        """The body as a JSON object; an empty one is an empty object."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ApiError("INVALID_ARGUMENT", f"The body is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise ApiError("INVALID_ARGUMENT", "Invalid JSON payload received. Root element must be a message.")
        return found


@dataclass
class Response:
    """An answer.

    Attributes:
        status: The HTTP status.
        body: What is sent.
        headers: The fields besides the length.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_response(body: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(status, json.dumps(body).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def front(cloud: Cloud) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Return the WSGI application of a cloud."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _read(environ)
        response = answer_request(cloud, request)
        headers = {"Content-Length": str(len(response.body)), "Vary": "Origin", **response.headers}
        start_response(f"{response.status} {_REASONS.get(response.status, 'Refused')}", list(headers.items()))
        return [b"" if request.method == "HEAD" else response.body]

    return answer


def host_of(name: str) -> str:
    """The service's own host behind a regional or otherwise particular one."""
    found = _HOST.fullmatch(_OLD.get(name, name))
    return f"{found['name']}.googleapis.com" if found else name


def _read(environ: dict[str, Any]) -> Request:
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if name in environ:
            headers[name.replace("_", "-").lower()] = environ[name]
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    raw = environ.get("REQUEST_URI", "").partition("?")[0] or path
    return Request(
        headers.get("x-http-method-override", environ["REQUEST_METHOD"]),
        headers.get("host", "").partition(":")[0].lower(),
        raw[raw.index("/", 8) :] if raw.startswith("http") else raw,
        parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True),
        headers,
        environ["wsgi.input"],
    )


def answer_request(cloud: Cloud, request: Request) -> Response:
    """Answer one request, whatever comes of it, and write it down."""
    started, entry = engine.now(), Entry()
    refusal: ApiError | None = None
    told: Callable[[ApiError], Any] = ApiError.body
    try:
        service = cloud.service(host_of(request.host))
        told = service.error_body
        response = service.http(request, entry)
    except ApiError as error:
        refusal = error
    except Exception as error:
        refusal = fault(f"{request.method} {request.host}{request.path}", error)
    if refusal is not None:
        response = json_response(told(refusal), refusal.http)
    if entry.service:
        engine.write_down(cloud, entry, refusal, response.status, started)
    return response
