"""The samples of metrics, and the statistics that CloudWatch makes of them. Times are seconds since 1970, in UTC.

Rules: Amazon CloudWatch user guide, "CloudWatch concepts", and API reference, PutMetricData, read 2026-11.
"""

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Self

_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_time = attrgetter("time")


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one second, or of one minute for metrics of standard resolution.

    Attributes:
        time: When; the start of its second or minute.
        count: How many values.
        total: Their sum.
        low: The smallest.
        high: The greatest.
        unit: `Milliseconds`, `None`.
    """

    time: int
    count: float
    total: float
    low: float
    high: float
    unit: str = "None"

    @classmethod
    def of(cls, time: float, value: float, count: float = 1, unit: str = "None", resolution: int = 60) -> Self:
        """Make a sample of `count` equal values, kept at a resolution of 1 or 60 seconds."""
        return cls(start_of(time, resolution), count, value * count, value, value, unit)


Statistic = Callable[[Sequence[Sample]], float | None]
Dimensions = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a series is of; other dimensions are another metric."""

    namespace: str
    name: str
    dimensions: Dimensions = frozenset()


@dataclass(slots=True)
class Series:
    """The samples of one metric, in the order of time."""

    samples: list[Sample] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Keep a sample."""
        if self.samples and self.samples[-1].time > sample.time:
            insort(self.samples, sample, key=_time)
        else:
            self.samples.append(sample)

    def between(self, start: float, end: float) -> list[Sample]:
        """Return the samples of a time, `end` left out."""
        first = bisect_left(self.samples, start, key=_time)
        return self.samples[first : bisect_left(self.samples, end, first, key=_time)]

    def points(
        self, statistic: Statistic, period: int, start: float, end: float, unit: str | None = None
    ) -> dict[int, float]:
        """Return a statistic of each period that has samples, by the period's start."""
        grouped = by_period((s for s in self.between(start, end) if unit in (None, s.unit)), period)
        made = {at: statistic(samples) for at, samples in grouped.items()}
        return {at: value for at, value in made.items() if value is not None}


def start_of(time: float, period: int) -> int:
    """Return the start of the period that a time is in: periods are counted from 1970."""
    return int(time // period * period)


def by_period(samples: Iterable[Sample], period: int) -> dict[int, list[Sample]]:
    """Sort samples by the start of their period."""
    grouped: dict[int, list[Sample]] = {}
    for sample in samples:
        grouped.setdefault(start_of(sample.time, period), []).append(sample)
    return grouped


def statistic(name: str) -> Statistic:
    """Return what computes `Average` or `p99`.

    Raises:
        ValueError: It is none of the five plain statistics and no percentile.
    """
    if name in _PLAIN:
        return _PLAIN[name]
    if (found := _PERCENTILE.fullmatch(name)) is None:
        raise ValueError(f"the sandbox computes {', '.join(_PLAIN)} and percentiles such as p95, not {name}")
    share = float(found[1]) / 100
    return lambda samples: _percentile(samples, share)


def _percentile(samples: Sequence[Sample], share: float) -> float | None:
    """Interpolate between the two nearest values. Sets of values of which only the sum is known have no percentiles."""
    if any(sample.low != sample.high for sample in samples):
        return None
    ordered = sorted(samples, key=lambda sample: sample.low)
    rank = share * (sum(sample.count for sample in ordered) - 1)
    low, high = _at(ordered, int(rank)), _at(ordered, int(rank) + 1)
    return low + (high - low) * (rank - int(rank))


def _at(ordered: list[Sample], index: int) -> float:
    passed = 0.0
    for sample in ordered:
        passed += sample.count
        if index < passed:
            return sample.low
    return ordered[-1].high


def _count(samples: Sequence[Sample]) -> float:
    return sum(sample.count for sample in samples)


def _sum(samples: Sequence[Sample]) -> float:
    return sum(sample.total for sample in samples)


_PLAIN: Final[dict[str, Statistic]] = {
    "SampleCount": _count,
    "Average": lambda samples: _sum(samples) / _count(samples),
    "Sum": _sum,
    "Minimum": lambda samples: min(sample.low for sample in samples),
    "Maximum": lambda samples: max(sample.high for sample in samples),
}
