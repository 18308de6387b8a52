"""A notebook cut into what a run reports on: its steps and other sections that have code."""

from dataclasses import dataclass, field

from ragonotebooks.catalog import approval, limits
from ragonotebooks.catalog.limits import Limits
from ragonotebooks.catalog.notebook import Cell, Notebook
from ragonotebooks.catalog.objectives import ObjectiveRef


@dataclass(frozen=True, slots=True)
class Part:
    """A numbered step, or with number None another section that has code; every code cell is in exactly one part.

    approval: why a person has to approve it before it is executed; empty when nobody has to.
    """

    number: int | None
    title: str
    objectives: tuple[ObjectiveRef, ...]
    cells: tuple[Cell, ...]
    limits: Limits = field(default_factory=Limits)
    approval: str = ""


def outline(notebook: Notebook) -> list[Part]:
    """The parts of a notebook in order; a UsageError names a step whose limits or approval cannot be held."""
    steps = {(step.section.index, step.section.title): step for step in notebook.steps}
    parts: list[Part] = []
    for section in notebook.sections:
        step = steps.get((section.index, section.title))
        declared = limits.of(section), approval.of(section)
        if step:
            parts.append(Part(step.number, step.title, step.objectives, step.cells, *declared))
        elif section.code:
            parts.append(Part(None, section.title, (), section.code, *declared))
    inside = {cell.index for part in parts for cell in part.cells}
    opening = tuple(cell for cell in notebook.cells if cell.kind == "code" and cell.index not in inside)
    return [Part(None, "Opening", (), opening), *parts] if opening else parts
