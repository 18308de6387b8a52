"""CloudWatch: metrics and their statistics, alarms that follow them, dashboards.

moto keeps what has a name and tags; the samples, the statistics and the alarms are here. Composite alarms, anomaly detection,
Metrics Insights, metric streams and statistics beyond the plain five and percentiles are refused by name.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from moto.cloudwatch import models
from moto.cloudwatch.responses import CloudWatchResponse as Response
from moto.core.responses import ActionResult, EmptyResult

from ragonotebooks.sandbox.aws import cloudwatch_alarms, dashboards
from ragonotebooks.sandbox.aws.alarm_watch import AlarmWatch
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.metric_queries import QueryError, answer, metric_of
from ragonotebooks.sandbox.aws.series import Metric, Sample, Series, by_period, start_of, statistic
from ragonotebooks.sandbox.context import Context

_OLDEST, _NEWEST = timedelta(days=14), timedelta(hours=2)  # PutMetricData, read 2026-11
_MOST_POINTS: Final = 1440
_PAGE: Final = 500
_SHORT_PERIODS: Final = (1, 5, 10, 20, 30)


class CloudWatch:
    """The controller.

    Attributes:
        alarms: Watches the alarms.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.alarms = AlarmWatch(context)

    def put(self, region: str, namespace: str, data: Iterable[dict[str, Any]]) -> None:
        """Record measurements, described as in PutMetricData; for what AWS services measure themselves, too."""
        with self._context.lock:
            models.cloudwatch_backends[self._context.state.account][region].put_metric_data(namespace, list(data))


class Backend(models.CloudWatchBackend):
    """moto's backend, with series of samples in the place of its list, and alarms that have a history."""

    # moto derives an API's URLs from the module that its backend is defined in
    __module__ = "moto.cloudwatch.models"

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.series: dict[Metric, Series] = {}
        self.alarm_history: list[dict[str, Any]] = []

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        """Record measurements; either all or, when one is malformed, none."""
        made = []
        for number, datum in enumerate(metric_data, 1):
            self._validate_parameters_put_metric_data(datum, number)
            metric = metric_of({"Namespace": namespace, **datum})
            made += [(metric, sample) for sample in _samples(datum, number)]
        for metric, sample in made:
            self.series.setdefault(metric, Series()).add(sample)

    def known(self) -> dict[Metric, Series]:
        """All series, with what moto itself knows about AWS's services."""
        found = dict(self.series)
        data: list[Any] = self.aws_metric_data
        for datum in data:
            dimensions = frozenset((one.name or "", one.value or "") for one in datum.dimensions)
            metric = Metric(datum.namespace, datum.name, dimensions)
            moment = datum.timestamp.replace(tzinfo=UTC).timestamp()
            found.setdefault(metric, Series()).add(Sample.of(moment, datum.value, unit=datum.unit or "None"))
        return found


def of(context: Context) -> CloudWatch:
    """Return the sandbox's CloudWatch; the first call puts it behind moto's."""
    return context.part(CloudWatch, lambda: _install(context))


def _install(context: Context) -> CloudWatch:
    models.cloudwatch_backends.backend = Backend
    controller = CloudWatch(context)
    actions = {
        "put_metric_data": _put_metric_data,
        "list_metrics": _list_metrics,
        "get_metric_data": _get_metric_data,
        "get_metric_statistics": _get_metric_statistics,
        "put_dashboard": dashboards.put,
        **cloudwatch_alarms.actions(context, controller.alarms),
    }
    for name, action in actions.items():
        setattr(Response, name, action)
    return controller


def _samples(datum: dict[str, Any], number: int) -> Iterable[Sample]:
    moment = datum.get("Timestamp") or datetime.now(UTC)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not -_OLDEST <= moment - datetime.now(UTC) <= _NEWEST:
        age = "older than two weeks or more than two hours in the future"
        raise ApiError("InvalidParameterValue", f"The parameter MetricData.member.{number}.Timestamp is {age}.")
    resolution, unit, at = int(datum.get("StorageResolution") or 60), datum.get("Unit") or "None", moment.timestamp()
    if resolution not in (1, 60):
        raise ApiError("InvalidParameterValue", f"MetricData.member.{number}.StorageResolution must be 1 or 60.")
    if given := datum.get("StatisticValues"):
        count, total, low, high = (float(given[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum"))
        return [Sample(start_of(at, resolution), count, total, low, high, unit)]
    values = [float(value) for value in datum.get("Values") or [datum.get("Value", math.nan)]]
    if not all(map(math.isfinite, values)):
        raise ApiError("InvalidParameterValue", f"MetricData.member.{number} needs a Value that is a finite number.")
    counts = [float(count) for count in datum.get("Counts") or [1] * len(values)]
    return [Sample.of(at, value, count, unit, resolution) for value, count in zip(values, counts, strict=True)]


def _put_metric_data(self: Any) -> EmptyResult:
    namespace = str(self._get_param("Namespace"))
    if namespace.startswith("AWS/"):
        raise ApiError("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
    self.cloudwatch_backend.put_metric_data(namespace, self._get_param("MetricData", []))
    return EmptyResult()


def _list_metrics(self: Any) -> ActionResult:
    wanted, start = self._get_params(), int(self._get_param("NextToken") or 0)
    found = [metric for metric in self.cloudwatch_backend.known() if _is_listed(metric, wanted)]
    page = [
        {
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in sorted(metric.dimensions)],
        }
        for metric in islice(found, start, start + _PAGE)
    ]
    more = str(start + _PAGE) if len(found) > start + _PAGE else None
    return ActionResult({"Metrics": page, "NextToken": more})


def _is_listed(metric: Metric, wanted: dict[str, Any]) -> bool:
    values = dict(metric.dimensions)
    return (
        wanted.get("Namespace") in (None, metric.namespace)
        and wanted.get("MetricName") in (None, metric.name)
        and all(
            one["Name"] in values and one.get("Value") in (None, values[one["Name"]])
            for one in wanted.get("Dimensions") or []
        )
    )


def _get_metric_data(self: Any) -> ActionResult:
    wanted = self._get_params()
    start, end = _span(wanted)
    queries = wanted.get("MetricDataQueries") or []
    for query in queries:
        if stat := query.get("MetricStat"):
            check_period(int(stat["Period"]))
    try:
        answers = answer(self.cloudwatch_backend.known(), queries, start, end)
    except QueryError as error:
        raise ApiError("ValidationError", str(error)) from None
    descending = (wanted.get("ScanBy") or "TimestampDescending") == "TimestampDescending"
    results = []
    for query in queries:
        if query.get("ReturnData", True):
            found = answers[query["Id"]]
            times = sorted(found.points, reverse=descending)
            results.append(
                {
                    "Id": query["Id"],
                    "Label": found.label,
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at in times],
                    "Values": [found.points[at] for at in times],
                    "StatusCode": "Complete",
                }
            )
    return ActionResult({"MetricDataResults": results, "Messages": []})


def _get_metric_statistics(self: Any) -> ActionResult:
    wanted = self._get_params()
    start, end = _span(wanted)
    period, plain, extended = (
        int(wanted["Period"]),
        wanted.get("Statistics") or [],
        wanted.get("ExtendedStatistics") or [],
    )
    check_period(period)
    if not plain and not extended:
        raise ApiError("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
    if (end - start) / period > _MOST_POINTS:
        much = f"You have requested up to {math.ceil((end - start) / period)} datapoints, which exceeds the limit of 1,440."
        raise ApiError("InvalidParameterCombination", f"{much} Take a longer Period or a shorter time.")
    series = self.cloudwatch_backend.known().get(metric_of(wanted), Series())
    units = [unit for unit in {sample.unit for sample in series.samples} if wanted.get("Unit") in (None, unit)]
    points = []
    for unit in units:
        samples = (one for one in series.between(start_of(start, period), end) if one.unit == unit)
        for at, group in sorted(by_period(samples, period).items()):
            points.append(
                {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": unit, **_statistics(group, plain, extended)}
            )
    return ActionResult({"Label": wanted["MetricName"], "Datapoints": points})


def _statistics(samples: list[Sample], plain: list[str], extended: list[str]) -> dict[str, Any]:
    try:
        values: dict[str, Any] = {name: statistic(name)(samples) for name in plain}
        if extended:
            more = {name: statistic(name)(samples) for name in extended}
            values["ExtendedStatistics"] = {name: value for name, value in more.items() if value is not None}
    except ValueError as error:
        raise ApiError("InvalidParameterValue", str(error)) from None
    return values


def check_period(period: int) -> None:
    """Raise an ApiError for a period that CloudWatch has not."""
    if period not in _SHORT_PERIODS and (period < 60 or period % 60):
        raise ApiError(
            "InvalidParameterValue", f"The period {period} must be 1, 5, 10, 20, 30 or a multiple of 60 seconds."
        )


def _span(wanted: dict[str, Any]) -> tuple[float, float]:
    start, end = (
        time if time.tzinfo else time.replace(tzinfo=UTC) for time in (wanted["StartTime"], wanted["EndTime"])
    )
    if start >= end:
        raise ApiError("ValidationError", "The parameter EndTime must be greater than StartTime.")
    return start.timestamp(), end.timestamp()
