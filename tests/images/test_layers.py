"""Layers: the same files, whenever and wherever they lie, give the same digest."""

import gc
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest

from ragonotebooks.errors import UsageError
from ragonotebooks.images import Layer, layer_of_files


def _program(folder: Path, time: int) -> Path:
    for name in ("main.py", "inner/z.py", "inner/a.py", "inner/__pycache__/a.cpython-311.pyc", "stale.pyc"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}")
        os.utime(path, (time, time))
    return folder


def _entries(layer: Layer) -> list[tarfile.TarInfo]:
    with layer.open() as blob, tarfile.open(fileobj=blob, mode="r:gz") as archive:
        return archive.getmembers()


def test_same_files_at_another_time_and_place_give_the_same_digest(tmp_path: Path) -> None:
    one = layer_of_files({"program": _program(tmp_path / "one", time=1)})
    other = layer_of_files({"program": _program(tmp_path / "other", time=1_700_000_000)})
    assert (one.digest, one.diff_id) == (other.digest, other.diff_id)


def test_another_content_gives_another_digest() -> None:
    assert layer_of_files({"a": b"1"}).digest != layer_of_files({"a": b"2"}).digest


def test_umask_and_owner_do_not_show(tmp_path: Path) -> None:
    program = _program(tmp_path, time=1)
    (program / "main.py").chmod(0o600)
    (program / "inner/a.py").chmod(0o777)
    modes = {
        entry.name: (entry.mode, entry.uid, entry.gid, entry.mtime) for entry in _entries(layer_of_files({"": program}))
    }
    assert modes["app/main.py"] == (0o644, 0, 0, 0)
    assert modes["app/inner/a.py"] == (0o755, 0, 0, 0)


def test_entries_are_sorted_and_hold_nothing_compiled(tmp_path: Path) -> None:
    layer = layer_of_files({"program": _program(tmp_path, time=1)})
    names = [entry.name for entry in _entries(layer)]
    assert names == ["app/program/inner/a.py", "app/program/inner/z.py", "app/program/main.py"]


def test_both_digests_and_the_size_are_true() -> None:
    content = os.urandom(9 * 1024 * 1024)  # more than one block
    layer = layer_of_files({"data.bin": content})
    with layer.open() as blob:
        packed = blob.read()
    bare = gzip.GzipFile(fileobj=io.BytesIO(packed)).read()
    assert layer.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert layer.diff_id == f"sha256:{hashlib.sha256(bare).hexdigest()}"
    assert layer.size == len(packed)
    assert content in bare


def test_a_layer_can_be_read_twice() -> None:
    layer = layer_of_files({"a": b"1"})
    with layer.open() as one, layer.open() as other:
        assert one.read() == other.read() != b""


def test_a_layer_takes_its_temporary_file_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layer = layer_of_files({"a": b"1"})
    assert len(list(tmp_path.iterdir())) == 1
    del layer
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_long_and_foreign_names_survive() -> None:
    name = "ö" * 60 + "/" + "x" * 120
    assert [entry.name for entry in _entries(layer_of_files({name: b""}))] == [f"app/{name}"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "would be empty"),
        ({"a": Path("nowhere")}, "nowhere is not there"),
        ({"../a": b""}, "leaves the image"),
        ({"a": b"1", "./a": b"2"}, "Two files claim the path /app/a"),
    ],
)
def test_what_cannot_be_packed_is_refused_by_name(files: dict[str, bytes | Path], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        layer_of_files(files)
