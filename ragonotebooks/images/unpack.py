"""Unpacks an image into a folder: layer upon layer as container runtimes do, but without root, and inside of it only.

Owners, times and set-user-id bits are not taken over. An absolute symbolic link points to the same place inside the
folder. Entries that leave the folder, and devices, are refused.
"""

import gzip
import os
import posixpath
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.images.image import Image
from ragonotebooks.images.layers import GZIP_LAYER, TAR_LAYER, Layer

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_CHUNK: Final = 64 * 1024  # tarfile copies its buffer at every read, so a larger one is slower


def unpack(image: Image, folder: Path) -> None:
    """Unpack the layers of an image into a folder that is not there yet. It appears when all was read and verified.

    Raises:
        UsageError: The folder is there already.
        RagonotebooksError: A layer is damaged, in a format that is not supported, or would write outside of the folder.
    """
    unpack_layers(image.layers, folder)


def unpack_layers(layers: Sequence[Layer], folder: Path, below: Path | None = None) -> None:
    """Unpack layers as `unpack` does, upon what lies in the folder `below`, which stays as it is: files become hard links."""
    if folder.exists():
        raise UsageError(f"The folder {folder} exists already: remove it, or unpack into another one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        root = Path(scratch, "root").resolve()
        if below:
            shutil.copytree(below, root, symlinks=True, copy_function=os.link)
        else:
            root.mkdir()
        for layer in layers:
            _unpack_layer(layer, root)
        root.rename(folder)


def _unpack_layer(layer: Layer, root: Path) -> None:
    if layer.media_type not in (GZIP_LAYER, TAR_LAYER):
        raise RagonotebooksError(
            f"The layer {layer.digest} is a {layer.media_type}: only tar and gzip are supported, choose another base"
        )
    with layer.open() as blob:
        try:
            _extract(gzip.GzipFile(fileobj=blob) if layer.media_type == GZIP_LAYER else blob, root)
        except (gzip.BadGzipFile, zlib.error, EOFError, tarfile.TarError) as error:
            _drain(blob)
            raise RagonotebooksError(
                f"The layer {layer.digest} is no archive ({error}): choose another image"
            ) from error
        _drain(blob)


def _extract(source: gzip.GzipFile | BinaryIO, root: Path) -> None:
    tree = _Tree(root)
    with tarfile.open(fileobj=source, mode="r|", bufsize=_CHUNK) as archive:
        for entry in archive:
            tree.place(archive, entry)
    _drain(source)


def _drain(source: gzip.GzipFile | BinaryIO) -> None:
    """Read to the end: an archive may end before, but only a blob's end proves its digest."""
    while source.read(_CHUNK):
        pass


class _Tree:
    """The files of an image while one layer is put on top of what is there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._placed: set[Path] = {root}
        # Folders that are there, and inside when all links are followed. Whatever might change that empties the set.
        self._checked: set[Path] = {root}

    def place(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        """Make what one entry says."""
        path = self._inside(entry.name)
        if path == self._root:
            return
        if path.name.startswith(_WHITEOUT):
            self._white_out(path)
            return
        self._make_room(path, entry)
        if entry.isdir():
            path.mkdir(exist_ok=True)
            path.chmod(0o700 | entry.mode & 0o777)
        elif entry.isfile():
            _write(archive, entry, path)
        elif entry.issym():
            path.symlink_to(_rebased(entry))
            self._checked.clear()
        elif entry.islnk():
            os.link(self._inside(entry.linkname), path, follow_symlinks=False)
            self._checked.clear()
        else:
            raise RagonotebooksError(
                f"The layer's entry {entry.name} is a device or pipe, which is not supported: choose another base"
            )
        self._placed.add(path)

    def _inside(self, name: str) -> Path:
        """Return where an entry lies: never outside, be it by its name or through a link that an earlier one made."""
        parts = PurePosixPath("/", name).parts[1:]
        path = self._root.joinpath(*parts)
        known = not parts or path.parent in self._checked
        if ".." in parts or not (known or path.parent.resolve().is_relative_to(self._root)):
            raise _outside(name)
        return path

    def _make_room(self, path: Path, entry: tarfile.TarInfo) -> None:
        """Make the folder that an entry lies in, and remove what it replaces."""
        if path.parent not in self._checked:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._checked.add(path.parent)
            self._placed.update(path.parents)
        if path.is_symlink() or not (entry.isdir() and path.is_dir()):
            self._remove(path)

    def _white_out(self, marker: Path) -> None:
        """Remove what a marker hides of the layers below: everything in its folder, or one name."""
        hidden = marker.name.removeprefix(_WHITEOUT)
        if marker.name == _OPAQUE:
            for path in [path for path in marker.parent.glob("*") if path not in self._placed]:
                self._remove(path)
        elif hidden in ("", ".", ".."):
            raise _outside(marker.name)
        else:
            self._remove(marker.with_name(hidden))

    def _remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            self._checked.clear()
        else:
            path.unlink(missing_ok=True)


def _write(archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    content = archive.extractfile(entry)
    assert content is not None  # a regular file has content
    with path.open("xb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        os.fchmod(file.fileno(), 0o600 | entry.mode & 0o777)


def _rebased(entry: tarfile.TarInfo) -> str:
    """Return the link's target relative to the link, where `/` is the image's root and nothing is above it."""
    here = posixpath.dirname(posixpath.join("/", entry.name))
    return posixpath.relpath(posixpath.normpath(posixpath.join(here, entry.linkname)), here)


def _outside(name: str) -> RagonotebooksError:
    return RagonotebooksError(
        f"The layer's entry {name} lies outside of the image: it is not safe to unpack, choose another image"
    )
