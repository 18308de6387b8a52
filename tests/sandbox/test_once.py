"""Programs that servers run are installed once a sandbox, whichever cloud's servers need them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragonotebooks.sandbox.parts import postgres, valkey
from ragonotebooks.sandbox.parts.once import once_a_folder


def test_many_who_ask_at_once_get_what_was_made_once(tmp_path: Path) -> None:
    made: list[Path] = []

    @once_a_folder
    def make(folder: Path) -> object:
        made.append(folder)
        return object()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, [tmp_path] * 8))) == 1
    assert make(tmp_path / "another") is not make(tmp_path)
    assert made == [tmp_path, tmp_path / "another"]


def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    answers = iter([OSError("the disk is full"), None])

    @once_a_folder
    def make(folder: Path) -> str:
        if error := next(answers):
            raise error
        return folder.name

    with pytest.raises(OSError, match="the disk is full"):
        make(tmp_path)
    assert make(tmp_path) == tmp_path.name


@pytest.mark.parametrize("part", [postgres, valkey])
def test_a_server_that_runs_is_not_copied_over(part: object, tmp_path: Path) -> None:
    first = part.install(tmp_path)  # type: ignore[attr-defined]
    programs = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert part.install(tmp_path) is first  # type: ignore[attr-defined]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == programs
