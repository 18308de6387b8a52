"""A lesson and a runbook that were just begun: they keep every rule, run under nbval, and their cases hold."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ragonotebooks.author import beginnings, templating
from ragonotebooks.catalog import project
from ragonotebooks.catalog.lint import lint
from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError
from ragonotebooks.sandbox import throwaway
from tests.sandbox.conftest import Sandbox, running_sandbox

BEGUN = ["notebooks/aws/01-archive.ipynb", "runbooks/gcp/take-notes.ipynb"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout with a lesson on AWS and a runbook on Google Cloud, both just begun."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("checkout")
        (root / "data").symlink_to(project.ROOT / "data")
        patch.setattr(project, "ROOT", root)
        for words in (["lesson", "archive"], ["runbook", "take-notes", "--cloud", "gcp"]):
            made = new(*words)
            assert made.exit_code == 0, made.output
        yield root


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


def new(*words: str) -> Result:
    return CliRunner().invoke(app, ["new", *words])


def test_they_keep_every_rule(checkout: Path) -> None:
    assert lint([]) == []
    assert [str(path.relative_to(checkout)) for path in sorted(checkout.rglob("*.ipynb"))] == BEGUN


def test_every_cell_passes_under_nbval(checkout: Path, sandbox: Sandbox) -> None:
    words = ["-m", "pytest", "--nbval-lax", "-p", "no:cacheprovider", "-q", *BEGUN]
    environment = os.environ | {"RAGONOTEBOOKS_SANDBOX": sandbox.state.name}
    done = subprocess.run([sys.executable, *words], cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed, 1 skipped", done.stdout, re.MULTILINE)


def test_the_cases_of_the_runbook_hold(checkout: Path) -> None:
    done = CliRunner().invoke(app, ["test", "take-notes"])
    assert done.exit_code == 0, done.output
    assert re.findall(r"^✓ take-notes · ([^(]+) \(", done.output, re.MULTILINE) == [
        "the bucket is made, and clean-up leaves nothing",
        "who may make no bucket is told so",
    ]


def test_the_next_lesson_gets_the_next_number(checkout: Path) -> None:
    assert [path.name for path in beginnings.lesson("index", "aws")] == ["02-index.ipynb"]


def test_nothing_is_left_of_one_whose_cell_fails(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    monkeypatch.setattr(throwaway, "throwaway", lambda purpose: nullcontext(sandbox.state))
    monkeypatch.setattr(templating, "_FOLDER", checkout)
    for template in ("core-aws.md", "runbook.md", "runbook.yaml", "cases-aws.yaml"):
        (checkout / template).write_text("```python\n1 / 0\n```\n", encoding="utf-8")
    result = new("runbook", "divided")
    assert "a cell fails here: ZeroDivisionError: division by zero" in str(result.exception)
    assert not list(checkout.rglob("divided*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lesson", "archive"], "notebooks/aws/01-archive.ipynb is there already; choose another name"),
        (["runbook", "take-notes"], "runbooks/take-notes.yaml is there already; choose another name"),
        (["lesson", "Archive"], "'Archive' is no name for it"),
        (["runbook", "../notes"], "'../notes' is no name for it"),
        (["runbook", "n" * 25], "is no name for it: up to 24 small letters"),
    ],
)
def test_what_is_there_or_has_no_name_is_refused(checkout: Path, words: list[str], said: str) -> None:
    before = sorted(checkout.rglob("*"))
    result = new(*words)
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)
    assert sorted(checkout.rglob("*")) == before
