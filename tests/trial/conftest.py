"""A checkout of their own for these tests."""

from pathlib import Path

import pytest

from ragonotebooks.catalog import project


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout, current folder and root of the catalog."""
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(Path(__file__).resolve().parents[2] / "data")
    return tmp_path
