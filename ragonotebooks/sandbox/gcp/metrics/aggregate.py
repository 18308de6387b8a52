"""Aggregation: each series aligned to periods of one length, then many series reduced to few.

Source: Cloud Monitoring API, "Aggregation" (google.monitoring.v3), read 2026-11.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, pstdev
from typing import Any, Final

from google.cloud.monitoring_v3 import types

from ragonotebooks.sandbox.gcp.errors import invalid, unsupported
from ragonotebooks.sandbox.gcp.metrics import distributions
from ragonotebooks.sandbox.gcp.metrics.series import MINUTE, Kind, Point, Series, Subject

_Aligner: Final[Any] = types.Aggregation.Aligner
_Reducer: Final[Any] = types.Aggregation.Reducer

_NUMBERS: Final = (Kind.INT64, Kind.DOUBLE)
_SUMMABLE: Final = (*_NUMBERS, Kind.DISTRIBUTION)
_COUNTABLE: Final = (*_NUMBERS, Kind.BOOL)
_POINTWISE: Final = (Kind.GAUGE, Kind.DELTA)
_CHANGES: Final = (Kind.DELTA, Kind.CUMULATIVE)
_PERCENTS: Final = (99, 95, 50, 5)


@dataclass(frozen=True)
class _Operation:
    """What makes one value of many.

    Attributes:
        compute: Of the values, the oldest first.
        types: The value types that it takes.
        result: The value type that it gives; None for that of the values.
        kinds: The kinds of series that it aligns.
        kind: The kind that it gives; None for that of the series.
    """

    compute: Callable[[Sequence[Any]], Any]
    types: tuple[int, ...] = _NUMBERS
    result: int | None = None
    kinds: tuple[int, ...] = _POINTWISE
    kind: int | None = Kind.GAUGE


def _sum(values: Sequence[Any]) -> Any:
    return sum(values) if isinstance(values[0], int | float) else distributions.total(values)


def _percentile_of_all(percent: int) -> Callable[[Sequence[Any]], float]:
    return lambda values: distributions.percentile(distributions.total(values), percent)


def _percentile(percent: int) -> Callable[[Sequence[Any]], float]:
    def compute(values: Sequence[Any]) -> float:
        if not isinstance(values[0], int | float):
            return distributions.percentile(distributions.total(values), percent)
        ordered = sorted(values)
        place = (len(ordered) - 1) * percent / 100
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))

    return compute


def _mean(values: Sequence[Any]) -> float:
    return fmean(values) if isinstance(values[0], int | float) else float(distributions.total(values).mean)


def _fraction(values: Sequence[Any]) -> float:
    return float(sum(values) / len(values))


_ALIGN: Final = {
    _Aligner.ALIGN_DELTA: _Operation(_sum, _SUMMABLE, kinds=_CHANGES, kind=Kind.DELTA),
    _Aligner.ALIGN_RATE: _Operation(_sum, result=Kind.DOUBLE, kinds=_CHANGES),
    _Aligner.ALIGN_NEXT_OLDER: _Operation(
        lambda values: values[-1], (*_COUNTABLE, Kind.STRING, Kind.DISTRIBUTION), kinds=(Kind.GAUGE,)
    ),
    _Aligner.ALIGN_MIN: _Operation(min),
    _Aligner.ALIGN_MAX: _Operation(max),
    _Aligner.ALIGN_MEAN: _Operation(fmean, result=Kind.DOUBLE),
    _Aligner.ALIGN_COUNT: _Operation(len, _COUNTABLE, Kind.INT64),
    _Aligner.ALIGN_SUM: _Operation(_sum, _SUMMABLE, kind=None),
    _Aligner.ALIGN_STDDEV: _Operation(pstdev, result=Kind.DOUBLE),
    _Aligner.ALIGN_COUNT_TRUE: _Operation(sum, (Kind.BOOL,), Kind.INT64, (Kind.GAUGE,)),
    _Aligner.ALIGN_COUNT_FALSE: _Operation(
        lambda values: len(values) - sum(values), (Kind.BOOL,), Kind.INT64, (Kind.GAUGE,)
    ),
    _Aligner.ALIGN_FRACTION_TRUE: _Operation(_fraction, (Kind.BOOL,), Kind.DOUBLE, (Kind.GAUGE,)),
    **{
        _Aligner[f"ALIGN_PERCENTILE_{percent:02}"]: _Operation(
            _percentile_of_all(percent), (Kind.DISTRIBUTION,), Kind.DOUBLE
        )
        for percent in _PERCENTS
    },
}
_REDUCE: Final = {
    _Reducer.REDUCE_MEAN: _Operation(_mean, _SUMMABLE, Kind.DOUBLE, kind=None),
    _Reducer.REDUCE_MIN: _Operation(min, kind=None),
    _Reducer.REDUCE_MAX: _Operation(max, kind=None),
    _Reducer.REDUCE_SUM: _Operation(_sum, _SUMMABLE, kind=None),
    _Reducer.REDUCE_STDDEV: _Operation(pstdev, result=Kind.DOUBLE, kind=None),
    _Reducer.REDUCE_COUNT: _Operation(len, (*_COUNTABLE, Kind.DISTRIBUTION, Kind.STRING), Kind.INT64, kind=None),
    _Reducer.REDUCE_COUNT_TRUE: _Operation(sum, (Kind.BOOL,), Kind.INT64),
    _Reducer.REDUCE_COUNT_FALSE: _Operation(lambda values: len(values) - sum(values), (Kind.BOOL,), Kind.INT64),
    _Reducer.REDUCE_FRACTION_TRUE: _Operation(_fraction, (Kind.BOOL,), Kind.DOUBLE),
    **{
        _Reducer[f"REDUCE_PERCENTILE_{percent:02}"]: _Operation(_percentile(percent), _SUMMABLE, Kind.DOUBLE)
        for percent in _PERCENTS
    },
}


def check(aggregation: Any) -> None:
    """Refuse an aggregation that is wrong, or that the sandbox lacks, before there are any points."""
    aligner, reducer = _Aligner(aggregation.per_series_aligner), _Reducer(aggregation.cross_series_reducer)
    if aligner != _Aligner.ALIGN_NONE:
        if aligner not in _ALIGN:
            raise unsupported(f"monitoring.googleapis.com the aligner {aligner.name}")
        if _period(aggregation) < MINUTE:
            text = "The alignment period must be at least 60 seconds."
            raise invalid(text, {"aggregation.alignmentPeriod": "too short"})
    if reducer != _Reducer.REDUCE_NONE and aligner == _Aligner.ALIGN_NONE:
        raise invalid(f"{reducer.name} needs a per-series aligner.", {"aggregation.perSeriesAligner": "required"})
    for path in aggregation.group_by_fields:
        _check_path(path)


def aggregated(found: Iterable[Series], aggregations: Sequence[Any], start: int, end: int) -> list[Series]:
    """Aggregate series, one aggregation after the other.

    Args:
        found: The series.
        aggregations: google.monitoring.v3.Aggregations; without any, points are left as they are.
        start: Points after it count, in nanoseconds.
        end: Points up to it count; periods end there.

    Raises:
        ApiError: The aggregation does not go with the series.
    """
    whole = [_cut(one, start, end) for one in found] if not any(map(_aligns, aggregations)) else list(found)
    for aggregation in aggregations:
        check(aggregation)
        if _aligns(aggregation):
            whole = [_aligned(one, aggregation, start, end) for one in whole]
        if aggregation.cross_series_reducer != _Reducer.REDUCE_NONE:
            whole = _reduced(whole, aggregation)
    return [one for one in whole if one.points]


def _aligns(aggregation: Any) -> bool:
    return bool(aggregation.per_series_aligner != _Aligner.ALIGN_NONE)


def _cut(series: Series, start: int, end: int) -> Series:
    return series.with_points(one for one in series.points if start < one.end <= end or one.end == start == end)


def _period(aggregation: Any) -> int:
    return int(aggregation.alignment_period.ToNanoseconds())


def _aligned(series: Series, aggregation: Any, start: int, end: int) -> Series:
    aligner, period = _Aligner(aggregation.per_series_aligner), _period(aggregation)
    operation = _ALIGN[aligner]
    if series.kind not in operation.kinds or series.value_type not in operation.types:
        kind, value_type = Kind.MetricKind.Name(series.kind), Kind.ValueType.Name(series.value_type)
        text = f"The aligner {aligner.name} cannot be applied to metrics with kind {kind} and value type {value_type}."
        raise invalid(text, {"aggregation.perSeriesAligner": aligner.name})
    periods: dict[int, list[Any]] = {}
    for point in _changes(series) if series.kind == Kind.CUMULATIVE else series.points:
        closing = end - (end - point.end) // period * period
        if start < closing and point.end <= end:
            periods.setdefault(closing, []).append(point.value)
    kind = operation.kind or series.kind
    length = period if kind == Kind.DELTA else 0
    per_second = period / 1e9 if aligner == _Aligner.ALIGN_RATE else None
    points = [
        Point(
            closing,
            closing - length,
            operation.compute(values) / per_second if per_second else operation.compute(values),
        )
        for closing, values in sorted(periods.items())
    ]
    return series.with_points(points, kind=kind, value_type=operation.result or series.value_type)


def _changes(series: Series) -> Iterator[Point]:
    """A cumulative series as the differences between its points."""
    if series.value_type == Kind.DISTRIBUTION:
        raise unsupported("monitoring.googleapis.com alignment of cumulative distributions")
    before: Point | None = None
    for point in series.points:
        if before is not None and point.start == before.start and point.value >= before.value:
            yield Point(point.end, before.end, point.value - before.value)
        else:  # counting began, or began again
            yield point
        before = point


def _reduced(found: Iterable[Series], aggregation: Any) -> list[Series]:
    reducer = _Reducer(aggregation.cross_series_reducer)
    operation = _REDUCE[reducer]
    groups: dict[Subject, list[Series]] = {}
    for one in found:
        if one.value_type not in operation.types:
            value_type = Kind.ValueType.Name(one.value_type)
            text = f"The reducer {reducer.name} cannot be applied to values of type {value_type}."
            raise invalid(text, {"aggregation.crossSeriesReducer": reducer.name})
        groups.setdefault(_group(one.subject, aggregation.group_by_fields), []).append(one)
    return [_combined(subject, members, operation) for subject, members in groups.items()]


def _combined(subject: Subject, members: list[Series], operation: _Operation) -> Series:
    first = members[0]
    moments: dict[int, list[Point]] = {}
    for point in (point for one in members for point in one.points):
        moments.setdefault(point.end, []).append(point)
    points = [
        Point(end, points[0].start, operation.compute([one.value for one in points]))
        for end, points in sorted(moments.items())
    ]
    kind, value_type = operation.kind or first.kind, operation.result or first.value_type
    return Series(subject, kind, value_type, first.unit, points)


def _group(subject: Subject, paths: Iterable[str]) -> Subject:
    """What is left of a subject when only some labels are kept; the resource's type and project always are."""
    wanted = {_check_path(path) for path in paths} | {("resource", "project_id")}
    labels = tuple(pair for pair in subject.labels if ("metric", pair[0]) in wanted)
    resource_labels = tuple(pair for pair in subject.resource_labels if ("resource", pair[0]) in wanted)
    return replace(subject, labels=labels, resource_labels=resource_labels)


def _check_path(path: str) -> tuple[str, str]:
    """`resource.labels.service_name` as its two ends."""
    if path in ("resource.type", "metric.type", "project"):
        return path, ""
    parts = path.split(".", 2)
    if len(parts) != 3 or parts[0] not in ("metric", "resource") or parts[1] not in ("label", "labels"):
        raise invalid(f"The field {path!r} cannot be grouped by.", {"aggregation.groupByFields": path})
    return parts[0], parts[2].strip('"')
