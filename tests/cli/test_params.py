"""Parameters on the command line: a form that `show` prints, a file, secrets that are recorded as references alone."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tests.run.lessons import code

CELL = """\
from typing import Annotated, Literal

from ragonotebooks import Matching, Secret

tier: Literal["small", "large"] = "small"  # the size
account: Annotated[str, Matching("[0-9]{12}")] = ...  # who pays
dry: bool = True  # only look
key: Secret = "env:SOME_KEY"  # the key
"""
SHOWS = "from ragonotebooks import secret\nprint(tier, account, dry, secret(key), secret(key).upper())"


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOME_KEY", "correct-horse")
    path = tmp_path / "aws" / "01-door.ipynb"
    path.parent.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(v4.new_notebook(cells=[code(CELL, "parameters"), code(SHOWS)], metadata=kernel), path)
    return path


def ragonotebooks(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-m", "ragonotebooks", *words]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)


def test_a_file_fills_in_the_form_and_the_run_records_no_secret(tmp_path: Path, lesson: Path) -> None:
    (tmp_path / "p.yaml").write_text("tier: large\naccount: 012345670123\ndry: false\n", encoding="utf-8")
    done = ragonotebooks(tmp_path, "run", str(lesson), "--params", "p.yaml", "-p", "tier=small", "--out", "out")
    assert (done.returncode, done.stderr) == (0, "")
    values = {"tier": "small", "account": "012345670123", "dry": False}
    assert json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["values"] == values
    (output,) = nbformat.read(tmp_path / "out" / "01-aws-01-door.ipynb", as_version=4).cells[-1].outputs
    assert output.text == "small 012345670123 False [redacted] CORRECT-HORSE\n"
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()]
    assert not any("correct-horse" in text for text in texts)
    assert any("env:SOME_KEY" in text for text in texts)


def test_nothing_is_run_without_what_is_required(tmp_path: Path, lesson: Path) -> None:
    done = ragonotebooks(tmp_path, "run", str(lesson), "--out", "out")
    assert done.returncode == 2
    assert done.stderr.startswith("ragonotebooks: parameter 'account' is required; give it with -p account=VALUE")
    assert not (tmp_path / "out").exists()


def test_show_prints_the_form(tmp_path: Path, lesson: Path) -> None:
    told = json.loads(ragonotebooks(tmp_path, "show", str(lesson), "--json").stdout)["parameters"]
    assert {one["name"]: (one["takes"], one["required"], one["secret"]) for one in told} == {
        "tier": ("small or large", False, False),
        "account": ("text that matches [0-9]{12}", True, False),
        "dry": ("true or false", False, False),
        "key": ("a reference to a secret: secretsmanager:NAME, secretmanager:NAME, env:NAME, file:PATH", False, True),
    }
    shown = ragonotebooks(tmp_path, "show", str(lesson)).stdout
    assert "(required)" in shown
    assert "small or large" in shown
