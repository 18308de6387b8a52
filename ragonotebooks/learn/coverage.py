"""Which exam objectives are covered, from evidence: the check records in executed notebooks, never from prose."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ragonotebooks.catalog import notebook, objectives, project
from ragonotebooks.catalog.evidence import CHECK_MIME
from ragonotebooks.catalog.notebook import Cell, Step
from ragonotebooks.catalog.objectives import Exam, ObjectiveRef
from ragonotebooks.errors import UsageError


@dataclass(frozen=True, slots=True)
class Evidence:
    """A step that proved itself: at least one of its checks passed, none failed, and no cell of it raised.

    notebook: the path of the executed notebook. lesson: its title. claims: what the checks of the step state, in order.
    """

    notebook: str
    lesson: str
    step: int
    title: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExamCoverage:
    """An exam with the evidence for each of its objectives; an objective is covered when there is some."""

    exam: Exam
    evidence: Mapping[ObjectiveRef, tuple[Evidence, ...]]

    @property
    def total(self) -> int:
        """How many objectives the exam has."""
        return len(self.exam.objectives)

    @property
    def covered(self) -> int:
        """How many of them are covered."""
        return sum(bool(found) for found in self.evidence.values())

    @property
    def weighted(self) -> float:
        """The covered share from 0 to 1, where each domain counts as much as it weighs in the exam."""
        # Divided by the sum, since published weights are rounded and need not add up to 100.
        return sum(self._earned()) / sum(domain.weight for domain in self.exam.domains)

    def _earned(self) -> Iterator[float]:
        for domain in self.exam.domains:
            covered = [bool(self.evidence[objective.ref]) for objective in domain.objectives]
            yield domain.weight * sum(covered) / len(covered)

    def to_json(self) -> dict[str, Any]:
        """The coverage as plain data, each objective with its evidence."""
        return {
            "exam": self.exam.code,
            "name": self.exam.name,
            "url": self.exam.url,
            "covered": self.covered,
            "total": self.total,
            "weighted": round(self.weighted, 4),
            "objectives": [
                {
                    "id": objective.ref.id,
                    "title": objective.title,
                    "evidence": [asdict(found) for found in self.evidence[objective.ref]],
                }
                for objective in self.exam.objectives
            ],
        }


def coverage(paths: Iterable[Path]) -> list[ExamCoverage]:
    """The coverage of every exam by these executed notebooks; the same notebooks always give the same answer."""
    found: dict[ObjectiveRef, list[Evidence]] = {}
    for path in paths:
        lesson = notebook.read(path)
        for step in lesson.steps:
            if claims := proven(step):
                for ref in step.objectives:
                    found.setdefault(ref, []).append(
                        Evidence(project.shown(path), lesson.title, step.number, step.title, claims)
                    )
    return [
        ExamCoverage(exam, {one.ref: tuple(found.get(one.ref, ())) for one in exam.objectives})
        for exam in objectives.exams().values()
    ]


def executed(run: Path | None = None) -> list[Path]:
    """The notebooks of a run folder, or the committed lessons; a UsageError says when the folder holds none."""
    if run is None:
        return notebook.lessons()
    paths = sorted(run.rglob("*.ipynb")) if run.is_dir() else []
    if not paths:
        raise UsageError(f"{project.shown(run)} holds no executed notebook; give the folder of a run with --run DIR")
    return paths


def proven(step: Step) -> tuple[str, ...]:
    """The claims of a step that proved itself; nothing when a check failed, a cell raised, or nothing was checked."""
    records = [record for cell in step.cells for record in check_records(cell)]
    raised = any(output["output_type"] == "error" for cell in step.cells for output in cell.outputs)
    if raised or not all(record["passed"] for record in records):
        return ()
    return tuple(record["claim"] for record in records)


def check_records(cell: Cell) -> list[dict[str, Any]]:
    """The records that the checks of a cell left in its outputs: `claim`, `passed`, `expected`, `actual`."""
    return [output["data"][CHECK_MIME] for output in cell.outputs if CHECK_MIME in output["data"]]
