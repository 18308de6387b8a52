"""CloudWatch's embedded metric format: log lines that are measurements, too.

What is malformed makes no metric; as on AWS the log event stays, and `AWS/Logs` counts what was wrong.
Source: Amazon CloudWatch user guide, "Specification: Embedded metric format", read 2026-11.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

MARK: Final = '"_aws"'
_MOST_VALUES: Final = 100
_MOST_DIMENSIONS: Final = 30

Measurement = tuple[str, dict[str, Any]]


class Malformed(ValueError):  # noqa: N818 - reads as the fact that it states
    """A line says that it is a measurement and is none; the name is that of the metric which counts such lines."""


def measurements(message: str) -> Iterator[Measurement]:
    """Yield what a log line measures: namespaces, each with a datum as PutMetricData takes it.

    Raises:
        Malformed: `EMFParsingErrors` or `EMFValidationErrors`.
    """
    try:
        line = json.loads(message)
    except ValueError:
        raise Malformed("EMFParsingErrors") from None
    try:
        told = line["_aws"]
        moment = datetime.fromtimestamp(told["Timestamp"] / 1000, UTC)
        made = [one for directive in told["CloudWatchMetrics"] for one in _directive(line, directive, moment)]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Malformed("EMFValidationErrors") from None
    yield from made


def _directive(line: dict[str, Any], directive: dict[str, Any], moment: datetime) -> Iterator[Measurement]:
    for names in directive["Dimensions"]:
        if len(names) > _MOST_DIMENSIONS:
            raise ValueError(names)
        dimensions = [{"Name": name, "Value": _text(line[name])} for name in names]
        for metric in directive["Metrics"]:
            values = line[metric["Name"]]
            values = values if isinstance(values, list) else [values]
            if len(values) > _MOST_VALUES or not all(map(_is_number, values)):
                raise ValueError(metric["Name"])
            datum = {
                "MetricName": metric["Name"],
                "Dimensions": dimensions,
                "Timestamp": moment,
                "Unit": metric.get("Unit") or "None",
                "StorageResolution": metric.get("StorageResolution") or 60,
            }
            if values:
                yield str(directive["Namespace"]), {**datum, "Values": values}


def _text(value: Any) -> str:
    """Dimensions are texts; a number would be another metric every time."""
    if not isinstance(value, str) or not value:
        raise ValueError(value)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
