"""What stands there at list price: the lines of a bill, the same on every cloud."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from ragonotebooks.catalog.prices import find_price

Usage = Mapping[tuple[str, str], float]
"""Service and item of the price list, with the quantity a month in the item's own unit."""


@dataclass(frozen=True)
class Line:
    """A resource that is paid for.

    Attributes:
        resource: What a person calls it: `service api`.
        tags: Its tags or labels.
        usage: What a month of it is made of.
    """

    resource: str
    tags: Mapping[str, str]
    usage: Usage

    def belongs_to(self, deployment: str) -> bool:
        """Whether it is the deployment's: by its tag or, where it has none, by a name that begins as the deployment's does."""
        called = self.resource.split(" ")[-1].removeprefix("alias/").removeprefix("/")
        return self.tags["deployment"] == deployment if "deployment" in self.tags else called.startswith(deployment)


def month(cloud: str, usage: Usage) -> float:
    """US dollars a month, not rounded.

    Raises:
        UsageError: The cloud's price list has no such item; the message names the nearest.
    """
    return sum(quantity * find_price(cloud, *item).usd for item, quantity in usage.items())


@dataclass(frozen=True)
class Bill:
    """What a deployment costs a month, without traffic, requests and taxes.

    Attributes:
        cloud: `aws` or `gcp`.
        labels: Those that everything of the deployment should carry.
        lines: What is paid for.
    """

    cloud: str
    labels: Mapping[str, str]
    lines: Sequence[Line] = field(repr=False)

    @classmethod
    def of(cls, cloud: str, labels: Mapping[str, str], lines: Iterable[Line]) -> "Bill":
        """The bill of the deployment that the labels name: what belongs to another one is left out."""
        return cls(cloud, labels, [line for line in lines if line.belongs_to(labels["deployment"])])

    @property
    def untagged(self) -> list[str]:
        """What lacks one of the deployment's tags, so that nobody would be asked to pay for it."""
        return [line.resource for line in self.lines if not self.labels.items() <= line.tags.items()]

    @property
    def usage(self) -> Counter[tuple[str, str]]:
        """All quantities, by service and item."""
        usage: Counter[tuple[str, str]] = Counter()
        for line in self.lines:
            usage.update(dict(line.usage))
        return usage

    @property
    def total(self) -> float:
        """US dollars a month, not rounded."""
        return sum(month(self.cloud, line.usage) for line in self.lines)

    def table(self) -> pd.DataFrame:
        """One row a resource, the dearest first: `resource`, `deployment` (`untagged` where it has none) and `$ a month`."""
        rows = [
            (line.resource, line.tags.get("deployment", "untagged"), round(month(self.cloud, line.usage), 2))
            for line in self.lines
        ]
        table = pd.DataFrame(rows, columns=["resource", "deployment", "$ a month"])
        return table.sort_values("$ a month", ascending=False, ignore_index=True)
