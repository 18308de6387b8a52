"""Time series as the API has them: what callers write, checked and kept, and what is shown."""

import time
from typing import Any, Final

from google.cloud.monitoring_v3 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid
from ragonotebooks.sandbox.gcp.metrics import descriptors
from ragonotebooks.sandbox.gcp.metrics.series import Kind, Metrics, Point, Series, Subject

# Source: Cloud Monitoring, "Create custom metrics" and "Quotas and limits", read 2026-11
_MOST: Final = 200
_PAST: Final = 25 * 3600 * 10**9
_FUTURE: Final = 5 * 60 * 10**9
_SPACING: Final = 5 * 10**9

_TYPES: Final = {
    "bool_value": Kind.BOOL,
    "int64_value": Kind.INT64,
    "double_value": Kind.DOUBLE,
    "string_value": Kind.STRING,
    "distribution_value": Kind.DISTRIBUTION,
}
_FIELDS: Final = {value_type: name for name, value_type in _TYPES.items()}


def write(cloud: Cloud, written: Any) -> None:
    """Keep the points of a request's series. One that is wrong does not keep the others from being written.

    Raises:
        ApiError: One or more of them were wrong.
    """
    if len(written) > _MOST:
        raise invalid(f"The request has {len(written)} time series; {_MOST} is the most.", {"time_series": "too many"})
    problems = []
    for index, one in enumerate(written):
        try:
            _write(cloud, one)
        except ApiError as error:
            problems.append(f"timeSeries[{index}]: {error.message}")
    if problems:
        raise invalid(f"One or more TimeSeries could not be written: {'; '.join(problems)}")


def _write(cloud: Cloud, given: Any) -> None:
    if len(given.points) != 1:
        raise invalid(f"A time series to be written has exactly one point, not {len(given.points)}.")
    [point] = given.points
    descriptors.check_custom(given.metric.type)
    value_type = _TYPES.get(point.value.WhichOneof("value") or "")
    if value_type is None:
        raise invalid("The point has no value.")
    metric = _described(cloud, given, value_type)
    kept = _point(point, metric.metric_kind)
    given.resource.type = given.resource.type or "global"
    given.resource.labels.setdefault("project_id", cloud.project.id)
    subject = Subject.of(given.metric.type, given.metric.labels, given.resource)
    series = cloud.context.part(Metrics, Metrics).series(subject, metric.metric_kind, value_type, metric.unit)
    _check_order(series, kept)
    series.add(kept)


def _described(cloud: Cloud, given: Any, value_type: int) -> Any:
    """The metric's descriptor; a first point makes one."""
    known = cloud.context.part(Metrics, Metrics).described.get(given.metric.type)
    kind = given.metric_kind or (known.metric_kind if known else Kind.GAUGE)
    if known is None:
        made = Kind(type=given.metric.type, metric_kind=kind, value_type=value_type, unit=given.unit)
        for label in given.metric.labels:
            made.labels.add(key=label)
        return descriptors.describe(cloud, made)
    if known.metric_kind != kind or known.value_type != value_type:
        wanted = f"{Kind.MetricKind.Name(known.metric_kind)} of {Kind.ValueType.Name(known.value_type)}"
        came = f"{Kind.MetricKind.Name(kind)} of {Kind.ValueType.Name(value_type)}"
        raise invalid(f"The metric {given.metric.type} is a {wanted}, the point a {came}.")
    return known


def _point(point: Any, kind: int) -> Point:
    interval, now = point.interval, time.time_ns()
    end = interval.end_time.ToNanoseconds()
    start = interval.start_time.ToNanoseconds() if interval.HasField("start_time") else end
    if not now - _PAST <= end <= now + _FUTURE:
        raise invalid("The point's end time is more than 25 hours in the past or 5 minutes in the future.")
    if kind == Kind.GAUGE and start != end:
        raise invalid("The interval of a GAUGE point starts when it ends, or has no start.")
    if kind == Kind.CUMULATIVE and start >= end:
        raise invalid("The interval of a CUMULATIVE point starts before it ends.")
    return Point(end, start, _value(point.value))


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    if kind != "distribution_value":
        return found
    copy = type(found)()
    copy.CopyFrom(found)
    return copy


def _check_order(series: Series, point: Point) -> None:
    if not series.points:
        return
    last = series.points[-1]
    if point.end <= last.end:
        raise invalid("Points must be written in order. The point is not newer than the most recent one.")
    if point.end - last.end < _SPACING:
        text = "Points were written more frequently than the maximum sampling period (5 s) configured for the metric."
        raise invalid(text)


def shown(series: Series, *, whole: bool) -> Any:
    """A series as the API shows it, the newest point first.

    Args:
        series: The series.
        whole: Whether its points are shown.
    """
    made = types.TimeSeries.pb(types.TimeSeries())
    subject = series.subject
    made.metric.type, made.resource.type = subject.metric, subject.resource
    made.metric.labels.update(dict(subject.labels))
    made.resource.labels.update(dict(subject.resource_labels))
    made.metric_kind, made.value_type, made.unit = series.kind, series.value_type, series.unit
    for point in reversed(series.points) if whole else ():
        one = made.points.add()
        one.interval.end_time.FromNanoseconds(point.end)
        one.interval.start_time.FromNanoseconds(point.start)
        if series.value_type == Kind.DISTRIBUTION:
            one.value.distribution_value.CopyFrom(point.value)
        else:
            setattr(one.value, _FIELDS[series.value_type], point.value)
    return made
