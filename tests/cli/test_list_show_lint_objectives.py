"""The commands that read: list, show, lint, objectives."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ragonotebooks.cli import main
from tests.catalog import lessons

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `ragonotebooks` with these words; gives its exit code, what it printed, and what it complained."""
    lessons.write_good(checkout)
    lessons.write_runbook(checkout, "shelf", lessons.RUNBOOK)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ragonotebooks", *words])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    return run


def test_list_names_runbooks_and_lessons(command: Command) -> None:
    code, out, _ = command("list")
    assert code == 0
    assert "Build the shelf" in out
    assert "aws/02-shelf" in out
    assert "about $0.03 a month" in out


def test_list_as_json_is_data(command: Command) -> None:
    data = json.loads(command("list", "--json")[1])
    assert [book["notebooks"] for book in data["runbooks"]] == [["aws/01-floor", "aws/02-shelf"]]
    assert [lesson["needs"] for lesson in data["lessons"]] == [[], ["aws/01-floor"]]


def test_show_names_steps_objectives_parameters_and_prices(command: Command) -> None:
    code, out, _ = command("show", "aws/02-shelf")
    assert code == 0
    for text in ("The shelf is closed", "DEA-C01 4.1", "how many of each paper", "aws/01-floor", "GB-month", "0.023"):
        assert text in out


def test_show_leaves_prices_out_when_the_lesson_shows_none(command: Command, checkout: Path) -> None:
    lessons.write_good(checkout, lambda stored: stored.cells[15].update(outputs=[]))
    assert "Prices" not in command("show", "aws/02-shelf")[1]


def test_show_of_a_runbook_as_json_holds_its_lessons(command: Command) -> None:
    data = json.loads(command("show", "shelf", "--json")[1])
    assert [lesson["key"] for lesson in data["notebooks"]] == ["aws/01-floor", "aws/02-shelf"]
    assert data["notebooks"][1]["steps"][0]["objectives"] == ["DEA-C01 2.1", "SAA-C03 3.1"]
    assert data["parameters"][0]["default"] == "sandbox"


def test_lint_says_nothing_about_good_lessons(command: Command) -> None:
    assert command("lint") == (0, "", "")


def test_lint_prints_problems_and_ends_with_one(command: Command, checkout: Path) -> None:
    lessons.write_good(checkout, lambda stored: stored.cells[6].update(source="x = 1\n" * 17))
    code, out, err = command("lint", "notebooks/aws/02-shelf.ipynb")
    assert code == 1
    assert out.startswith("notebooks/aws/02-shelf.ipynb:cell 7: L203 code cell has 17 lines; split it")
    assert err == "problems: 1\n"


def test_objectives_show_every_exam(command: Command) -> None:
    code, out, _ = command("objectives")
    assert code == 0
    assert "2/17" in out


def test_objectives_of_one_exam_name_the_proof(command: Command) -> None:
    out = command("objectives", "saa-c03")[1]
    assert "SAA-C03: 1/14 objectives" in out
    assert "AWS 01 step 1, AWS 02 step 1" in out


def test_objectives_as_json_hold_the_evidence(command: Command) -> None:
    (data,) = json.loads(command("objectives", "DEA-C01", "--json")[1])
    proven = {one["id"]: [proof["notebook"] for proof in one["evidence"]] for one in data["objectives"]}
    assert proven["4.1"] == ["notebooks/aws/01-floor.ipynb", "notebooks/aws/02-shelf.ipynb"]
    assert proven["1.1"] == []


def test_objectives_of_a_run_take_its_notebooks_alone(command: Command, checkout: Path) -> None:
    (checkout / "run").mkdir()
    (checkout / "notebooks/aws/02-shelf.ipynb").rename(checkout / "run" / "02-shelf.ipynb")
    (data,) = json.loads(command("objectives", "SAA-C03", "--run", "run", "--json")[1])
    assert [len(one["evidence"]) for one in data["objectives"] if one["evidence"]] == [1]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["show", "shelv"], "no runbook or notebook 'shelv'; did you mean 'shelf'?"),
        (["lint", "aws/02-shell"], "no notebook 'aws/02-shell'; did you mean 'aws/02-shelf'?"),
        (["objectives", "DEA-C02"], "no exam 'DEA-C02' in data/objectives; did you mean 'DEA-C01'?"),
        (["objectives", "--run", "nowhere"], "nowhere holds no executed notebook"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_two(command: Command, words: list[str], problem: str) -> None:
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert err.startswith("ragonotebooks: ")
    assert problem in err
    assert err.count("\n") == 1


def test_lint_of_a_broken_notebook_ends_with_two(command: Command, checkout: Path) -> None:
    (checkout / "broken.ipynb").write_text("{", encoding="utf-8")
    assert command("lint", "broken.ipynb")[0] == 2


def test_help_loads_no_notebook_library() -> None:
    seen = "import sys, ragonotebooks.cli; print(sorted({'nbformat', 'boto3', 'yaml', 'pandas'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True).stdout == "[]\n"
