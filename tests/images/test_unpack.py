"""Unpacking: layers lie upon one another, and nothing that an archive says leads out of the folder."""

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.images import DigestMismatch, Image, Layer, layer_of_files, unpack, unpack_layers
from ragonotebooks.images.digest import VerifiedReader, digest_of
from ragonotebooks.images.layers import GZIP_LAYER

Entry = tuple[str, bytes, str, int]  # name, tar type, link target or content, mode


def _layer(*entries: Entry) -> Layer:
    bare = io.BytesIO()
    with tarfile.open(fileobj=bare, mode="w") as archive:
        for name, kind, text, mode in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, mode
            content = b"" if kind != tarfile.REGTYPE else text.encode()
            entry.size, entry.linkname = len(content), text if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(entry, io.BytesIO(content))
    return _stored(gzip.compress(bare.getvalue()), digest_of(bare.getvalue()))


def _stored(content: bytes, diff_id: str) -> Layer:
    digest = digest_of(content)

    def read() -> BinaryIO:
        return cast(BinaryIO, VerifiedReader(io.BytesIO(content), digest, len(content)))

    return Layer(digest, diff_id, len(content), GZIP_LAYER, read)


def _file(name: str, content: str = "", mode: int = 0o644) -> Entry:
    return name, tarfile.REGTYPE, content, mode


def _folder(name: str) -> Entry:
    return name, tarfile.DIRTYPE, "", 0o755


def _link(name: str, target: str) -> Entry:
    return name, tarfile.SYMTYPE, target, 0o777


def _hard_link(name: str, target: str) -> Entry:
    return name, tarfile.LNKTYPE, target, 0o644


def _contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., Path]:
    def unpacked(*layers: Layer) -> Path:
        unpack(Image({}, layers), tmp_path / "root")
        return tmp_path / "root"

    return unpacked


def test_upper_layers_replace_lower_ones(unpacked: Callable[..., Path]) -> None:
    root = unpacked(layer_of_files({"a": b"old", "b": b"kept"}), layer_of_files({"a": b"new"}))
    assert ((root / "app/a").read_text(), (root / "app/b").read_text()) == ("new", "kept")


def test_a_file_may_replace_a_folder_and_a_folder_a_link(unpacked: Callable[..., Path]) -> None:
    root = unpacked(
        _layer(_file("a/b"), _file("d/x"), _link("c", "d")), _layer(_file("a", "file"), _file("c/y"), _folder("c"))
    )
    assert (root / "a").read_text() == "file"
    assert not (root / "c").is_symlink()


def test_whiteout_removes_what_lies_below(unpacked: Callable[..., Path]) -> None:
    root = unpacked(_layer(_file("a/gone"), _file("a/kept"), _file("b/x")), _layer(_file("a/.wh.gone"), _file(".wh.b")))
    assert [path.name for path in root.rglob("*")] == ["a", "kept"]


def test_opaque_folder_hides_the_layers_below_but_not_its_own(unpacked: Callable[..., Path]) -> None:
    root = unpacked(_layer(_file("a/old")), _layer(_file("a/new"), _file("a/.wh..wh..opq")))
    assert [path.name for path in (root / "a").iterdir()] == ["new"]


def test_absolute_link_points_into_the_folder(unpacked: Callable[..., Path]) -> None:
    root = unpacked(
        _layer(_file("usr/bin/x", "program"), _link("bin/y", "/usr/bin/x"), _link("up", "../../../usr/bin/x"))
    )
    assert (root / "bin/y").read_text() == "program" == (root / "up").read_text()
    assert (root / "bin/y").resolve().is_relative_to(root)


def test_hard_links_and_modes_survive_but_set_user_id_does_not(unpacked: Callable[..., Path]) -> None:
    root = unpacked(_layer(_file("a", "1", mode=0o4755), _hard_link("b", "a")))
    assert (root / "b").read_text() == "1"
    assert (root / "a").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    "entries",
    [
        [_file("../evil")],
        [_file("a/../../evil")],
        [_link("a", "b"), _file("a/../../evil")],
        [_file("x"), _hard_link("a", "../../secret")],
        [_file(".wh...")],
        [_file(".wh..")],
        [_file("a/.wh.")],
        [_file("../.wh.secret")],
    ],
)
def test_nothing_leaves_the_folder(tmp_path: Path, entries: list[Entry]) -> None:
    (tmp_path / "secret").write_text("untouched")
    with pytest.raises(RagonotebooksError, match="outside of the image"):
        unpack(Image({}, (_layer(*entries),)), tmp_path / "root")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_writing_through_a_link_stays_inside(tmp_path: Path, unpacked: Callable[..., Path]) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "real").mkdir()
    root = unpacked(_layer(_folder("in"), _link("a", f"{tmp_path}/outside"), _link("b", "in"), _file("b/file")))
    assert (root / "in/file").exists()
    assert not list((tmp_path / "outside").iterdir())


def test_link_that_was_there_before_is_not_followed_outside(tmp_path: Path) -> None:
    layers = (_layer(_link("a", "..")), _layer(_file("a/evil", "x")))
    unpack(Image({}, layers), tmp_path / "root")
    assert not (tmp_path / "evil").exists()


def test_folder_exchanged_for_a_link_is_looked_at_again(unpacked: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("untouched")
    swap = _layer(_file("a/x"), _folder("b"), _file("b/y"), _link("b", "a"), _file("b/secret", "through the link"))
    root = unpacked(swap)
    assert (root / "a/secret").read_text() == "through the link"
    assert (tmp_path / "secret").read_text() == "untouched"


def test_what_lies_below_stays_as_it_is(tmp_path: Path, unpacked: Callable[..., Path]) -> None:
    below = unpacked(_layer(_file("kept", "1"), _file("replaced", "1"), _file("removed", "1"), _link("link", "kept")))
    upper = _layer(_file("replaced", "2"), _file(".wh.removed"), _file("new", "2"))
    unpack_layers([upper], tmp_path / "upon", below)
    assert _contents(tmp_path / "upon") == {"kept": "1", "link": "1", "new": "2", "replaced": "2"}
    assert _contents(below) == {"kept": "1", "link": "1", "removed": "1", "replaced": "1"}
    assert (tmp_path / "upon" / "kept").samefile(below / "kept")


def test_devices_are_refused_by_name(unpacked: Callable[..., Path]) -> None:
    with pytest.raises(RagonotebooksError, match="dev/null is a device or pipe"):
        unpacked(_layer(("dev/null", tarfile.CHRTYPE, "", 0o666)))


def test_unknown_compression_is_refused_by_name(unpacked: Callable[..., Path]) -> None:
    layer = replace(layer_of_files({"a": b""}), media_type="application/vnd.oci.image.layer.v1.tar+zstd")
    with pytest.raises(RagonotebooksError, match=r"tar\+zstd: only tar and gzip are supported"):
        unpacked(layer)


def test_damaged_layer_leaves_nothing_behind(tmp_path: Path) -> None:
    good = layer_of_files({"a": b"1"})
    with good.open() as blob:
        content = blob.read()
    damaged = content + b"\0" * 8
    layer = replace(good, open=lambda: cast(BinaryIO, VerifiedReader(io.BytesIO(damaged), good.digest, len(damaged))))
    with pytest.raises(DigestMismatch):
        unpack(Image({}, (layer,)), tmp_path / "root")
    assert not list(tmp_path.iterdir())


def test_what_is_no_archive_is_refused_by_name(unpacked: Callable[..., Path]) -> None:
    with pytest.raises(RagonotebooksError, match=r"The layer sha256:\w+ is no archive"):
        unpacked(_stored(b"not an archive", ""))


def test_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        unpack(Image({}, (layer_of_files({"a": b""}),)), tmp_path)
    assert (tmp_path / "a").read_text() == "mine"
