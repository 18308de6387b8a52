"""Showing what was found: tables and prices, readable as text where there is no browser."""

from collections.abc import Collection, Iterable, Mapping
from html import escape
from typing import Any

import pandas as pd
from IPython.display import display, publish_display_data

from ragonotebooks.catalog.evidence import PRICE_MIME
from ragonotebooks.catalog.prices import find_price


def show_table(rows: Iterable[Mapping[str, Any]], *columns: str) -> None:
    """Show `rows` as a table with the given columns in that order, or with all that there are."""
    display(_Table(list(rows), columns=list(columns) or None))


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
    table = _Table([*map(_price_row, lines), {"service": "a month", "$ a month": f"{total:.2f}"}]).fillna("")
    publish_display_data(
        {
            "text/plain": repr(table),
            "text/html": table.to_page(right={"$ a unit", "quantity", "$ a month"}),
            PRICE_MIME: {"lines": lines, "month": total},
        }
    )


def _price_row(line: dict[str, Any]) -> dict[str, str]:
    kept = {name: line[name] for name in ("service", "item", "unit")}
    return {
        **kept,
        "$ a unit": f"{line['usd']:g}",
        "quantity": f"{line['quantity']:g}",
        "$ a month": f"{line['month']:.2f}",
    }


class _Table(pd.DataFrame):  # type: ignore[misc]  # pandas ships no types
    """A data frame shown whole, without its index: text to the left and never cut, numbers to the right."""

    @property
    def _constructor(self) -> type["_Table"]:
        return _Table

    def to_page(self, right: Collection[str]) -> str:
        """The table as HTML, with the columns in `right` aligned to that side."""

        def row(tag: str, values: Iterable[Any]) -> str:
            sides = ["right" if column in right else "left" for column in self.columns]
            cells = zip(sides, values, strict=True)
            return "".join(f'<{tag} style="text-align: {side}">{escape(str(value))}</{tag}>' for side, value in cells)

        body = "".join(f"<tr>{row('td', values)}</tr>" for values in self.itertuples(index=False))
        return (
            f'<table class="dataframe"><thead><tr>{row("th", self.columns)}</tr></thead><tbody>{body}</tbody></table>'
        )

    def _repr_html_(self) -> str:
        return self.to_page([column for column in self.columns if pd.api.types.is_numeric_dtype(self[column])])

    def __repr__(self) -> str:
        text: str = self.to_string(index=False)
        return text
