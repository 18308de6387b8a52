"""What a report adds up over the whole run: the exam objectives that were proven, and the price."""

from dataclasses import dataclass

from ragonotebooks.catalog import objectives
from ragonotebooks.catalog.objectives import ObjectiveRef
from ragonotebooks.errors import UsageError
from ragonotebooks.run.results import Run, Status


@dataclass(frozen=True, slots=True)
class CoveredObjective:
    """An objective with the steps that prove it, such as `aws/02-storage 3`."""

    id: str
    title: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoveredExam:
    """The proven objectives of one exam, out of `total`; 0 when the exam is not in the data."""

    code: str
    name: str
    total: int
    lines: tuple[CoveredObjective, ...]


def covered(run: Run) -> list[CoveredExam]:
    """The objectives of all steps that passed with at least one check, exam by exam."""
    proven: dict[ObjectiveRef, list[str]] = {}
    for notebook, step in run.steps:
        if step.status is Status.PASSED and step.checks:
            for ref in step.objectives:
                proven.setdefault(ref, []).append(f"{notebook.key} {step.number}")
    return [_exam(code, proven) for code in sorted({ref.exam for ref in proven})]


def month(run: Run) -> float | None:
    """What all price records of the run add up to, in US dollars a month; None when there is none."""
    records = [record for notebook in run.notebooks for record in notebook.prices]
    return sum(record["month"] for record in records) if records else None


def _exam(code: str, proven: dict[ObjectiveRef, list[str]]) -> CoveredExam:
    known = objectives.exams().get(code)
    lines = tuple(
        CoveredObjective(ref.id, _title(ref), tuple(proven[ref])) for ref in sorted(proven) if ref.exam == code
    )
    if known is None:
        return CoveredExam(code, "not in data/objectives", 0, lines)
    return CoveredExam(code, known.name, len(known.objectives), lines)


def _title(ref: ObjectiveRef) -> str:
    try:
        return objectives.find(ref).title
    except UsageError:
        return "not in data/objectives"
