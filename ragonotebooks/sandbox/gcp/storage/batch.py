"""Batches: many requests in the parts of one (`multipart/mixed`)."""

import io
import json
import re
import secrets
from collections.abc import Callable, Iterator
from email.parser import BytesHeaderParser
from urllib.parse import parse_qsl

from ragonotebooks.sandbox.gcp.errors import invalid
from ragonotebooks.sandbox.gcp.http_front import Request, Response
from ragonotebooks.sandbox.gcp.storage.uploads import boundary_of

_MOST = 100  # requests in one; Cloud Storage, "Batch requests"


def answer(request: Request, answer_one: Callable[[Request], Response]) -> Response:
    """Answer every request of a batch, in their order."""
    boundary = f"batch_{secrets.token_hex(12)}"
    parts = list(_requests(request))
    if len(parts) > _MOST:
        raise invalid(f"A batch holds at most {_MOST} requests; this one has {len(parts)}.")
    body = b"".join(_part(boundary, content_id, answer_one(one)) for content_id, one in parts)
    kind = f"multipart/mixed; boundary={boundary}"
    return Response(200, body + f"--{boundary}--\r\n".encode(), {"Content-Type": kind})


def _requests(request: Request) -> Iterator[tuple[str, Request]]:
    for text in request.body.split(boundary_of(request))[1:-1]:
        outer, inner = _split(text)
        line, _, rest = inner.partition(b"\n")
        method, target, *_ = line.decode().split()
        headers, body = _split(rest)
        path, _, query = target.partition("?")
        path = "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path
        mine = {"authorization": request.headers.get("authorization", ""), **headers}
        parsed = parse_qsl(query, keep_blank_values=True)
        yield outer.get("content-id", ""), Request(method, request.host, path, parsed, mine, io.BytesIO(body))


def _split(text: bytes) -> tuple[dict[str, str], bytes]:
    text = text.lstrip(b"\r\n")
    head, _, body = re.sub(rb"\r\n", b"\n", text).partition(b"\n\n")
    headers = BytesHeaderParser().parsebytes(head + b"\n\n")
    return {key.lower(): str(value) for key, value in headers.items()}, body.rstrip(b"\n")


def _part(boundary: str, content_id: str, response: Response) -> bytes:
    status = f"HTTP/1.1 {response.status} {'OK' if response.status < 400 else 'Refused'}\r\n"
    kind = response.headers.get("Content-Type", "application/json")
    body = response.body or json.dumps({}).encode() if response.status != 204 else b""
    name = content_id.strip("<>")
    head = f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <response-{name}>\r\n\r\n"
    fields = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + status + fields).encode() + body + b"\r\n"
