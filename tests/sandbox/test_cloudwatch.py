"""CloudWatch: metrics that are put, embedded in log lines or filtered out of them, and dashboards."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws import dashboards, emf, metric_filters
from tests.sandbox.conftest import Sandbox
from tests.sandbox.metrics import DESCRIBED, START, counted

WIDGET = {"type": "metric", "properties": {"region": "us-east-1", "metrics": [["N", "m"]]}}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("{", "no JSON"),
        ("[]", "/widgets should be a list"),
        ('{"widgets": [1]}', "/widgets/0 should be an object"),
        ('{"widgets": [{"type": "chart"}]}', "/widgets/0/type should be one of"),
        ('{"widgets": [{"type": "metric"}]}', "/widgets/0/properties should be an object"),
        ('{"widgets": [{"type": "text", "properties": {}}]}', "should have markdown"),
        (json.dumps({"widgets": [WIDGET, {**WIDGET, "x": 20, "width": 6}]}), "/widgets/1 should end within 24 columns"),
    ],
)
def test_dashboard_that_cannot_be_drawn_is_refused(body: str, problem: str) -> None:
    assert problem in "; ".join(dashboards.validate(body))


def test_dashboard_with_widgets_is_fine() -> None:
    text = {"type": "text", "properties": {"markdown": "# Ragonometrics"}, "x": 0, "y": 0, "width": 24, "height": 1}
    assert dashboards.validate(json.dumps({"widgets": [WIDGET, text]})) == []


def embedded(**fields: Any) -> dict[str, Any]:
    metric = {"Name": "ms", "Unit": "Milliseconds", "StorageResolution": 1}
    directive = {"Namespace": "Ragonometrics", "Dimensions": [["route"], []], "Metrics": [metric]}
    told = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"route": "/ask", "ms": 12.5, "_aws": told, **fields}


def test_embedded_metric_is_one_series_for_each_set_of_dimensions() -> None:
    found = list(emf.measurements(json.dumps(embedded(ms=[1, 2]))))
    assert [namespace for namespace, _ in found] == ["Ragonometrics"] * 2
    assert [datum["Dimensions"] for _, datum in found] == [[{"Name": "route", "Value": "/ask"}], []]
    assert all(datum["Values"] == [1, 2] and datum["StorageResolution"] == 1 for _, datum in found)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"_aws": ', "EMFParsingErrors"),
        (json.dumps(embedded(ms="fast")), "EMFValidationErrors"),
        (json.dumps(embedded(route=7)), "EMFValidationErrors"),
        (json.dumps(embedded(_aws={"Timestamp": 1})), "EMFValidationErrors"),
    ],
)
def test_malformed_embedded_metric_is_counted_as_such(line: str, problem: str) -> None:
    with pytest.raises(emf.Malformed, match=problem):
        list(emf.measurements(line))


def test_metric_filter_takes_values_and_dimensions_from_events() -> None:
    made = {
        "metricName": "ms",
        "metricNamespace": "N",
        "metricValue": "$.ms",
        "dimensions": {"route": "$.route"},
        "unit": "Milliseconds",
    }
    messages = [{"level": "error", "ms": 3, "route": "/ask"}, {"level": "error", "ms": "x"}, {"level": "info", "ms": 4}]
    events = [{"timestamp": START * 1000, "message": json.dumps(message)} for message in messages]
    request = {"filterPattern": '{ $.level = "error" }', "metricTransformations": [made]}
    assert metric_filters.check(request) is None
    [(namespace, datum)] = metric_filters.measurements(request, events)
    assert (namespace, datum["Value"], datum["Dimensions"]) == ("N", 3.0, [{"Name": "route", "Value": "/ask"}])


def test_metric_filter_with_a_default_counts_events_that_do_not_match() -> None:
    made = {"metricName": "errors", "metricNamespace": "N", "metricValue": "1", "defaultValue": 0}
    events = [{"timestamp": START * 1000, "message": message} for message in ("ERROR: no", "fine")]
    request = {"filterPattern": "ERROR", "metricTransformations": [made]}
    assert [datum["Value"] for _, datum in metric_filters.measurements(request, events)] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("pattern", "value", "problem"),
    [("{ $.a IS TRUE }", "1", "Invalid filter pattern"), ("ERROR", "$size", "no selector")],
)
def test_metric_filter_that_would_measure_nothing_is_refused(pattern: str, value: str, problem: str) -> None:
    made = {"metricName": "m", "metricNamespace": "N", "metricValue": value}
    assert problem in (metric_filters.check({"filterPattern": pattern, "metricTransformations": [made]}) or "")


@pytest.fixture(scope="module")
def cloudwatch(sandbox: Sandbox) -> Any:
    return sandbox.client("cloudwatch")


def test_metrics_are_put_listed_and_read(cloudwatch: Any) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    data = [
        {
            "MetricName": "ms",
            "Timestamp": hour,
            "Values": [1, 2, 3],
            "Counts": [1, 1, 8],
            "Unit": "Milliseconds",
            "Dimensions": DESCRIBED["Dimensions"],
        }
    ]
    cloudwatch.put_metric_data(Namespace="put-and-read", MetricData=data)
    [listed] = cloudwatch.list_metrics(Namespace="put-and-read")["Metrics"]
    assert listed["Dimensions"] == DESCRIBED["Dimensions"]
    times = {"StartTime": hour, "EndTime": hour + timedelta(hours=1)}
    [point] = cloudwatch.get_metric_statistics(
        **listed, **times, Period=3600, Statistics=["SampleCount", "Sum"], ExtendedStatistics=["p50"]
    )["Datapoints"]
    assert (point["SampleCount"], point["Sum"], point["ExtendedStatistics"], point["Unit"]) == (
        10,
        27,
        {"p50": 3},
        "Milliseconds",
    )
    queries = [
        {"Id": "m1", "MetricStat": {"Metric": listed, "Period": 3600, "Stat": "p0"}, "ReturnData": False},
        {"Id": "twice", "Expression": "2 * m1", "Label": "double"},
    ]
    [result] = cloudwatch.get_metric_data(MetricDataQueries=queries, **times)["MetricDataResults"]
    assert (result["Id"], result["Label"], result["Values"]) == ("twice", "double", [2.0])


@pytest.mark.parametrize(
    ("namespace", "datum", "problem"),
    [
        ("AWS/ECS", {"Value": 1}, "AWS/"),
        ("N", {}, "finite number"),
        ("N", {"Value": 1, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "older than two weeks"),
        ("N", {"Value": 1, "StorageResolution": 30}, "StorageResolution"),
    ],
)
def test_malformed_metric_is_refused(cloudwatch: Any, namespace: str, datum: dict[str, Any], problem: str) -> None:
    with pytest.raises(ClientError, match=problem):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", **datum}])


def test_log_lines_become_metrics(sandbox: Sandbox, cloudwatch: Any) -> None:
    logs = sandbox.client("logs")
    logs.create_log_group(logGroupName="measured")
    logs.create_log_stream(logGroupName="measured", logStreamName="s")
    made = {"metricName": "errors", "metricNamespace": "from-logs", "metricValue": "1"}
    for _ in range(2):  # the second replaces the first
        logs.put_metric_filter(
            logGroupName="measured", filterName="errors", filterPattern="ERROR", metricTransformations=[made]
        )
    lines = [json.dumps(embedded()), "ERROR: no database", json.dumps(embedded(ms="broken"))]
    events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
    logs.put_log_events(logGroupName="measured", logStreamName="s", logEvents=events)

    assert counted(cloudwatch, "Ragonometrics", "ms", route="/ask") == 12.5
    assert counted(cloudwatch, "from-logs", "errors") == 1
    assert counted(cloudwatch, "AWS/Logs", "EMFValidationErrors", LogGroupName="measured") == 1
