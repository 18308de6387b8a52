"""Runbooks and lessons as plain data: what `list` and `show` print, as tables or as JSON."""

from dataclasses import asdict
from typing import Any

from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.catalog.runbook import Runbook


def of_runbook(book: Runbook) -> dict[str, Any]:
    """What a runbook says, with the keys of its lessons."""
    return {
        "name": book.name,
        "title": book.title,
        "cloud": book.cloud,
        "purpose": book.purpose,
        "notebooks": [one.key for one in book.notebooks],
        "parameters": [asdict(parameter) for parameter in book.parameters],
    }


def of_lesson(one: Notebook) -> dict[str, Any]:
    """What a lesson says at its top, with its steps."""
    return {
        "key": one.key,
        "title": one.title,
        "minutes": one.minutes,
        "risk": one.risk,
        "cost": one.cost,
        "needs": list(one.needs),
        "steps": [
            {"number": step.number, "title": step.title, "objectives": [str(ref) for ref in step.objectives]}
            for step in one.steps
        ],
    }


def prices(one: Notebook) -> list[dict[str, Any]]:
    """The price lines in the lesson's own outputs: none when it was not executed or shows no price."""
    from ragonotebooks.catalog.evidence import PRICE_MIME

    records = [output["data"].get(PRICE_MIME) for cell in one.cells for output in cell.outputs]
    return [line for record in records if record for line in record["lines"]]
