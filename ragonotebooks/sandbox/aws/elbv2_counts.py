"""What load balancers measure, as CloudWatch shows it under AWS/ApplicationELB.

Source: Application Load Balancers user guide, "CloudWatch metrics for your Application Load Balancer", read 2026-11.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ragonotebooks.sandbox.aws.elbv2_health import Health, Key
from ragonotebooks.sandbox.aws.elbv2_told import backends, balancer_of
from ragonotebooks.sandbox.context import Context

_NAMESPACE: Final = "AWS/ApplicationELB"
_MOST_VALUES: Final = 150  # PutMetricData, values of one datum


def put(context: Context, counted: list[dict[str, Any]], health: Mapping[Key, Health]) -> None:
    """Record what was counted, and how many targets are healthy now. The caller holds the lock."""
    from ragonotebooks.sandbox.aws import cloudwatch

    by_region: dict[str, list[dict[str, Any]]] = {}
    for one in counted:
        by_region.setdefault(one["balancer"].split(":")[3], []).extend(_data(one))
    for region, backend in backends():
        by_region.setdefault(region, []).extend(_hosts(backend, health))
    for region, data in by_region.items():
        if data:
            cloudwatch.of(context).put(region, _NAMESPACE, data)


def _data(one: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    dimensions = _dimensions(one["balancer"], one["group"])
    for name, count in one["counts"].items():
        yield {"MetricName": name, "Dimensions": dimensions, "Value": count, "Unit": "Count"}
    times = one["times"]
    for start in range(0, len(times), _MOST_VALUES):
        values, counts = zip(*times[start : start + _MOST_VALUES], strict=True)
        yield {
            "MetricName": "TargetResponseTime",
            "Dimensions": dimensions,
            "Values": list(values),
            "Counts": list(counts),
            "Unit": "Seconds",
        }


def _hosts(backend: Any, health: Mapping[Key, Health]) -> Iterator[dict[str, Any]]:
    for group in backend.target_groups.values():
        balancer = balancer_of(backend, group.arn)
        if balancer is None:
            continue
        states = [found.state for key in group.targets if (found := health.get((group.arn, key)))]
        for name, state in (("HealthyHostCount", "healthy"), ("UnHealthyHostCount", "unhealthy")):
            dimensions = _dimensions(balancer.arn, group.arn)
            yield {"MetricName": name, "Dimensions": dimensions, "Value": states.count(state), "Unit": "Count"}


def _dimensions(balancer: str, group: str) -> list[dict[str, str]]:
    """`LoadBalancer: app/name/id`, and `TargetGroup: targetgroup/name/id` unless it is about the load balancer alone."""
    found = {"LoadBalancer": balancer.partition(":loadbalancer/")[2]}
    if group:
        found["TargetGroup"] = group.rpartition(":")[2]
    return [{"Name": name, "Value": value} for name, value in found.items()]
