"""Notebooks that are a runbook's own: how they are called, and what the linter asks of them."""

from pathlib import Path

import pytest

from ragonotebooks.catalog import notebook, runbook
from ragonotebooks.catalog.lint import lint
from ragonotebooks.errors import UsageError
from tests.catalog import lessons

KEY = "runbooks/aws/02-shelf"
TEACHING = {"L101", "L102", "L103", "L108", "L204"}


def procedure(checkout: Path) -> Path:
    """A good lesson moved to where runbooks have theirs."""
    lessons.write_good(checkout)
    path = checkout / "runbooks" / "aws" / "02-shelf.ipynb"
    path.parent.mkdir(parents=True)
    return (checkout / "notebooks" / "aws" / "02-shelf.ipynb").rename(path)


def test_a_runbooks_own_notebook_is_found_by_its_key_and_is_no_lesson(checkout: Path) -> None:
    path = procedure(checkout)
    one = notebook.read(notebook.find(KEY))
    assert (one.key, one.cloud, one.is_lesson) == (KEY, "aws", False)
    assert notebook.procedures() == [path]
    assert path not in notebook.lessons()


def test_it_runs_alone_and_in_a_runbook(checkout: Path) -> None:
    procedure(checkout)
    assert runbook.load(KEY).name == KEY
    lessons.write_runbook(checkout, "shelf", f"title: A\ncloud: aws\npurpose: B\nnotebooks: [aws/01-floor, {KEY}]\n")
    assert [one.key for one in runbook.load("shelf").notebooks] == ["aws/01-floor", KEY]


def test_misspelt_one_is_refused_with_the_nearest(checkout: Path) -> None:
    procedure(checkout)
    with pytest.raises(UsageError, match=f"did you mean '{KEY}'"):
        runbook.load("runbooks/aws/02-shel")


def test_it_needs_no_sections_of_a_lesson_but_keeps_the_rules_for_cells(checkout: Path) -> None:
    path = procedure(checkout)
    text = path.read_text(encoding="utf-8").replace("## What you will learn", "## Why").replace("```mermaid", "```")
    path.write_text(text.replace("check(", "chuck("), encoding="utf-8")
    codes = {problem.code for problem in lint([KEY])}
    assert "L202" in codes
    assert not codes & (TEACHING - {"L102"})
