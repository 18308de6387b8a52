"""Conditions of alert policies: which are understood, and for which time series they hold at a moment."""

from dataclasses import replace
from typing import Any, Final

from google.cloud.monitoring_v3 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported
from ragonotebooks.sandbox.gcp.metrics import aggregate, query
from ragonotebooks.sandbox.gcp.metrics.series import MINUTE, Kind, Metrics, Series, Subject

_MONITORING: Final = "monitoring.googleapis.com"
_DAY: Final = 24 * 60 * MINUTE
_LONGEST: Final = 23 * 60 * MINUTE + 30 * MINUTE  # Cloud Monitoring, "Alerting limits", read 2026-11
_Threshold: Final[Any] = types.AlertPolicy.Condition.MetricThreshold
_Comparison: Final[Any] = types.ComparisonType
_Missing: Final[Any] = types.AlertPolicy.Condition.EvaluationMissingData


def check(condition: Any) -> None:
    """Refuse a condition that is wrong, or that the sandbox lacks."""
    if not condition.display_name:
        raise invalid("A condition has no display_name.", {"alert_policy.conditions.display_name": "required"})
    kind = condition.WhichOneof("condition")
    if kind is None:
        raise invalid(
            f"The condition {condition.display_name!r} has no condition.", {"alert_policy.conditions": "empty"}
        )
    if kind not in ("condition_threshold", "condition_absent"):
        raise unsupported(f"{_MONITORING} alert policies with a {kind}")
    chosen = getattr(condition, kind)
    query.of_metric(chosen.filter)
    if "resource.type" not in chosen.filter:
        text = f'The filter of the condition {condition.display_name!r} must specify a restriction on "resource.type".'
        raise invalid(text, {f"alert_policy.conditions.{kind}.filter": "resource.type is missing"})
    for aggregation in chosen.aggregations:
        aggregate.check(aggregation)
    duration = chosen.duration.ToNanoseconds()
    shortest = 2 * MINUTE if kind == "condition_absent" else 0
    if duration % MINUTE or not shortest <= duration <= _LONGEST:
        text = f"The duration of a condition is a multiple of 60 s, from {shortest // 10**9} s to 23 h 30 min."
        raise invalid(text, {f"alert_policy.conditions.{kind}.duration": "invalid"})
    if kind == "condition_threshold":
        _check_threshold(chosen)


def _check_threshold(threshold: Any) -> None:
    if threshold.HasField("forecast_options"):
        raise unsupported(f"{_MONITORING} conditions with forecast_options")
    if threshold.denominator_filter:
        _check_ratio(threshold)
    if threshold.comparison not in (_Comparison.COMPARISON_GT, _Comparison.COMPARISON_LT):
        text = "The comparison of a threshold is COMPARISON_GT or COMPARISON_LT."
        raise invalid(text, {"alert_policy.conditions.condition_threshold.comparison": "invalid"})
    if threshold.evaluation_missing_data == _Missing.EVALUATION_MISSING_DATA_ACTIVE:
        text = "is not supported by the sandbox: add a condition_absent"
        raise unsupported(f"{_MONITORING} EVALUATION_MISSING_DATA_ACTIVE", text)


def _check_ratio(threshold: Any) -> None:
    """Refuse a ratio whose two sides do not go together."""
    query.of_metric(threshold.denominator_filter)
    for aggregation in threshold.denominator_aggregations:
        aggregate.check(aggregation)
    above, below = (
        {(one.alignment_period.seconds, tuple(one.group_by_fields)) for one in side}
        for side in (threshold.aggregations, threshold.denominator_aggregations)
    )
    if above != below or not above:
        text = "The numerator and the denominator of a ratio are aligned to the same period and grouped by the same fields."
        raise invalid(text, {"alert_policy.conditions.condition_threshold.denominator_aggregations": "different"})


class Verdicts:
    """What a condition says at a moment.

    Attributes:
        violating: The values of the series for which it holds, by what they are about; None for those that have none.
        fulfilled: What the series are about for which it does not hold.
        met: Whether it holds for as many series as it should, to count.
    """

    def __init__(self, violating: dict[Subject, Any], fulfilled: set[Subject], trigger: Any) -> None:
        self.violating, self.fulfilled = violating, fulfilled
        total = len(violating) + len(fulfilled)
        if trigger.percent:
            self.met = total > 0 and 100 * len(violating) / total >= trigger.percent
        else:
            self.met = len(violating) >= max(trigger.count, 1)


def evaluate(cloud: Cloud, condition: Any, now: int) -> Verdicts:
    """Return what a condition says at a moment, in nanoseconds. The caller holds the lock."""
    kind = condition.WhichOneof("condition")
    chosen = getattr(condition, kind)
    try:
        return (_absence if kind == "condition_absent" else _threshold)(cloud, chosen, now)
    except ApiError:  # the aggregation does not go with the metric, which the series have only now: no verdict
        return Verdicts({}, set(), chosen.trigger)


def _found(cloud: Cloud, text: str) -> list[Series]:
    """The series that a filter means."""
    matches = query.of_metric(text)
    known = cloud.context.part(Metrics, Metrics).all()
    return [one for one in known if matches({**one.subject.view, "project": cloud.project.id})]


def _absence(cloud: Cloud, absence: Any, now: int) -> Verdicts:
    found = _found(cloud, absence.filter)

    def subjects(since: int) -> set[Subject]:
        return {one.subject for one in aggregate.aggregated(found, absence.aggregations, now - since, now)}

    present = subjects(absence.duration.ToNanoseconds())
    return Verdicts(dict.fromkeys(subjects(_DAY) - present), present, absence.trigger)


def _ratio(cloud: Cloud, threshold: Any, start: int, now: int) -> list[Series]:
    """What the series of a threshold are of those of its denominator, which are about the same."""
    below = {
        _about(one): {point.end: point.value for point in one.points}
        for one in aggregate.aggregated(
            _found(cloud, threshold.denominator_filter), threshold.denominator_aggregations, start, now
        )
    }
    shares = []
    for one in aggregate.aggregated(_found(cloud, threshold.filter), threshold.aggregations, start, now):
        totals = below.get(_about(one), {})
        points = [
            replace(point, value=point.value / totals[point.end]) for point in one.points if totals.get(point.end)
        ]
        if points:
            shares.append(one.with_points(points, value_type=Kind.DOUBLE))
    return shares


def _about(series: Series) -> Subject:
    """What a series is about, whichever metric it is of."""
    return replace(series.subject, metric="")


def _threshold(cloud: Cloud, threshold: Any, now: int) -> Verdicts:
    duration = threshold.duration.ToNanoseconds()
    periods = [one.alignment_period.ToNanoseconds() for one in threshold.aggregations]
    period = max(periods, default=MINUTE) or MINUTE
    above = threshold.comparison == _Comparison.COMPARISON_GT
    violating: dict[Subject, Any] = {}
    fulfilled: set[Subject] = set()
    start = now - duration - period
    if threshold.denominator_filter:
        found = _ratio(cloud, threshold, start, now)
    else:
        found = aggregate.aggregated(_found(cloud, threshold.filter), threshold.aggregations, start, now)
    for series in found:
        newest = series.points[-1]
        wrong = [
            (one.value > threshold.threshold_value) == above and one.value != threshold.threshold_value
            for one in series.points
        ]
        if newest.end <= now - period:
            continue  # nothing new: what was, stays
        if not wrong[-1]:
            fulfilled.add(series.subject)
        elif all(wrong) and series.points[0].end - period < now - duration:
            violating[series.subject] = newest.value
    return Verdicts(violating, fulfilled, threshold.trigger)
