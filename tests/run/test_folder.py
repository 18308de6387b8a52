"""The run folder: new for each run, refused when it cannot be."""

from pathlib import Path

import pytest

from ragonotebooks.errors import UsageError
from ragonotebooks.run import folder


def test_two_runs_in_the_same_second_get_a_folder_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = {folder.create(None, "aws/01-network") for _ in range(3)}
    assert len(made) == 3
    assert all(path.parent == tmp_path / "runs" and "-aws-01-network" in path.name for path in made)


def test_an_empty_folder_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert folder.create(tmp_path / "out", "book") == tmp_path / "out"


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty; give a new or an empty one with --out"):
        folder.create(tmp_path, "book")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be used \(.+\); give another one with --out"):
        folder.create(tmp_path / out, "book")
