"""A layer: files in a tar archive, compressed, named by the digest of either form. The same files give the same digest.

For that, the entries are sorted, owners and times are zero, modes are 0644 or 0755, and compiled Python files stay out.
The compressed form's digest depends on the version of ISA-L as well; the diff id, that of the bare archive, does not.
"""

import hashlib
import io
import os
import tarfile
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final

from isal import isal_zlib

from ragonotebooks.errors import UsageError

GZIP_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
TAR_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"

# Level 1 makes wheels 7 % larger than level 6 in half of the time; the blocks are compressed side by side.
_LEVEL: Final = 1
_BLOCK: Final = 4 * 1024 * 1024
_GZIP_FORMAT: Final = 31  # wbits for a gzip header: without a file name, its time is zero

Content = Path | bytes


@dataclass(frozen=True)
class Layer:
    """One layer of an image.

    Attributes:
        digest: Of the compressed archive: the blob's name in a registry.
        diff_id: The digest of the bare archive: the layer's name in the image's configuration.
        size: Of the compressed archive, in bytes.
        media_type: How it is packed.
        open: Opens the compressed archive for reading; the caller closes it.
    """

    digest: str
    diff_id: str
    size: int
    media_type: str
    open: Callable[[], BinaryIO] = field(repr=False, compare=False)


def layer_of_files(files: Mapping[str, Content], prefix: str = "/app") -> Layer:
    """Make a layer of files and whole folders.

    Args:
        files: What goes where: a relative path in the image, and a file, a folder or the content itself.
        prefix: The folder of the image that the paths are relative to.

    Raises:
        UsageError: A path is not there, two of them claim the same place, or nothing is left to pack.
    """
    entries: dict[str, Content] = {}
    for name, content in files.items():
        for path, part in _walk(name, content):
            add_entry(entries, f"{prefix}/{path}", part)
    return write_layer(entries)


def is_compiled(path: PurePosixPath | Path) -> bool:
    """Tell whether Python made the file by compiling: such files hold times, and whoever imports makes them again."""
    return path.suffix == ".pyc" or "__pycache__" in path.parts


def add_entry(entries: dict[str, Content], name: str, content: Content) -> None:
    """Add one entry under its name in the archive, which is relative to the image's root."""
    path = PurePosixPath(name.lstrip("/"))
    if ".." in path.parts:
        raise UsageError(f"The path {name} leaves the image: write it without '..'")
    if str(path) in entries:
        raise UsageError(f"Two files claim the path /{path} of the layer: leave one of them out")
    entries[str(path)] = content


def write_layer(entries: Mapping[str, Content]) -> Layer:
    """Pack entries, given by their name in the archive, into a temporary file that lives as long as the layer does."""
    if not entries:
        raise UsageError("The layer would be empty: name a file, or a folder with files in it")
    spool = _Spool()
    with spool.path.open("wb") as file:
        packed = _Hashing(file)
        with _ParallelGzip(packed) as gzip:
            bare = _Hashing(gzip)
            # A stream never seeks back, so one pass hashes both forms.
            with tarfile.open(fileobj=bare, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                for name in sorted(entries):
                    _add(archive, name, entries[name])
        size = file.tell()
    return Layer(packed.digest, bare.digest, size, GZIP_LAYER, spool.open)


class _Spool:
    """A temporary file that lasts as long as this object."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="layer-", suffix=".tar.gz")
        os.close(handle)
        self.path = Path(name)
        weakref.finalize(self, self.path.unlink, missing_ok=True)

    def open(self) -> BinaryIO:
        return self.path.open("rb")


def _walk(name: str, content: Content) -> Iterator[tuple[str, Content]]:
    if isinstance(content, bytes) or content.is_file():
        yield name, content
    elif not content.is_dir():
        raise UsageError(f"The file or folder {content} is not there: check the path")
    else:
        for path in content.rglob("*"):
            inside = path.relative_to(content)
            if path.is_file() and not is_compiled(inside):
                yield f"{name}/{inside.as_posix()}", path


def _add(archive: tarfile.TarFile, name: str, content: Content) -> None:
    entry = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    with content.open("rb") as file:
        status = os.fstat(file.fileno())
        entry.size = status.st_size
        entry.mode = 0o755 if status.st_mode & 0o100 else 0o644
        archive.addfile(entry, file)


class _Hashing(io.RawIOBase):
    """Passes on what is written, and hashes it."""

    def __init__(self, target: "IO[bytes] | io.RawIOBase") -> None:
        self._target = target
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._hash.update(data)
        self._target.write(data)
        return len(data)


class _ParallelGzip(io.RawIOBase):
    """Compresses blocks of a fixed size side by side: each becomes a member of one gzip file (RFC 1952)."""

    def __init__(self, target: _Hashing) -> None:
        self._target = target
        self._buffer = bytearray()
        self._workers = min(4, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._workers)
        self._pending: deque[Future[bytes]] = deque()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._buffer += data
        while len(self._buffer) >= _BLOCK:
            self._compress(_BLOCK)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._compress(len(self._buffer))
            self._drain(0)
            self._pool.shutdown()
        super().close()

    def _compress(self, size: int) -> None:
        block = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._pending.append(self._pool.submit(isal_zlib.compress, block, _LEVEL, _GZIP_FORMAT))
        self._drain(self._workers)

    def _drain(self, at_most: int) -> None:
        while len(self._pending) > at_most:
            self._target.write(self._pending.popleft().result())
