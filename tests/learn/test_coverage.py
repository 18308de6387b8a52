"""Coverage comes from check records in executed notebooks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_output

from ragonotebooks.catalog import objectives
from ragonotebooks.catalog.objectives import ObjectiveRef
from ragonotebooks.errors import UsageError
from ragonotebooks.learn.coverage import ExamCoverage, coverage, executed
from tests.catalog import lessons


def covered_by(checkout: Path, spoil: Callable[[Any], object] = lambda stored: None) -> dict[str, ExamCoverage]:
    return {one.exam.code: one for one in coverage([lessons.write_good(checkout, spoil)])}


def refs(found: ExamCoverage) -> set[str]:
    return {ref.id for ref, evidence in found.evidence.items() if evidence}


def test_objectives_of_steps_that_proved_themselves_are_covered(checkout: Path) -> None:
    found = covered_by(checkout)
    assert refs(found["DEA-C01"]) == {"2.1", "4.1"}
    assert refs(found["SAA-C03"]) == {"3.1"}
    assert refs(found["ACE"]) == set()


def test_evidence_names_lesson_step_and_claims(checkout: Path) -> None:
    (proof,) = covered_by(checkout)["DEA-C01"].evidence[ObjectiveRef("DEA-C01", "4.1")]
    assert (proof.notebook, proof.lesson) == ("notebooks/aws/02-shelf.ipynb", "AWS 02 · The shelf")
    assert (proof.step, proof.title) == (2, "The shelf is closed")
    assert proof.claims == ("the shelf is closed",)


def test_step_that_was_not_executed_covers_nothing(checkout: Path) -> None:
    found = covered_by(checkout, lambda stored: stored.cells[11].update(outputs=[]))
    assert refs(found["DEA-C01"]) == {"2.1"}


def test_one_failed_check_spoils_its_step(checkout: Path) -> None:
    failed = lessons.check_output("it is locked", passed=False)
    found = covered_by(checkout, lambda stored: stored.cells[11].outputs.append(failed))
    assert refs(found["DEA-C01"]) == {"2.1"}


def test_cell_that_raised_spoils_its_step(checkout: Path) -> None:
    error = new_output("error", ename="ClientError", evalue="", traceback=[])
    found = covered_by(checkout, lambda stored: stored.cells[7].outputs.append(error))
    assert refs(found["DEA-C01"]) == {"4.1"}


def test_one_good_step_is_enough_when_another_failed(checkout: Path) -> None:
    def spoil(stored: Any) -> None:
        stored.cells[9].source = stored.cells[9].source.replace("4.1", "2.1")
        stored.cells[11].outputs = [lessons.check_output("it is locked", passed=False)]

    assert refs(covered_by(checkout, spoil)["DEA-C01"]) == {"2.1"}


def test_domains_count_as_much_as_they_weigh(checkout: Path) -> None:
    found = covered_by(checkout)["DEA-C01"]
    domains = {domain.id: domain for domain in objectives.exam("DEA-C01").domains}
    expected = sum(domains[id_].weight / len(domains[id_].objectives) for id_ in ("2", "4")) / 100
    assert (found.covered, found.total) == (2, 17)
    assert found.weighted == pytest.approx(expected)


def test_exam_covered_whole_is_one_even_when_published_weights_are_rounded(checkout: Path) -> None:
    exam = objectives.exam("PMLE")
    every = " · ".join(str(objective.ref) for objective in exam.objectives)

    def spoil(stored: Any) -> None:
        stored.cells[9].source = f"## 2 · All\n\nWhy.\n\n**Objectives:** {every}"

    assert covered_by(checkout, spoil)["PMLE"].weighted == pytest.approx(1)


def test_coverage_is_plain_data(checkout: Path) -> None:
    data = json.loads(json.dumps(covered_by(checkout)["SAA-C03"].to_json()))
    assert (data["exam"], data["covered"], data["total"]) == ("SAA-C03", 1, 14)
    assert [one["id"] for one in data["objectives"] if one["evidence"]] == ["3.1"]


def test_evidence_is_taken_from_a_run_folder(checkout: Path) -> None:
    path = lessons.write_good(checkout)
    run = checkout / "runs" / "today"
    run.mkdir(parents=True)
    path.rename(run / path.name)
    assert executed(run) == [run / path.name]


def test_folder_without_notebooks_is_refused(checkout: Path) -> None:
    with pytest.raises(UsageError, match="nowhere holds no executed notebook"):
        executed(checkout / "nowhere")
