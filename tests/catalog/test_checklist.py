"""Checklists in runbooks: what proves a line exists, or the file is refused."""

from pathlib import Path

import pytest

from ragonotebooks.catalog import runbook
from ragonotebooks.catalog.checklist import Line, Proof
from ragonotebooks.errors import UsageError
from tests.catalog import lessons


def shelf(checkout: Path, checklist: str) -> runbook.Runbook:
    lessons.write_good(checkout)
    lessons.write_runbook(checkout, "shelf", f"{lessons.RUNBOOK.rstrip()}\nchecklist: {checklist}\n")
    return runbook.load("shelf")


def test_line_names_steps_and_claims(checkout: Path) -> None:
    book = shelf(
        checkout, "{It stands: ['aws/02-shelf · 1', 'aws/02-shelf · CLAIM']}".replace("CLAIM", claim(checkout))
    )
    assert book.checklist == (
        Line("It stands", (Proof("aws/02-shelf", 1), Proof("aws/02-shelf", None, claim(checkout)))),
    )


def claim(checkout: Path) -> str:
    """A claim that the second lesson makes."""
    lessons.write_good(checkout)
    cells = runbook.load("aws/02-shelf").notebooks[0].cells
    return next(cell.source for cell in cells if cell.does == "check").split('"')[1]


@pytest.mark.parametrize(
    ("checklist", "message"),
    [
        ("[a]", "'checklist' is not a mapping"),
        ("{It stands: }", "line 'It stands' has no list of proofs"),
        ("{It stands: [aws/02-shelf]}", "names no step and no claim"),
        ("{It stands: ['aws/02-shel · 1']}", "did you mean 'aws/02-shelf'"),
        ("{It stands: ['aws/02-shelf · 77']}", "aws/02-shelf has no step 77"),
        ("{It stands: ['aws/02-shelf · it flies']}", "claims 'it flies'"),
    ],
)
def test_what_proves_nothing_is_refused(checkout: Path, checklist: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        shelf(checkout, checklist)
    assert str(refused.value).startswith("runbooks/shelf.yaml: ")
