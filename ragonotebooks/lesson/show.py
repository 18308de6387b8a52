"""Showing what was found: tables and prices, readable as text where there is no browser."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from IPython.display import display, publish_display_data

from ragonotebooks.catalog.evidence import PRICE_MIME
from ragonotebooks.catalog.prices import find_price


def show_table(rows: Iterable[Mapping[str, Any]], *columns: str) -> None:
    """Show `rows` as a table with the given columns in that order, or with all that there are."""
    display(  # type: ignore[no-untyped-call]
        _Table(list(rows), columns=list(columns) or None)
    )


def show_price(cloud: str, usage: Mapping[tuple[str, str], float]) -> None:
    """Show what a month costs at list price, and keep it as a record for reports.

    Args:
        cloud: "aws" or "gcp".
        usage: Service and item, as the price list spells them, with the quantity a month in the item's own unit: 730 for
            an hour's price of something that runs all month.

    Raises:
        UsageError: The price list has no such item; the message names the nearest.
    """
    lines: list[dict[str, Any]] = []
    for (service, item), quantity in usage.items():
        price = find_price(cloud, service, item)
        line = {"service": service, "item": item, "unit": price.unit, "usd": price.usd, "quantity": quantity}
        lines.append({**line, "month": round(price.usd * quantity, 2)})
    total = round(sum(line["month"] for line in lines), 2)
    blank = {"item": "", "unit": "", "usd": "", "quantity": ""}
    table = _Table([*lines, {"service": "a month", **blank, "month": total}])
    publish_display_data(  # type: ignore[no-untyped-call]
        {
            "text/plain": table.to_string(index=False),
            "text/html": table.to_html(index=False, border=0),
            PRICE_MIME: {"lines": lines, "month": total},
        }
    )


class _Table(pd.DataFrame):  # type: ignore[misc]  # pandas ships no types
    """A data frame that is shown without its index, which says nothing in a list of cloud resources."""

    def _repr_html_(self) -> str:
        html: str = self.to_html(index=False, border=0, notebook=True)
        return html

    def __repr__(self) -> str:
        text: str = self.to_string(index=False)
        return text
