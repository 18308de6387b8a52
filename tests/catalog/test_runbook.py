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
        stored.cells[3].source = "copies: int = 3  # more"

    lessons.write_good(checkout, spoil)
    with pytest.raises(UsageError, match="'copies' is `int = 3` in aws/02-shelf but `int = 2`"):
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


def test_values_get_their_parameters_types(checkout: Path) -> None:
    given = {"target": "cloud", "region": "eu-central-1", "copies": "-3", "share": "0.5", "dry": "True"}
    bound = shelf(checkout).bind(given)
    assert bound == {"target": "cloud", "region": "eu-central-1", "copies": -3, "share": 0.5, "dry": True}
    assert [type(value) for value in bound.values()] == [str, str, int, float, bool]


def test_text_keeps_its_leading_zero(checkout: Path) -> None:
    stored = lessons.good_lesson()
    stored.cells[3].source = 'account: str = ""  # the account'
    lessons.write(checkout, "aws/x", stored)
    assert runbook.load("aws/x").bind({"account": "012345678901"}) == {"account": "012345678901"}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("regoin", "us-east-1", "no parameter 'regoin'; did you mean 'region'"),
        ("copies", "two", "'copies' is 'two' but must be a whole number (int)"),
        ("copies", "2.0", "'copies' is '2.0' but must be a whole number (int)"),
        ("share", "half", "'share' is 'half' but must be a number (float)"),
        ("dry", "yes", "'dry' is 'yes' but must be true or false (bool); for example -p dry=false"),
        ("region", "us-eats-1", "region 'us-eats-1' does not exist on AWS; did you mean 'us-east-1'"),
        ("target", "cluod", "target 'cluod' is not known; did you mean 'cloud'"),
    ],
)
def test_wrong_value_says_what_was_expected(checkout: Path, name: str, value: str, problem: str) -> None:
    with pytest.raises(UsageError) as raised:
        shelf(checkout).bind({name: value})
    assert problem in str(raised.value)


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


@pytest.mark.parametrize("name", ["Two Words", "-x", "a" * 33, "", "a--b", "1st"])
def test_deployment_name_that_aws_would_refuse_is_refused_first(checkout: Path, name: str) -> None:
    stored = lessons.good_lesson()
    stored.cells[3].source = 'name: str = "ragonometrics"  # the deployment'
    lessons.write(checkout, "aws/x", stored)
    book = runbook.load("aws/x")
    assert book.bind({"name": "second-one"}) == {"name": "second-one"}
    with pytest.raises(UsageError, match="cannot name a deployment; use up to 32"):
        book.bind({"name": name})
