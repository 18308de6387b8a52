"""What tests of metrics share: one metric, its values, a query for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ragonotebooks.sandbox.aws.series import Metric, Sample, Series

START = 1_795_500_000  # the start of a minute
METRIC = Metric("Ragonometrics", "latency", frozenset({("route", "/ask")}))
DESCRIBED = {
    "Namespace": METRIC.namespace,
    "MetricName": METRIC.name,
    "Dimensions": [{"Name": "route", "Value": "/ask"}],
}


def series_of(*values: tuple[float, float], resolution: int = 1) -> dict[Metric, Series]:
    """One metric with values at seconds after START."""
    series = Series()
    for at, value in values:
        series.add(Sample.of(START + at, value, resolution=resolution))
    return {METRIC: series}


def query(name: str, stat: str = "Sum", **more: Any) -> dict[str, Any]:
    return {"Id": name, "MetricStat": {"Metric": DESCRIBED, "Period": 10, "Stat": stat}, **more}


def counted(cloudwatch: Any, namespace: str, metric: str, **dimensions: str) -> float:
    """What a metric counted in the last minutes, in however many periods: a full hour may have struck among them."""
    now = datetime.now(UTC)
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))
