"""How objects come in: in one request, as the two parts of one, or resumable in pieces."""

import json
import re
import secrets
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, BinaryIO, Final

from ragonotebooks.sandbox.gcp.errors import ApiError, invalid
from ragonotebooks.sandbox.gcp.http_front import Request, Response
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.gcp.storage.model import Json

_RANGE: Final = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class Session:
    """A resumable upload that goes on.

    Attributes:
        id: Its secret name: who knows it may go on.
        bucket: The bucket's name.
        wanted: The object's resource as it was asked for.
        parameters: Those of the request that began it; its preconditions hold in the end.
        caller: Who began it.
        file: What has come so far.
    """

    bucket: str
    wanted: Json
    parameters: dict[str, str]
    caller: Caller | None
    file: Path
    id: str = field(default_factory=lambda: secrets.token_urlsafe(40))
    size: int = 0

    def add(self, data: bytes, start: int) -> None:
        """Add bytes that begin at `start`; what has come already is not taken twice.

        Raises:
            ApiError: There is a gap before them.
        """
        if start > self.size:
            raise ApiError(
                "INVALID_ARGUMENT", f"The upload has {self.size} bytes and goes on at {start}.", status_code=503
            )
        fresh = data[self.size - start :]
        with self.file.open("ab") as file:
            _write(file, fresh)
        self.size += len(fresh)

    def data(self) -> bytes:
        """All that has come, which is then forgotten."""
        found = self.file.read_bytes() if self.file.exists() else b""
        self.file.unlink(missing_ok=True)
        return found

    def progress(self) -> Response:
        """How far it has come."""
        headers = {"X-GUploader-UploadID": self.id}
        if self.size:
            headers["Range"] = f"bytes=0-{self.size - 1}"
        return Response(308, b"", headers)


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)


def piece(request: Request) -> tuple[int | None, int | None]:
    """What a request of a resumable upload brings: where its bytes begin (None for a question how far it has come), and the
    whole size (None while that is not known).
    """
    text = request.headers.get("content-range", "")
    if not text:
        return 0, int(request.headers.get("content-length", "0"))
    found = _RANGE.fullmatch(text)
    if found is None:
        raise invalid(f"Failed to parse Content-Range header: {text}")
    total = None if found[3] == "*" else int(found[3])
    return (int(found[1]) if found[1] else None), total


def boundary_of(request: Request) -> bytes:
    """What separates the parts of a request; gsutil quotes it as no standard says.

    Raises:
        ApiError: The request does not say.
    """
    found = re.search(r"""boundary=(["']?)([^"';]+)\1""", request.headers.get("content-type", ""))
    if found is None:
        raise invalid("A request of several parts needs a boundary in its Content-Type.")
    return b"--" + found[2].encode()


def two_parts(request: Request) -> tuple[Json, bytes, str]:
    """Read a multipart upload: the object's resource, its bytes, and their type."""
    boundary = boundary_of(request)
    body = request.body
    first = body.find(boundary)
    second = body.find(b"\r\n" + boundary, first + len(boundary))
    newline = 2 if second >= 0 else 1
    if second < 0:
        second = body.find(b"\n" + boundary, first + len(boundary))
    last = body.rfind(boundary + b"--")
    if first < 0 or second < 0 or last <= second:
        raise invalid("The multipart upload does not have two parts.")
    _, described = _part(body[first + len(boundary) : second])
    headers, data = _part(body[second + newline + len(boundary) : last - newline])
    try:
        wanted: Json = json.loads(described or b"{}")
    except ValueError as error:
        raise invalid(f"The first part of the upload is no JSON: {error}") from None
    return wanted, data, str(headers.get("content-type", ""))


def _part(text: bytes) -> tuple[Any, bytes]:
    text = text.removeprefix(b"\r\n").removeprefix(b"\n")
    separator = b"\r\n\r\n" if b"\r\n\r\n" in text else b"\n\n"
    head, _, body = text.partition(separator)
    return BytesHeaderParser().parsebytes(head + separator), body
