"""Cloud Monitoring's time series, by Google's client: what is written, counted from logs, aligned and reduced."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from google.api import distribution_pb2, metric_pb2
from google.api_core import exceptions
from google.cloud import logging as cloud_logging
from google.cloud import logging_v2, monitoring_v3
from google.cloud.logging_v2 import Resource
from google.cloud.logging_v2.services.metrics_service_v2 import MetricsServiceV2Client

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT

Aligner = monitoring_v3.Aggregation.Aligner
Reducer = monitoring_v3.Aggregation.Reducer
View = monitoring_v3.ListTimeSeriesRequest.TimeSeriesView
NOW = int(time.time())
Write = Callable[..., None]


class Written:
    """Writes points of custom metrics, and reads them.

    Attributes:
        client: Google's client.
    """

    def __init__(self) -> None:
        self.client = monitoring_v3.MetricServiceClient()

    def write(self, metric: str, ago: int, value: Any, *, since: int | None = None, **labels: str) -> None:
        """Write a point that ended so many seconds ago; a counter that began `since` seconds ago."""
        series = monitoring_v3.TimeSeries()
        series.metric.type, series.resource.type = f"custom.googleapis.com/{metric}", "global"
        series.metric.labels.update(labels)
        interval = {"end_time": {"seconds": NOW - ago}}
        if since is not None:
            series.metric_kind = metric_pb2.MetricDescriptor.CUMULATIVE
            interval["start_time"] = {"seconds": NOW - since}
        fields = {bool: "bool_value", int: "int64_value", float: "double_value"}
        field = fields.get(type(value), "distribution_value")
        series.points = [monitoring_v3.Point(interval=interval, value={field: value})]
        self.client.create_time_series(name=PROJECT, time_series=[series])

    def read(self, metric: str, *, more: str = "", **aggregation: Any) -> list[monitoring_v3.TimeSeries]:
        """The series of the last ten minutes."""
        if aggregation:
            aggregation.setdefault("alignment_period", {"seconds": 60})
        request = {
            "name": PROJECT,
            "filter": f'metric.type = "{metric}" {more}',
            "interval": {"start_time": {"seconds": NOW - 600}, "end_time": {"seconds": NOW}},
            "aggregation": aggregation,
        }
        return list(self.client.list_time_series(request=request))

    def values(self, metric: str, aligner: Any, **more: Any) -> list[Any]:
        """The aligned values of the only series, the newest first."""
        [series] = self.read(f"custom.googleapis.com/{metric}", per_series_aligner=aligner, **more)
        return [value_of(point) for point in series.points]


def value_of(point: Any) -> Any:
    """What a point holds."""
    pb = monitoring_v3.Point.pb(point)
    return getattr(pb.value, pb.value.WhichOneof("value"))


@pytest.fixture
def written(gcp: Sandbox) -> Written:
    return Written()


@pytest.fixture
def gauge(written: Written) -> str:
    """A gauge with two points in one minute and one in the minute after it."""
    if not written.read("custom.googleapis.com/gauge"):
        for ago, value in ((110, 1.0), (70, 5.0), (30, 4.0)):
            written.write("gauge", ago, value)
    return "gauge"


@pytest.fixture
def counter(written: Written) -> str:
    """A counter: 10, then 40, began again, then 15."""
    if not written.read("custom.googleapis.com/counter"):
        for ago, value, since in ((170, 10, 200), (110, 40, 200), (50, 15, 100)):
            written.write("counter", ago, value, since=since)
    return "counter"


def test_points_come_back_as_they_were_written_the_newest_first(written: Written, gauge: str) -> None:
    [series] = written.read("custom.googleapis.com/gauge")
    assert [value_of(point) for point in series.points] == [4.0, 5.0, 1.0]
    assert [int(point.interval.end_time.timestamp()) for point in series.points] == [NOW - 30, NOW - 70, NOW - 110]
    assert series.resource.labels["project_id"] == "ragonometrics-sandbox"


@pytest.mark.parametrize(
    ("aligner", "values"),
    [
        (Aligner.ALIGN_MEAN, [4.0, 3.0]),
        (Aligner.ALIGN_MIN, [4.0, 1.0]),
        (Aligner.ALIGN_MAX, [4.0, 5.0]),
        (Aligner.ALIGN_SUM, [4.0, 6.0]),
        (Aligner.ALIGN_COUNT, [1, 2]),
        (Aligner.ALIGN_STDDEV, [0.0, 2.0]),
        (Aligner.ALIGN_NEXT_OLDER, [4.0, 5.0]),
    ],
)
def test_a_gauge_is_aligned_to_periods_that_end_where_the_interval_ends(
    written: Written, gauge: str, aligner: Any, values: list[float]
) -> None:
    assert written.values(gauge, aligner) == values


@pytest.mark.parametrize(
    ("aligner", "values"), [(Aligner.ALIGN_DELTA, [15, 30, 10]), (Aligner.ALIGN_RATE, [0.25, 0.5, 10 / 60])]
)
def test_a_counter_is_seen_through_its_restart(written: Written, counter: str, aligner: Any, values: list[Any]) -> None:
    assert written.values(counter, aligner) == pytest.approx(values)


def test_an_aligner_that_does_not_go_with_the_metric_is_refused(written: Written, gauge: str, counter: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="ALIGN_RATE cannot be applied to metrics with kind GAUGE"):
        written.values(gauge, Aligner.ALIGN_RATE)
    with pytest.raises(exceptions.InvalidArgument, match="ALIGN_MEAN cannot be applied"):
        written.values(counter, Aligner.ALIGN_MEAN)


@pytest.mark.parametrize("name", ["ALIGN_INTERPOLATE", "ALIGN_PERCENT_CHANGE"])
def test_other_aligners_are_refused_by_name(written: Written, gauge: str, name: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=f"{name} is not supported by the sandbox"):
        written.values(gauge, Aligner[name])


def test_booleans_are_counted(written: Written) -> None:
    for ago, value in ((50, True), (40, True), (30, False), (20, True)):
        written.write("up", ago, value)
    assert written.values("up", Aligner.ALIGN_FRACTION_TRUE) == [0.75]
    assert written.values("up", Aligner.ALIGN_COUNT_FALSE) == [1]


@pytest.fixture
def depths(written: Written) -> str:
    """Three series of one metric."""
    if not written.read("custom.googleapis.com/depth"):
        for queue, tier, value in (("a", "gold", 1), ("b", "gold", 3), ("c", "iron", 10)):
            written.write("depth", 10, value, queue=queue, tier=tier)
    return "custom.googleapis.com/depth"


@pytest.mark.parametrize(
    ("reducer", "values"),
    [
        (Reducer.REDUCE_SUM, {"gold": 4, "iron": 10}),
        (Reducer.REDUCE_MEAN, {"gold": 2.0, "iron": 10.0}),
        (Reducer.REDUCE_MAX, {"gold": 3, "iron": 10}),
        (Reducer.REDUCE_COUNT, {"gold": 2, "iron": 1}),
        (Reducer.REDUCE_PERCENTILE_50, {"gold": 2.0, "iron": 10.0}),
    ],
)
def test_series_are_reduced_by_group(written: Written, depths: str, reducer: Any, values: dict[str, float]) -> None:
    found = written.read(
        depths,
        per_series_aligner=Aligner.ALIGN_MAX,
        cross_series_reducer=reducer,
        group_by_fields=["metric.labels.tier"],
    )
    assert {one.metric.labels["tier"]: value_of(one.points[0]) for one in found} == values
    assert all("queue" not in one.metric.labels for one in found)


@pytest.mark.parametrize(
    ("more", "queues"),
    [
        ('AND metric.labels.queue = "a"', "a"),
        ('AND metric.label.tier = "gold" AND metric.label.queue != "a"', "b"),
        ('AND metric.labels.queue = one_of("a", "c")', "ac"),
        ('AND metric.labels.tier = starts_with("go")', "ab"),
        ('AND metric.labels.tier = monitoring.regex.full_match("g.*|x")', "ab"),
        ('AND NOT metric.labels.tier = has_substring("ol")', "c"),
        ('AND resource.type = "global" AND resource.labels.project_id = "ragonometrics-sandbox"', "abc"),
        ('AND metric.labels.queue = "A"', ""),
    ],
)
def test_filters_choose_series(written: Written, depths: str, more: str, queues: str) -> None:
    assert {one.metric.labels["queue"] for one in written.read(depths, more=more)} == set(queues)


def test_a_filter_that_names_no_metric_is_refused(written: Written) -> None:
    request = {"name": PROJECT, "filter": 'resource.type = "global"', "interval": {"end_time": {"seconds": NOW}}}
    with pytest.raises(exceptions.InvalidArgument, match=r"metric\.type"):
        list(written.client.list_time_series(request=request))
    with pytest.raises(exceptions.MethodNotImplemented, match="field group"):
        written.read("custom.googleapis.com/depth", more='AND group.id = "1"')


def test_points_out_of_order_too_often_or_of_another_type_are_refused(written: Written) -> None:
    written.write("strict", 100, 1)
    with pytest.raises(exceptions.InvalidArgument, match="written in order"):
        written.write("strict", 200, 2)
    with pytest.raises(exceptions.InvalidArgument, match="maximum sampling period"):
        written.write("strict", 97, 2)
    with pytest.raises(exceptions.InvalidArgument, match="GAUGE of INT64"):
        written.write("strict", 10, 2.5)
    with pytest.raises(exceptions.InvalidArgument, match="25 hours in the past"):
        written.write("ancient", 26 * 3600, 1)


def test_a_metric_that_is_not_the_callers_cannot_be_written(written: Written) -> None:
    series = monitoring_v3.TimeSeries(metric={"type": "run.googleapis.com/request_count"})
    series.points = [{"interval": {"end_time": {"seconds": NOW}}, "value": {"int64_value": 1}}]
    with pytest.raises(exceptions.InvalidArgument, match="begins with custom"):
        written.client.create_time_series(name=PROJECT, time_series=[series])


def test_descriptors_are_made_listed_and_deleted_with_their_series(written: Written) -> None:
    described = metric_pb2.MetricDescriptor(
        type="custom.googleapis.com/described", metric_kind="GAUGE", value_type="DOUBLE", unit="s", description="why"
    )
    made = written.client.create_metric_descriptor(name=PROJECT, metric_descriptor=described)
    assert written.client.get_metric_descriptor(name=made.name).unit == "s"
    written.write("described", 5, 1.5)
    found = written.client.list_metric_descriptors(
        request={"name": PROJECT, "filter": 'metric.type = starts_with("custom.googleapis.com/descr")'}
    )
    assert [one.type for one in found] == ["custom.googleapis.com/described"]
    written.client.delete_metric_descriptor(name=made.name)
    assert written.read("custom.googleapis.com/described") == []
    with pytest.raises(exceptions.NotFound):
        written.client.get_metric_descriptor(name=made.name)


def test_percentiles_come_from_the_buckets_of_distributions(written: Written) -> None:
    options = distribution_pb2.Distribution.BucketOptions(explicit_buckets={"bounds": [0, 10, 20, 40]})
    whole = distribution_pb2.Distribution(count=100, mean=9, bucket_options=options, bucket_counts=[0, 90, 5, 5])
    written.write("spread", 10, whole)
    assert written.values("spread", Aligner.ALIGN_PERCENTILE_50) == pytest.approx([50 / 9])
    assert written.values("spread", Aligner.ALIGN_PERCENTILE_95) == [20.0]
    assert written.values("spread", Aligner.ALIGN_PERCENTILE_99) == [36.0]


def test_log_based_metrics_count_what_is_written_after_they_were_made(written: Written) -> None:
    logger = cloud_logging.Client().logger("counted")
    resource = Resource(type="cloud_run_job", labels={"job_name": "index", "location": "us-central1"})
    logger.log_struct({"message": "failed", "shard": "a", "ms": 5}, severity="ERROR", resource=resource)
    text = metric_pb2.MetricDescriptor.ValueType.INT64
    metrics = MetricsServiceV2Client()
    counted = logging_v2.types.LogMetric(
        name="failures",
        filter='log_id("counted") AND severity>=ERROR',
        label_extractors={"shard": 'REGEXP_EXTRACT(jsonPayload.shard, "(.)")'},
        metric_descriptor=metric_pb2.MetricDescriptor(metric_kind="DELTA", value_type=text, labels=[{"key": "shard"}]),
    )
    metrics.create_log_metric(parent=PROJECT, metric=counted)
    timed = logging_v2.types.LogMetric(
        name="durations",
        filter='log_id("counted")',
        value_extractor="EXTRACT(jsonPayload.ms)",
        metric_descriptor=metric_pb2.MetricDescriptor(metric_kind="DELTA", value_type="DISTRIBUTION", unit="ms"),
    )
    metrics.create_log_metric(parent=PROJECT, metric=timed)
    for shard, ms in (("a", 10), ("a", 20), ("b", 30)):
        logger.log_struct({"message": "failed", "shard": shard, "ms": ms}, severity="ERROR", resource=resource)
    logger.log_struct({"message": "fine", "ms": 1000}, resource=resource)

    def read(metric: str, aligner: Any) -> dict[str, Any]:
        interval = {"start_time": {"seconds": int(time.time()) - 300}, "end_time": {"seconds": int(time.time()) + 1}}
        aggregation = {"alignment_period": {"seconds": 600}, "per_series_aligner": aligner}
        chosen = f'metric.type = "logging.googleapis.com/user/{metric}" AND resource.labels.job_name = "index"'
        request = {"name": PROJECT, "filter": chosen, "interval": interval, "aggregation": aggregation}
        found = written.client.list_time_series(request=request)
        return {one.metric.labels.get("shard", ""): value_of(one.points[0]) for one in found}

    assert read("failures", Aligner.ALIGN_SUM) == {"a": 2, "b": 1}
    assert read("durations", Aligner.ALIGN_DELTA)[""].count == 4
    assert read("durations", Aligner.ALIGN_DELTA)[""].mean == 265
    described = written.client.get_metric_descriptor(
        name=f"{PROJECT}/metricDescriptors/logging.googleapis.com/user/durations"
    )
    assert described.unit == "ms"
    for name in ("failures", "durations"):
        metrics.delete_log_metric(metric_name=f"{PROJECT}/metrics/{name}")


def test_an_extractor_that_cannot_be_read_is_refused(gcp: Sandbox) -> None:
    metric = logging_v2.types.LogMetric(name="wrong", filter="severity>=ERROR", value_extractor="jsonPayload.ms")
    metric.metric_descriptor = metric_pb2.MetricDescriptor(metric_kind="DELTA", value_type="DISTRIBUTION")
    with pytest.raises(exceptions.InvalidArgument, match="neither EXTRACT"):
        MetricsServiceV2Client().create_log_metric(parent=PROJECT, metric=metric)
