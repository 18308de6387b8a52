"""Runbooks, and the values that the command line gives their parameters."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ragonotebooks.catalog import runbook
from ragonotebooks.errors import UsageError
from tests.catalog import lessons


def shelf(checkout: Path) -> runbook.Runbook:
    lessons.write_good(checkout)
    lessons.write_runbook(checkout, "shelf", lessons.RUNBOOK)
    return runbook.load("shelf")


def test_runbook_holds_its_notebooks_in_order(checkout: Path) -> None:
    book = shelf(checkout)
    assert (book.name, book.title, book.cloud) == ("shelf", "Build the shelf", "aws")
    assert [one.key for one in book.notebooks] == ["aws/01-floor", "aws/02-shelf"]


def test_runbook_is_loaded_by_path_too(checkout: Path) -> None:
    assert shelf(checkout) == runbook.load("runbooks/shelf.yaml")


@pytest.mark.parametrize("name", ["aws/02-shelf", "notebooks/aws/02-shelf.ipynb"])
def test_single_notebook_is_a_runbook_of_one(checkout: Path, name: str) -> None:
    lessons.write_good(checkout)
    book = runbook.load(name)
    assert (book.name, book.cloud, len(book.notebooks)) == ("aws/02-shelf", "aws", 1)


def test_parameters_are_the_union_each_once(checkout: Path) -> None:
    names = [parameter.name for parameter in shelf(checkout).parameters]
    assert names == ["target", "region", "copies", "share", "dry", "corpus"]


def test_parameters_that_disagree_are_refused(checkout: Path) -> None:
    book = shelf(checkout)

    def spoil(stored: lessons.Any) -> None:
        stored.cells[3].source = "copies: Between[1, 9] = 3  # more"

    lessons.write_good(checkout, spoil)
    with pytest.raises(
        UsageError, match=r"'copies' is `Between\[1, 9\] = 3` in aws/02-shelf but `Between\[1, 9\] = 2`"
    ):
        _ = runbook.load(book.name).parameters


def test_unknown_runbook_names_the_nearest(checkout: Path) -> None:
    shelf(checkout)
    with pytest.raises(UsageError, match="no runbook or notebook 'shelv'; did you mean 'shelf'"):
        runbook.load("shelv")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("title: [", "cannot be read as YAML"),
        ("- just\n- a list", "is not a runbook"),
        ("title: T\ncloud: aws\npurpose: P", "has no field 'notebooks'"),
        (lessons.RUNBOOK + "titel: T", "unknown field 'titel'; did you mean 'title'"),
        (
            lessons.RUNBOOK.replace("cloud: aws", "cloud: azure"),
            "cloud 'azure', which is not supported; use aws or gcp",
        ),
        (lessons.RUNBOOK.replace("[aws/01-floor, aws/02-shelf]", "aws/01-floor"), "not a list of keys"),
        (lessons.RUNBOOK.replace("02-shelf", "02-shell"), "no notebook 'aws/02-shell'; did you mean 'aws/02-shelf'"),
    ],
)
def test_broken_runbook_says_what_is_wrong(checkout: Path, text: str, problem: str) -> None:
    lessons.write_good(checkout)
    lessons.write_runbook(checkout, "broken", text)
    with pytest.raises(UsageError, match=r"runbooks/broken\.yaml") as raised:
        runbook.load("broken")
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_corpus_becomes_absolute_from_the_current_folder(checkout: Path) -> None:
    (checkout / "mine").mkdir()
    (checkout / "mine" / "paper.txt").write_text("text", encoding="utf-8")
    assert shelf(checkout).bind({"corpus": "mine"}) == {"corpus": str(checkout / "mine")}


def no_folder(folder: Path) -> None:
    folder.rmdir()


def only_a_picture(folder: Path) -> None:
    (folder / "paper.png").write_bytes(b"png")


def broken_pdf(folder: Path) -> None:
    (folder / "good.txt").write_text("text", encoding="utf-8")
    (folder / "bad.pdf").write_bytes(b"no pdf at all")


def broken_json(folder: Path) -> None:
    (folder / "bad.json").write_text("{", encoding="utf-8")


def no_utf8(folder: Path) -> None:
    (folder / "bad.md").write_bytes(b"\xff\xfe\xfa")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (no_folder, "corpus 'mine' is not a folder"),
        (only_a_picture, "corpus 'mine' holds no paper"),
        (broken_pdf, "bad.pdf cannot be read (no readable PDF"),
        (broken_json, "bad.json cannot be read"),
        (no_utf8, "bad.md cannot be read"),
    ],
)
def test_unusable_corpus_is_refused(checkout: Path, spoil: Callable[[Path], None], problem: str) -> None:
    (checkout / "mine").mkdir()
    spoil(checkout / "mine")
    with pytest.raises(UsageError) as raised:
        shelf(checkout).bind({"corpus": "mine"})
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_readable_pdf_is_accepted(checkout: Path) -> None:
    import pypdf

    (checkout / "mine").mkdir()
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(checkout / "mine" / "paper.pdf")
    assert shelf(checkout).bind({"corpus": "mine"})
