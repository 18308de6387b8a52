"""What must stand before a runbook can be rehearsed."""

from pathlib import Path

import pytest

from ragonotebooks.catalog import notebook, project
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.rehearse.standing import needed
from tests.run.lessons import code, text, write

CONNECTS = 'lab = connect("aws", target=target, needs=["03-api"])'


@pytest.fixture
def lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which 03 needs 02, which needs 01."""
    monkeypatch.setattr(project, "ROOT", tmp_path)
    folder = tmp_path / "notebooks" / "aws"
    write(folder / "01-network.ipynb")
    for name, need in (("02-bucket", "01-network"), ("03-api", "02-bucket")):
        write(folder / f"{name}.ipynb", text(f"**5 minutes · reads · free · needs [it]({need}.ipynb)**"))
    return folder


def book(*paths: Path) -> Runbook:
    return Runbook("book", "A book", "aws", "Why.", tuple(map(notebook.read, paths)))


def keys(*paths: Path, before: tuple[Runbook, ...] = ()) -> list[str]:
    return [one.key for one in needed(book(*paths), before)]


def test_what_connect_is_asked_for_comes_with_what_that_needs(lessons: Path) -> None:
    scale = write(lessons.parents[1] / "runbooks" / "aws" / "scale.ipynb", code(CONNECTS))
    assert keys(scale) == ["aws/01-network", "aws/02-bucket", "aws/03-api"]


def test_what_the_runbook_runs_itself_or_finds_done_is_not_brought_up(lessons: Path) -> None:
    scale = write(lessons.parents[1] / "runbooks" / "aws" / "scale.ipynb", code(CONNECTS))
    assert keys(lessons / "02-bucket.ipynb", scale) == ["aws/01-network", "aws/03-api"]
    assert keys(scale, before=(book(lessons / "03-api.ipynb"),)) == []


def test_a_notebook_that_needs_nothing_starts_in_an_empty_sandbox(lessons: Path) -> None:
    alone = write(lessons.parents[1] / "runbooks" / "aws" / "alone.ipynb", code('connect("aws")'))
    assert keys(alone) == []
