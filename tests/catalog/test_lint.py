"""Every rule finds what it is for, and says nothing about a good lesson."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from ragonotebooks.catalog import lint, project
from ragonotebooks.catalog.rules import RULES
from ragonotebooks.errors import UsageError
from tests.catalog import lessons

Spoil = Callable[[Any], object]


def set_source(cell: int, old: str, new: str) -> Spoil:
    def spoil(stored: Any) -> None:
        assert old in stored.cells[cell].source
        stored.cells[cell].source = stored.cells[cell].source.replace(old, new)

    return spoil


def set_tags(cell: int, *tags: str) -> Spoil:
    return lambda stored: stored.cells[cell].metadata.update(tags=list(tags))


def add_output(cell: int, output: Any) -> Spoil:
    return lambda stored: stored.cells[cell].outputs.append(output)


def printed(text: str) -> Any:
    return new_output("stream", name="stdout", text=text)


LONG = "\n".join(["x = 1"] * 18)
PATH_IN_DATA = new_output("display_data", data={"text/html": "<a href='/home/me/runs/'>"})

SPOILT: list[tuple[str, Spoil, int | None, str]] = [
    ("L101", set_source(19, "Clean up", "Cleaning"), None, "section 'Clean up' is missing"),
    ("L101", lambda stored: stored.cells.insert(0, stored.cells.pop(19)), None, "sections are in the order Clean up"),
    ("L102", set_source(0, "# AWS 02 · The shelf", "# The shelf"), 1, "the title line is missing"),
    ("L102", set_source(0, " · about $0.03 a month", ""), 1, "the top does not say its cost"),
    ("L102", set_source(0, "**15 minutes", "**A quarter"), 1, "the top does not say its minutes, risk, cost"),
    ("L102", set_source(0, "Papers need a shelf. Here you build one and close it.", ""), 1, "does not say its purpose"),
    ("L102", set_source(0, "01-floor", "00-cellar"), 1, "the notebook that it needs, aws/00-cellar, does not exist"),
    ("L103", set_source(1, "```mermaid", "```text"), 2, "there is no picture"),
    ("L104", set_tags(3), None, "0 cells are tagged parameters"),
    ("L104", set_source(3, "copies: Between[1, 9] =", "copies ="), 4, "not an annotated assignment of a plain value"),
    ("L104", set_source(3, "from ragonotebooks", "from os"), 4, "not an annotated assignment"),
    ("L104", set_source(3, "[1, 9] = 2", "[1, 9] = 12"), 4, "copies cannot be used, its default must be 1 to 9"),
    ("L104", set_source(3, "# how many of each paper", ""), 4, "parameter copies has no comment"),
    ("L105", set_source(3, 'target: Target = "sandbox"', 'target: Target = "cloud"'), None, "target is 'cloud'"),
    ("L106", set_source(4, "connect(", "disconnected("), None, "no cell before the first step calls connect"),
    ("L107", set_source(9, "## 2", "## 3"), None, "the steps are numbered [1, 3]"),
    ("L107", lambda stored: stored.cells.append(new_markdown_cell("## 3 · Late\n\nDEA")), 21, "step 3 stands outside"),
    ("L108", set_source(9, "**Objectives:**", "Objectives:"), 10, "step 2 names no objective"),
    ("L108", set_source(5, "DEA-C01 2.1", "DEA-C01 9.9"), 6, "exam DEA-C01 has no objective '9.9'"),
    ("L108", set_source(5, "DEA-C01", "DEB-C01"), 6, "there is no exam 'DEB-C01'"),
    ("L109", lambda stored: stored.cells.pop(17), 17, "there is no exercise cell"),
    ("L109", set_source(18, "<details>", ""), 17, "there is no question with a folded answer"),
    ("L109", set_tags(17, "exercise", "skip-execution"), 18, "lacks the tag nbval-skip"),
    ("L201", set_tags(6), 7, "the cell is tagged with nothing"),
    ("L201", set_tags(6, "look", "check"), 7, "the cell is tagged check, look"),
    ("L202", set_tags(11, "look"), 10, "step 2 has no check cell"),
    ("L202", set_source(11, "check(", "print("), 12, "the check cell calls no check"),
    ("L203", set_source(6, "shelf = find(lab.name)", LONG), 7, "code cell has 18 lines"),
    ("L205", set_source(9, "Nobody takes a paper by mistake.", ""), 11, "before the code of '2 · The shelf is closed'"),
    (
        "L206",
        set_source(8, "find(lab.name)", "made"),
        9,
        "the check cell uses 'made', which only a change cell defines",
    ),
    ("L207", set_source(6, "shelf = find(lab.name)", "!ls"), 7, "code cell is not plain Python"),
    ("L208", set_source(7, "make(lab.name)", "make(endpoint_url='x')"), 8, "code says 'endpoint_url'"),
    ("L208", set_source(7, "make(lab.name)", "make({'api_endpoint': 'x'})"), 8, "code says 'api_endpoint'"),
    ("L208", set_source(6, "lab.name", "lab.sandbox"), 7, "code says 'sandbox'"),
    ("L209", set_source(5, "**Objectives", "**Limits:** an hour\n\n**Objectives"), 6, "the limit 'an hour'"),
    ("L209", lambda stored: stored.cells[6].metadata.update(ragonotebooks={"timeout": 9}), 7, "limit in its metadata"),
    ("L210", set_source(0, "# AWS", "**Approval:** early\n\n# AWS"), 1, "outside of the steps"),
    ("L210", set_source(5, "**Objectives", "**Approval:**\n\n**Objectives"), 6, "say why in one line"),
    ("L210", set_source(12, "Every", "**Approval:** look\n\nEvery"), 13, "asks for an approval but changes nothing"),
    ("L210", set_source(5, "**Objectives", "**Approval:** look\n\n**Objectives"), 6, "are brought up unattended"),
    ("L301", lambda stored: stored.cells[6].update(execution_count=None), 7, "1 code cells were not executed"),
    ("L302", add_output(7, new_output("error", ename="Boom", evalue="", traceback=[])), 8, "the output is Boom"),
    ("L303", add_output(7, printed("in /home/me/runs\n")), 8, "the cell holds the path '/home/m"),
    ("L303", add_output(7, PATH_IN_DATA), 8, "the cell holds the path '/home/m"),
    ("L303", add_output(7, printed("/tmp/ragonotebooks-1000/default")), 8, "the path '/tmp/ragonotebooks-'"),
    ("L304", add_output(7, printed("AKIA" + "A1B2" * 4)), 8, "what looks like a secret, 'AKIAA1B2…'"),
    ("L304", add_output(7, printed("ya29." + "a-B_" * 9)), 8, "what looks like a secret, 'ya29.a-B…'"),
    ("L304", add_output(7, printed("AIza" + "Sy_-x" * 7)), 8, "what looks like a secret, 'AIzaSy_-…'"),
    ("L304", add_output(7, printed("-----BEGIN " + "RSA PRIVATE KEY-----")), 8, "what looks like a secret"),
    ("L305", lambda stored: stored.metadata.update(papermill={}), None, "the notebook carries papermill metadata"),
    ("L305", set_tags(4, "injected-parameters"), 5, "the cell carries papermill metadata"),
]


def test_good_lesson_has_no_problem(checkout: Path) -> None:
    lessons.write_good(checkout)
    lessons.write_runbook(checkout, "shelf", lessons.RUNBOOK)
    assert lint.lint([]) == []


@pytest.mark.parametrize(("code", "spoil", "cell", "found"), SPOILT, ids=[f"{one[0]} {one[3]}" for one in SPOILT])
def test_rule_finds_what_breaks_it(checkout: Path, code: str, spoil: Spoil, cell: int | None, found: str) -> None:
    path = lessons.write_good(checkout, spoil)
    problems = [problem for problem in lint.lint([str(path)]) if problem.code == code]
    assert [problem.cell for problem in problems] == [cell]
    assert found in problems[0].found


def test_median_of_long_cells_is_found(checkout: Path) -> None:
    def spoil(stored: Any) -> None:
        for cell in stored.cells:
            if cell.cell_type == "code":
                cell.source += "\n" * 5 + "0"

    (problem,) = [one for one in lint.lint([str(lessons.write_good(checkout, spoil))]) if one.code == "L204"]
    assert problem.found == "the median code cell has 6 lines"


def test_every_rule_is_broken_by_some_test() -> None:
    assert {rule.code for rule in RULES} == {code for code, *_ in SPOILT} | {"L204"}


def test_name_that_a_look_cell_defines_may_be_changed_and_used(checkout: Path) -> None:
    def spoil(stored: Any) -> None:
        stored.cells[7].source = "shelf = shelf or make(lab.name)"

    assert lint.lint([str(lessons.write_good(checkout, spoil))]) == []


def test_comprehension_variable_is_not_the_change_cells_name(checkout: Path) -> None:
    def spoil(stored: Any) -> None:
        stored.cells[7].source = "for paper in shelf:\n    put(paper)"

    assert lint.lint([str(lessons.write_good(checkout, spoil))]) == []


def test_path_in_a_picture_is_not_looked_for(checkout: Path) -> None:
    picture = new_output("display_data", data={"image/png": "AAAA/root/AAAA"})
    assert lint.lint([str(lessons.write_good(checkout, add_output(7, picture)))]) == []


def test_path_of_this_checkout_is_found(checkout: Path) -> None:
    path = lessons.write_good(checkout, add_output(7, printed(f"{checkout}/data/papers")))
    assert "L303" in [problem.code for problem in lint.lint([str(path)])]


def test_problem_reads_as_place_rule_finding_and_fix(checkout: Path) -> None:
    path = lessons.write_good(checkout, set_source(6, "shelf = find(lab.name)", LONG))
    assert (
        "notebooks/aws/02-shelf.ipynb:cell 7: L203 code cell has 18 lines; split it into cells of one thought each"
        in [str(problem) for problem in lint.lint([str(path)])]
    )


def test_empty_notebook_has_problems_but_no_crash(checkout: Path) -> None:
    path = lessons.write(checkout, "aws/x", lessons.new_notebook(cells=[new_code_cell("")]))
    assert {problem.code for problem in lint.lint([str(path)])} >= {"L101", "L102", "L104", "L105", "L106", "L107"}


def test_a_lesson_on_several_clouds_has_no_number(checkout: Path) -> None:
    lessons.write_good(checkout)
    stored = lessons.good_lesson()
    top = stored.cells[0].source.replace("# AWS 02 · ", "# COMPARE · ")
    stored.cells[0].source = top.replace("(01-floor", "(../aws/01-floor")
    assert lint.lint([str(lessons.write(checkout, "compare/shelves", stored))]) == []


@pytest.mark.parametrize("named", ["aws/02-shelf", "notebooks/aws/02-shelf.ipynb", "notebooks/aws", "notebooks"])
def test_lessons_are_named_by_key_path_or_folder(checkout: Path, named: str) -> None:
    lessons.write_good(checkout, set_source(19, "Clean up", "Cleaning"))
    assert [problem.code for problem in lint.lint([named])] == ["L101"]


@pytest.mark.parametrize(
    ("named", "problem"), [("aws/nope", "no notebook"), ("empty", "folder empty holds no notebook")]
)
def test_what_does_not_exist_is_refused(checkout: Path, named: str, problem: str) -> None:
    (checkout / "empty").mkdir()
    with pytest.raises(UsageError, match=problem):
        lint.lint([named])


@pytest.mark.parametrize(
    ("code", "notebooks", "found"),
    [
        ("L401", "[aws/01-flor]", "there is no notebook 'aws/01-flor'"),
        ("L402", "[aws/02-shelf, aws/01-floor]", "aws/02-shelf needs aws/01-floor, which does not run before it"),
        ("L402", "[aws/02-shelf]", "aws/02-shelf needs aws/01-floor"),
    ],
)
def test_runbook_rule_finds_what_breaks_it(checkout: Path, code: str, notebooks: str, found: str) -> None:
    lessons.write_good(checkout)
    text = lessons.RUNBOOK.replace("[aws/01-floor, aws/02-shelf]", notebooks)
    (problem,) = lint.lint([str(lessons.write_runbook(checkout, "shelf", text))])
    assert problem.code == code
    assert found in problem.found


def test_runbook_whose_notebooks_disagree_on_a_parameter_is_found(checkout: Path) -> None:
    lessons.write_good(checkout, set_source(3, "[1, 9] = 2", "[1, 9] = 3"))
    (problem,) = lint.lint([str(lessons.write_runbook(checkout, "shelf", lessons.RUNBOOK))])
    assert problem.code == "L403"


def test_page_on_authoring_lists_the_rules_as_they_are() -> None:
    page = (project.ROOT / "docs" / "authoring.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("<!-- generated: lint rules -->\n")
    assert rest.partition("\n<!-- end -->")[0] == lint.rules_table()


def test_lessons_and_runbooks_of_the_project_keep_the_rules() -> None:
    assert [str(problem) for problem in lint.lint([])] == []
