"""Showing what was found: tables and prices, readable as text when there is no browser."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd
from IPython.display import display, publish_display_data

from ragonotebooks.catalog.prices import find_price

PRICE_MIME: Final = "application/vnd.ragonotebooks.price+json"


def show_table(rows: Iterable[Mapping[str, Any]], columns: Iterable[str] | None = None) -> None:
    """Show `rows` as a table with the given columns, or with all of them."""
    frame = pd.DataFrame(list(rows), columns=list(columns) if columns else None)
    display(frame.style.hide(axis="index") if False else frame)
