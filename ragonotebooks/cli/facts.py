"""Runbooks and lessons as plain data: what `list` and `show` print, as tables or as JSON."""

from typing import Any

from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.catalog.parameters import Parameter
from ragonotebooks.catalog.runbook import Runbook


def of_runbook(book: Runbook) -> dict[str, Any]:
    """What a runbook says, with the keys of its lessons."""
    return {
        "name": book.name,
        "title": book.title,
        "cloud": book.cloud,
        "purpose": book.purpose,
        "notebooks": [one.key for one in book.notebooks],
        "parameters": [_of_parameter(one) for one in book.parameters],
    }


def _of_parameter(one: Parameter) -> dict[str, Any]:
    """What a parameter takes; `default` is null when it has to be given."""
    return {
        "name": one.name,
        "declared": one.declared,
        "type": one.form.type,
        "takes": one.form.words,
        "choices": list(one.form.choices),
        "bounds": one.form.bounds,
        "pattern": one.form.pattern or None,
        "secret": one.form.meaning == "secret",
        "required": one.default is None,
        "default": one.default,
        "comment": one.comment,
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
