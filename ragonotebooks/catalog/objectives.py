"""Exam guides as data: exams, their domains with weights, their objectives. Read from `data/objectives/*.yaml`."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from ragonotebooks.catalog import project
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.errors import UsageError

_REFERENCE = re.compile(r"\b([A-Z]{2,5}(?:-C\d\d)?) (\d+(?:\.\d+)+)(?![\w.]*\d)")


@dataclass(frozen=True, slots=True, order=True)
class ObjectiveRef:
    """One objective of one exam, as a lesson names it: `DEA-C01 4.1`.

    exam: the exam's code.
    id: the number that the vendor's guide gives the objective.
    """

    exam: str
    id: str

    def __str__(self) -> str:
        return f"{self.exam} {self.id}"


def parse_refs(text: str) -> tuple[ObjectiveRef, ...]:
    """Every `EXAM n.n` in the text, in the order of the text; whether they exist is asked with `find`."""
    return tuple(ObjectiveRef(exam, number) for exam, number in _REFERENCE.findall(text))


@dataclass(frozen=True, slots=True)
class Objective:
    """One task of an exam guide: its reference, a short title and keywords in our words."""

    ref: ObjectiveRef
    title: str
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """A part of an exam; `weight` is its share of the scored questions in percent, as the vendor states it."""

    id: str
    title: str
    weight: float
    objectives: tuple[Objective, ...]


@dataclass(frozen=True, slots=True)
class Exam:
    """An exam guide; `url` is where the vendor publishes it, `version` the guide's own."""

    code: str
    name: str
    vendor: str
    version: str
    url: str
    domains: tuple[Domain, ...]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All objectives, domain by domain."""
        return tuple(objective for domain in self.domains for objective in domain.objectives)


def exams() -> dict[str, Exam]:
    """All exams by code, in the order of their files."""
    return _load(project.objectives())


def exam(code: str) -> Exam:
    """The exam with this code, whatever its case; a UsageError names the nearest code."""
    known = exams()
    if code.upper() not in known:
        raise UsageError(f"there is no exam '{code}' in data/objectives; {did_you_mean(code.upper(), known)}")
    return known[code.upper()]


def find(ref: ObjectiveRef) -> Objective:
    """The objective behind a reference; a UsageError names the nearest exam or the exam's objectives."""
    for objective in exam(ref.exam).objectives:
        if objective.ref == ref:
            return objective
    numbers = (objective.ref.id for objective in exam(ref.exam).objectives)
    raise UsageError(f"exam {ref.exam} has no objective '{ref.id}'; {did_you_mean(ref.id, numbers)}")


@cache
def _load(folder: Path) -> dict[str, Exam]:
    loaded = [_exam(path) for path in sorted(folder.glob("*.yaml"))]
    return {one.code: one for one in loaded}


def _exam(path: Path) -> Exam:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    facts = {key: data["exam"][key] for key in ("code", "name", "vendor", "version", "url")}
    domains = tuple(
        Domain(
            id=domain["id"],
            title=domain["title"],
            weight=float(domain["weight"]),
            objectives=tuple(
                Objective(ObjectiveRef(facts["code"], one["id"]), one["title"], tuple(one["keywords"]))
                for one in domain["objectives"]
            ),
        )
        for domain in data["domains"]
    )
    return Exam(domains=domains, **facts)
