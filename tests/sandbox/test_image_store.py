"""Images that begin with the same layers share what was unpacked and what was compiled."""

import compileall
from pathlib import Path

from ragonotebooks.images import Image, append, layer_of_files
from ragonotebooks.sandbox.parts.task import ImageStore

BASE = Image({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}, ())
DEPENDENCIES = layer_of_files({"lib.py": b"VALUE = 1\n", "own.py": b"OWN = 1\n"})


def image(**files: bytes) -> Image:
    return append(BASE, [DEPENDENCIES, layer_of_files({f"{name}.py": content for name, content in files.items()})])


def compiled(root: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in root.rglob("*.pyc")}


def test_shared_modules_are_compiled_once_and_replaced_ones_anew(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    first, second = image(code=b"CODE = 1\n"), image(own=b"OWN = 2\n", code=b"CODE = 2\n")
    earlier = store.add(first.digest, first).root
    compileall.compile_dir(earlier, quiet=1)
    assert compiled(earlier) == {"lib", "own", "code"}
    later = store.add(second.digest, second).root
    assert compiled(later) == {"lib"}
    assert "OWN = 2" in next(later.rglob("own.py")).read_text(encoding="utf-8")
