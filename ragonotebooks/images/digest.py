"""Content is named by its digest: `sha256:` and 64 hexadecimal digits. Whoever reads checks it."""

import hashlib
import io
import re
from pathlib import Path
from typing import Final, Protocol

from ragonotebooks.errors import RagonotebooksError

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class DigestMismatch(RagonotebooksError):  # noqa: N818 - reads as the fact that it states
    """Content is not what its digest says: it was damaged or exchanged on its way."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(
            f"The content has the digest {actual}, not {expected}: it was damaged on its way, fetch it again"
        )


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


def digest_of(content: bytes) -> str:
    """Return the digest of bytes in memory."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_of_file(path: Path) -> str:
    """Return the digest of a file's content."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


class VerifiedReader(io.RawIOBase):
    """Passes `source` on and compares size and digest at its end, so that nothing has to be read twice.

    Its length is the size in bytes: HTTP clients announce it instead of sending chunks.

    Raises:
        DigestMismatch: By the read that meets the end.
    """

    def __init__(self, source: _Source, digest: str, size: int) -> None:
        self._source, self._digest, self._size = source, digest, size
        self._hash = hashlib.sha256()
        self._seen = 0

    def __len__(self) -> int:
        return self._size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        self._hash.update(data)
        self._seen += len(data)
        if not data or self._seen > self._size:
            self._verify()
        return len(data)

    def close(self) -> None:
        self._source.close()
        super().close()

    def _verify(self) -> None:
        actual = f"sha256:{self._hash.hexdigest()}"
        if (self._seen, actual) != (self._size, self._digest):
            raise DigestMismatch(self._digest, actual)
