"""The line **Limits:** of a step."""

from pathlib import Path

import pytest

from ragonotebooks.catalog import limits, notebook
from ragonotebooks.catalog.limits import Limits
from ragonotebooks.errors import UsageError
from tests.run.lessons import check, code, step, write


def declared(tmp_path: Path, line: str, *cells: object) -> Limits:
    path = write(tmp_path / "aws" / "01-one.ipynb", step(1, *(cells or [check()]), limits=line))
    return limits.of(notebook.read(path).steps[0].section)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("", Limits()),
        ("90 seconds", Limits(90.0)),
        ("0.5 seconds", Limits(0.5)),
        ("10 minutes · 3 attempts", Limits(600.0, 3)),
        ("2 attempts", Limits(None, 2)),
    ],
)
def test_a_line_says_time_attempts_or_both(tmp_path: Path, line: str, meant: Limits) -> None:
    assert declared(tmp_path, line) == meant


@pytest.mark.parametrize(
    "line", ["10", "ten minutes", "0 seconds", "1 attempts", "99 attempts", "5 minutes, 2 attempts"]
)
def test_anything_else_is_refused_with_an_example(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=r"of '1 · A step' is not understood; write '\*\*Limits:"):
        declared(tmp_path, line)


def test_what_changes_before_it_looks_is_not_safe_to_repeat(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="changes something before it looks; begin it with a look cell"):
        declared(tmp_path, "2 attempts", code("1", "change"), check())
    assert declared(tmp_path, "2 attempts", code("1", "look"), code("1", "change"), check()).attempts == 2
