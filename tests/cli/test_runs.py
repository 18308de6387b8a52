"""`runs`, `report` and `diff`: looking back at what was run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError
from tests.run.lessons import DRIFTED, check, code, step, write


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs of one lesson: `a` passed, `b` was given another count and failed."""
    folder = tmp_path_factory.mktemp("past")
    drift = f"if count == 13:\n    {DRIFTED}"
    path = write(folder / "aws" / "01-door.ipynb", step(1, check(), check(drift), code("1"), title="A door"))
    for name, count, code_ in (("a", 2, 0), ("b", 13, 1)):
        words = ["run", str(path), "-p", f"count={count}", "--out", str(folder / "runs" / name)]
        assert CliRunner().invoke(app, words).exit_code == code_
    return folder


@pytest.fixture(autouse=True)
def there(past: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(past)


def call(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_runs_lists_them_with_how_they_ended() -> None:
    told = json.loads(call("runs", "--json").output)
    assert [(one["run"], one["status"], one["steps"]) for one in told] == [
        ("a", "passed", "1 of 1"),
        ("b", "failed", "0 of 1"),
    ]
    assert "failed" in call("runs").output


def test_a_damaged_run_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, past: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "b").symlink_to(past / "runs" / "b")
    (tmp_path / "runs" / "a").mkdir()
    (tmp_path / "runs" / "a" / "run.json").write_text("{}")
    told = json.loads(call("runs", "--json").output)
    assert [one["status"].partition(":")[0] for one in told] == ["unreadable", "failed"]


def test_a_report_can_be_written_again(past: Path) -> None:
    page = past / "runs" / "b" / "report.html"
    first = page.read_text(encoding="utf-8")
    page.unlink()
    assert call("report").output == f"{page}\n"
    assert page.read_text(encoding="utf-8") == first


def test_other_forms_go_to_the_terminal_or_a_file(tmp_path: Path) -> None:
    assert json.loads(call("report", "a", "--format", "json").output)["status"] == "passed"
    assert call("report", "b", "--format", "junit", "--out", str(tmp_path / "junit.xml")).exit_code == 0
    assert 'failures="1"' in (tmp_path / "junit.xml").read_text(encoding="utf-8")


def test_diff_says_what_changed_and_ends_with_one() -> None:
    told = call("diff", "a", "b", "--json")
    assert told.exit_code == 1
    assert {"place": "aws/01-door", "what": "parameter count", "before": "2", "after": "13"} in json.loads(told.output)
    assert "the door is closed" in call("diff", "a", "b").output
    assert call("diff", "a", "a").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "c"], "there is no run 'c'; known are a, b"),
        (["report", "a", "--format", "jnuit"], "there is no format 'jnuit'; did you mean 'junit'?"),
        (["diff", "a", "aws"], "there is no run 'aws'"),
    ],
)
def test_bad_input_is_one_sentence(words: list[str], said: str) -> None:
    result = call(*words)
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)
