"""List prices as data, each with its source: `data/prices/<cloud>-<region>.csv`. No live price is asked for."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from ragonotebooks.catalog import project
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.errors import RagonotebooksError, UsageError

HOURS: Final = 730
"""The hours of a month."""


@dataclass(frozen=True, slots=True)
class Price:
    """One line of a price list, before taxes and without free tier.

    unit: what one costs `usd`, such as `GB-month`, `hour`, `GB-hour` or `1000 requests`; `multiplier` marks a factor.
    usd: US dollars a unit.
    source_url, source_seen: where the figure was read, and when.
    confidence: `two-sources`, `one-source` or `from-memory`.
    """

    service: str
    item: str
    unit: str
    usd: float
    source_url: str
    source_seen: str
    confidence: str


def find_price(cloud: str, service: str, item: str) -> Price:
    """The price of one item; a UsageError names the nearest service or item of the cloud's list."""
    rows = _rows(project.prices(), cloud)
    services = {known for known, _ in rows}
    if service not in services:
        raise UsageError(f"there is no price for service '{service}' on {cloud}; {did_you_mean(service, services)}")
    if (service, item) not in rows:
        items = [known for owner, known in rows if owner == service]
        raise UsageError(f"there is no price for '{item}' of {service} on {cloud}; {did_you_mean(item, items)}")
    return _price(rows[service, item])


@cache
def _rows(folder: Path, cloud: str) -> dict[tuple[str, str], dict[str, str]]:
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for path in sorted(folder.glob(f"{cloud}-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows |= {(row["service"], row["item"]): row for row in csv.DictReader(file)}
    if not rows:
        raise UsageError(f"there is no price list for cloud '{cloud}'; add data/prices/{cloud}-<region>.csv")
    return rows


def _price(row: dict[str, str]) -> Price:
    # Only the row that is asked for is read as a number: an odd figure elsewhere in the list harms nobody.
    try:
        usd = float(row["usd"])
    except ValueError:
        raise RagonotebooksError(
            f"the price of '{row['item']}' of {row['service']} is '{row['usd']}', not a number; "
            "correct it in data/prices"
        ) from None
    texts = {key: row[key] for key in ("service", "item", "unit", "source_url", "source_seen", "confidence")}
    return Price(usd=usd, **texts)
