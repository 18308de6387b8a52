"""Metric filters of CloudWatch Logs: events that match a filter's pattern become samples of a metric.

Source: Amazon CloudWatch Logs user guide, "Creating metrics from log events using filters", read 2026-11.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from ragonotebooks.sandbox.aws.filter_patterns import PatternError, matcher

_SELECTOR: Final = re.compile(r"\$((?:\.[\w-]+|\[\d+\])+)")
_STEP: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]")

Measurement = tuple[str, dict[str, Any]]


def check(request: dict[str, Any]) -> str | None:
    """Return what is wrong with a PutMetricFilter request, None when nothing is."""
    try:
        matcher(request.get("filterPattern") or "")
    except PatternError as error:
        return f"Invalid filter pattern: {error}"
    for made in request["metricTransformations"]:
        if made.get("dimensions") and made.get("defaultValue") is not None:
            return "A metric filter with dimensions has no defaultValue."
        for value in (str(made["metricValue"]), *(made.get("dimensions") or {}).values()):
            if not _is_number(value) and _SELECTOR.fullmatch(value) is None:
                return f"{value} is no number and no selector such as $.ms; the sandbox reads JSON events."
    return None


def measurements(metric_filter: dict[str, Any], events: list[dict[str, Any]]) -> Iterator[Measurement]:
    """Yield what a filter makes of log events: namespaces, each with a datum as PutMetricData takes it."""
    matches = matcher(metric_filter.get("filterPattern") or "")
    for event in events:
        found = matches(event["message"])
        for made in metric_filter["metricTransformations"]:
            value = _value(str(made["metricValue"]), event["message"]) if found else made.get("defaultValue")
            dimensions = {name: _find(path, event["message"]) for name, path in (made.get("dimensions") or {}).items()}
            if value is not None and all(isinstance(one, str) for one in dimensions.values()):
                datum = {
                    "MetricName": made["metricName"],
                    "Value": float(value),
                    "Unit": made.get("unit") or "None",
                    "Timestamp": datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                    "Dimensions": [{"Name": name, "Value": one} for name, one in dimensions.items()],
                }
                yield made["metricNamespace"], datum


def _value(described: str, message: str) -> float | None:
    """A number stands for itself; a selector for a number in the event, if it is there."""
    if _is_number(described):
        return float(described)
    found = _find(described, message)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _find(selector: str, message: str) -> Any:
    try:
        value = json.loads(message)
        for name, index in _STEP.findall(selector):
            value = value[name] if name else value[int(index)]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return value


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
