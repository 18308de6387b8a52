"""`ragonotebooks run` and `verify`, as a person types them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError
from tests.run.lessons import DRIFTED, check, code, step, write


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A lesson that holds unless count is 13, in a folder of its own that is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    drift = f"if count == 13:\n    {DRIFTED}"
    cells = step(1, code("made = True", "change"), check(drift), check(), title="A door")
    return str(write(tmp_path / "aws" / "01-door.ipynb", *cells).relative_to(tmp_path))


def test_a_run_that_passes_ends_with_zero_and_says_where_the_report_is(lesson: str) -> None:
    result = CliRunner().invoke(app, ["run", lesson, "-p", "count=2", "--out", "out"])
    assert result.exit_code == 0, result.output
    assert "aws/01-door  1 · A door  ✓ 1 check" in result.output
    assert "✓ passed · 1 of 1 steps passed · 1 of 1 checks hold" in result.output
    assert "report  out/report.html" in result.output
    assert Path("out/report.html").is_file()


def test_a_drift_ends_with_one_and_is_named_with_its_cell_and_notebook(lesson: str) -> None:
    result = CliRunner().invoke(app, ["verify", lesson, "-p", "count=13", "-p", "target=cloud"])
    (folder,) = Path("runs").iterdir()
    assert result.exit_code == 1
    assert "✗ aws/01-door · 1 · A door\n  the door is closed\n    is         'open'\n" in result.output
    assert "│ if count == 13:" in result.output
    assert f"see {folder}/01-aws-01-door.ipynb" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "count"], "'-p count' is not of the form name=value"),
        (["-p", "count=1", "-p", "count=2"], "parameter 'count' is given twice"),
        (["-p", "cuont=1"], "did you mean 'count'"),
        (["-p", "count=many"], "must be a whole number"),
        (["--out", "aws"], "is not empty"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(lesson: str, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["run", lesson, *arguments])
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)
    assert not Path("runs").exists()
