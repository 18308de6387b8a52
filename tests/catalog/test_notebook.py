"""A notebook read as data."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ragonotebooks.catalog import notebook
from ragonotebooks.errors import UsageError
from tests.catalog import lessons


def read_good(checkout: Path) -> notebook.Notebook:
    return notebook.read(lessons.write_good(checkout))


def test_top_says_what_the_lesson_is_does_and_costs(checkout: Path) -> None:
    lesson = read_good(checkout)
    assert (lesson.key, lesson.cloud, lesson.title) == ("aws/02-shelf", "aws", "AWS 02 · The shelf")
    assert lesson.purpose == "Papers need a shelf. Here you build one and close it."
    assert (lesson.minutes, lesson.risk, lesson.cost) == (15, "creates a shelf", "about $0.03 a month")


def test_needs_are_the_keys_of_the_linked_notebooks(checkout: Path) -> None:
    assert read_good(checkout).needs == ("aws/01-floor",)


def test_needs_nothing_means_no_needs(checkout: Path) -> None:
    lessons.write_good(checkout)
    assert notebook.read(notebook.find("aws/01-floor")).needs == ()


def test_steps_carry_number_title_objectives_and_what_their_cells_do(checkout: Path) -> None:
    first, second = read_good(checkout).steps
    assert (first.number, first.title) == (1, "One shelf")
    assert [str(ref) for ref in first.objectives] == ["DEA-C01 2.1", "SAA-C03 3.1"]
    assert [cell.does for cell in first.cells] == ["look", "change", "check"]
    assert [cell.index for cell in second.cells] == [10, 11]


def test_sections_are_cut_where_headings_stand_not_where_cells_end(checkout: Path) -> None:
    text = "# T\n\nWhy.\n\n## 1 · A\n\nProse.\n\n```\n## not a heading\n```\n\n## 2 · B"
    stored = new_notebook(cells=[new_markdown_cell(text), new_code_cell("x = 1"), new_markdown_cell("after")])
    first, second = notebook.read(lessons.write(checkout, "aws/x", stored)).sections
    assert (first.title, first.code) == ("1 · A", ())
    assert "## not a heading" in first.text
    assert (second.title, second.lead, second.text) == ("2 · B", "", "after")
    assert [cell.source for cell in second.code] == ["x = 1"]


def test_cell_with_two_kinds_of_tags_does_nothing_definite(checkout: Path) -> None:
    stored = new_notebook(cells=[lessons.code("x = 1", "look", "change")])
    assert notebook.read(lessons.write(checkout, "aws/x", stored)).cells[0].does is None


def test_notebook_without_any_of_it_is_still_read(checkout: Path) -> None:
    lesson = notebook.read(lessons.write(checkout, "aws/x", new_notebook(cells=[new_code_cell("1 +")])))
    assert (lesson.title, lesson.minutes, lesson.steps, lesson.parameters) == ("x", None, (), ())


def test_notebook_is_found_by_key_and_by_path(checkout: Path) -> None:
    path = lessons.write_good(checkout)
    assert notebook.find("aws/02-shelf") == path
    assert notebook.find("notebooks/aws/02-shelf.ipynb").resolve() == path


def test_unknown_notebook_names_the_nearest(checkout: Path) -> None:
    lessons.write_good(checkout)
    with pytest.raises(UsageError, match="no notebook 'aws/02-shell'; did you mean 'aws/02-shelf'"):
        notebook.find("aws/02-shell")


@pytest.mark.parametrize("stored", [b"not json", b"\xff\xfe", b"{}", b"[]", b'{"nbformat": 4}', b'{"nbformat": "x"}'])
def test_broken_file_is_named_in_one_sentence(checkout: Path, stored: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = checkout / "broken.ipynb"
    path.write_bytes(stored)
    with pytest.raises(UsageError, match=r"^broken.ipynb is not a Jupyter notebook .*; restore it") as raised:
        notebook.read(path)
    assert "\n" not in str(raised.value)
    assert not caplog.records
