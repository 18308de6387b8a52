"""Check and price records, as cells leave them in their outputs."""

from collections.abc import Iterator
from typing import Any

from ragonotebooks.catalog.evidence import CHECK_MIME, PRICE_MIME
from ragonotebooks.run.results import Check

# Written by lesson.show, which is not imported for it: it brings pandas.


def checks(cell: Any) -> list[Check]:
    """The checks that an executed cell recorded, in order."""
    fields = ("claim", "passed", "actual", "expected")
    return [Check(*(record[name] for name in fields)) for record in _records(cell, CHECK_MIME)]


def prices(cell: Any) -> list[dict[str, Any]]:
    """The price records of an executed cell: each with `lines` and their total a `month` in US dollars."""
    return list(_records(cell, PRICE_MIME))


def _records(cell: Any, mime: str) -> Iterator[Any]:
    return (output["data"][mime] for output in cell.outputs if mime in output.get("data", {}))
