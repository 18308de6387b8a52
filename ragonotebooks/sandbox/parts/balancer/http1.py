"""HTTP/1.1 as it is on the wire: heads are read and written, bodies are copied as they come.

What could be understood in two ways is refused: two servers that understand it differently can be played against each other.
Source: RFC 9112, sections 2 to 7.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Literal

#: The longest head; Application Load Balancers take headers of 64 K in all ("Load balancer quotas", read 2026-11).
HEAD_LIMIT: Final = 64 * 1024

_CHUNK: Final = 64 * 1024
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) (HTTP/1\.[01])")
_RESPONSE: Final = re.compile(r"(HTTP/1\.[01]) ([1-9]\d\d)(?: (.*))?")
_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")

#: How long a body is: so many bytes, in chunks that tell themselves, or until the connection ends.
Framing = int | Literal["chunks", "end"]


class BadMessageError(Exception):
    """What was sent is not HTTP/1.1, or not clear."""


@dataclass(slots=True)
class Head:
    """The head of a request or a response.

    Attributes:
        line: Its first line: method, target and version, or version, status and reason.
        fields: Names as they were sent, and values.
    """

    line: tuple[str, str, str]
    fields: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        """The values of a field, given by its name in lower case."""
        return [value for one, value in self.fields if one.lower() == name]

    def get(self, name: str) -> str | None:
        """The first value of a field, given by its name in lower case."""
        return next((value for one, value in self.fields if one.lower() == name), None)

    def tokens(self, name: str) -> set[str]:
        """The values of a list such as `Connection`, in lower case."""
        return {token.strip().lower() for value in self.all(name) for token in value.split(",") if token.strip()}

    def encode(self) -> bytes:
        """As it goes over the wire."""
        lines = [" ".join(self.line), *(f"{name}: {value}" for name, value in self.fields), "", ""]
        return "\r\n".join(lines).encode("latin-1")


async def read_request(reader: asyncio.StreamReader) -> Head:
    """Read the head of a request.

    Raises:
        BadMessageError: It is not one, or it is too long.
        asyncio.IncompleteReadError: The connection ended.
    """
    return _parse(await _raw(reader), _REQUEST)


async def read_response(reader: asyncio.StreamReader) -> Head:
    """Read the head of a response; raises what `read_request` raises."""
    return _parse(await _raw(reader), _RESPONSE)


def request_body(head: Head) -> Framing:
    """How long the body of a request is. Raises BadMessageError when that is not clear."""
    declared = _declared(head)
    return 0 if declared is None else declared


def response_body(head: Head, method: str) -> Framing:
    """How long the body of a response to `method` is. Raises BadMessageError when that is not clear."""
    if method == "HEAD" or head.line[1] in ("204", "304") or head.line[1].startswith("1"):
        return 0
    declared = _declared(head)
    return "end" if declared is None else declared


async def pieces(reader: asyncio.StreamReader, framing: Framing) -> AsyncIterator[bytes]:
    """Yield a body as it is on the wire, in pieces.

    Raises:
        BadMessageError: Its chunks are wrong.
        asyncio.IncompleteReadError: The connection ended before it did.
    """
    if framing == "end":
        while piece := await reader.read(_CHUNK):
            yield piece
    elif framing == "chunks":
        async for piece in _chunks(reader):
            yield piece
    else:
        async for piece in _counted(reader, framing):
            yield piece


async def _counted(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await reader.read(min(length, _CHUNK))
        if not piece:
            raise asyncio.IncompleteReadError(b"", length)
        length -= len(piece)
        yield piece


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    size = -1
    while size:
        line = await _line(reader)
        found = _SIZE.fullmatch(line)
        if found is None:
            raise BadMessageError("a chunk does not start with its size")
        size = int(found[1], 16)
        yield line
        if size:
            async for piece in _counted(reader, size):
                yield piece
            if await reader.readexactly(2) != b"\r\n":
                raise BadMessageError("a chunk is longer than it says")
            yield b"\r\n"
    while (line := await _line(reader)) != b"\r\n":
        yield line
    yield line


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n")
    except asyncio.LimitOverrunError as error:
        raise BadMessageError("a line in the body is too long") from error


async def _raw(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise BadMessageError(f"the head is longer than {HEAD_LIMIT} bytes") from error


def _parse(raw: bytes, form: re.Pattern[str]) -> Head:
    text = raw[:-4].decode("latin-1")
    if "\0" in text or not text.count("\n") == text.count("\r") == text.count("\r\n"):
        raise BadMessageError("a line does not end as lines do")
    first, *lines = text.split("\r\n")
    line = form.fullmatch(first)
    if line is None:
        raise BadMessageError("the first line is not one of HTTP/1.1")
    fields = []
    for one in lines:
        name, colon, value = one.partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise BadMessageError("a header has no name")
        fields.append((name, value.strip(" \t")))
    return Head((line[1], line[2], line[3] or ""), fields)


def _declared(head: Head) -> Framing | None:
    codings, lengths = head.all("transfer-encoding"), set(head.all("content-length"))
    if codings and (lengths or [coding.lower() for coding in codings] != ["chunked"]):
        raise BadMessageError("the length of the body is not clear")
    if codings:
        return "chunks"
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit()):
        raise BadMessageError("the length of the body is not clear")
    return int(length)
