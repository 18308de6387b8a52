"""Time series: points of one metric on one monitored resource, and all of them that a project has."""

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from google.api import metric_pb2

from ragonotebooks.sandbox.gcp.metrics import distributions

#: Kinds and value types by name: `Kind.GAUGE`, `Kind.INT64`.
Kind: Final[Any] = metric_pb2.MetricDescriptor

MINUTE: Final = 60 * 10**9
_MOST: Final = 10_000  # points of one series; the oldest go first


@dataclass(order=True)
class Point:
    """A point.

    Attributes:
        end: When it was measured, or the end of what it covers, in nanoseconds since 1970.
        start: The beginning of what it covers; `end` for a gauge.
        value: A boolean, number, text, or google.api.Distribution.
    """

    end: int
    start: int
    value: Any = field(compare=False)


@dataclass(frozen=True)
class Subject:
    """What a time series is about.

    Attributes:
        metric: The metric's type: `custom.googleapis.com/queue/depth`.
        labels: The metric's labels.
        resource: The monitored resource's type: `cloud_run_revision`.
        resource_labels: The monitored resource's labels.
    """

    metric: str
    labels: tuple[tuple[str, str], ...]
    resource: str
    resource_labels: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, metric: str, labels: Mapping[str, str], resource: Any) -> "Subject":
        """The subject of a metric's type and labels on a google.api.MonitoredResource."""
        return cls(metric, _sorted(labels), resource.type, _sorted(resource.labels))

    @property
    def view(self) -> dict[str, Any]:
        """What filters look at."""
        return {
            "metric": {"type": self.metric, "labels": dict(self.labels)},
            "resource": {"type": self.resource, "labels": dict(self.resource_labels)},
        }


def _sorted(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


@dataclass
class Series:
    """A time series.

    Attributes:
        subject: What it is about.
        kind: GAUGE, DELTA or CUMULATIVE.
        value_type: BOOL, INT64, DOUBLE, STRING or DISTRIBUTION.
        unit: `ms`.
        points: The oldest first.
    """

    subject: Subject
    kind: int
    value_type: int
    unit: str = ""
    points: list[Point] = field(default_factory=list)

    def with_points(self, points: Iterable[Point], **more: Any) -> "Series":
        """The same with other points."""
        return replace(self, points=list(points), **more)

    def add(self, point: Point) -> None:
        """Keep a point."""
        insort(self.points, point)
        del self.points[:-_MOST]

    def count(self, at: int, value: Any) -> None:
        """Add to the delta of the minute that a moment is in."""
        start = at // MINUTE * MINUTE
        known = next((one for one in reversed(self.points) if one.start == start), None)
        if known is None:
            self.add(Point(at, start, value))
            return
        known.end = max(known.end, at)
        is_distribution = self.value_type == Kind.DISTRIBUTION
        known.value = distributions.total([known.value, value]) if is_distribution else known.value + value


class Metrics:
    """All time series and the metrics that callers described. Whoever calls holds the control plane's lock.

    One for a sandbox, at `cloud.context.part(Metrics, Metrics)`.
    """

    def __init__(self) -> None:
        self._series: dict[Subject, Series] = {}
        #: google.api.MetricDescriptors by type.
        self.described: dict[str, Any] = {}

    def series(self, subject: Subject, kind: int, value_type: int, unit: str = "") -> Series:
        """Return the series of a subject; it is made when there is none."""
        if subject not in self._series:
            self._series[subject] = Series(subject, kind, value_type, unit)
        return self._series[subject]

    def all(self) -> list[Series]:
        """Every series."""
        return list(self._series.values())

    def forget(self, metric: str) -> None:
        """A metric is gone, and with it its series."""
        self._series = {subject: one for subject, one in self._series.items() if subject.metric != metric}
