"""Metric descriptors: those of Google's services that have series here, of log-based metrics, and those that callers made."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.api import label_pb2, metric_pb2

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid
from ragonotebooks.sandbox.gcp.metrics.of_logs import LOGGING, REQUEST_COUNT, REQUEST_LATENCIES
from ragonotebooks.sandbox.gcp.metrics.series import Kind, Metrics

CHECK_PASSED: Final = "monitoring.googleapis.com/uptime_check/check_passed"
CHECK_LATENCY: Final = "monitoring.googleapis.com/uptime_check/request_latency"

_CUSTOM: Final = re.compile(r"(?:custom|workload|external)\.googleapis\.com/[A-Za-z0-9_/.%-]{1,180}")


def _built_in(name: str, kind: int, value_type: int, unit: str, labels: Mapping[str, int], title: str) -> Any:
    described = [label_pb2.LabelDescriptor(key=key, value_type=label_type) for key, label_type in labels.items()]
    return Kind(type=name, metric_kind=kind, value_type=value_type, unit=unit, labels=described, display_name=title)


_TEXT: Final = label_pb2.LabelDescriptor.STRING
_CODES: Final = {"response_code": _TEXT, "response_code_class": _TEXT}
_CHECKED: Final = {"check_id": _TEXT, "checker_location": _TEXT, "checked_resource_id": _TEXT}
# Source: Google Cloud, "Google Cloud metrics", read 2026-11
_BUILT_IN: Final = (
    _built_in(REQUEST_COUNT, Kind.DELTA, Kind.INT64, "1", _CODES, "Request Count"),
    _built_in(REQUEST_LATENCIES, Kind.DELTA, Kind.DISTRIBUTION, "ms", _CODES, "Request Latency"),
    _built_in(CHECK_PASSED, Kind.GAUGE, Kind.BOOL, "", _CHECKED, "Check passed"),
    _built_in(CHECK_LATENCY, Kind.GAUGE, Kind.DOUBLE, "ms", _CHECKED, "Request latency"),
)


def all_of(cloud: Cloud) -> Iterator[Any]:
    """Yield every descriptor of the project."""
    yield from (_named(cloud, one) for one in _BUILT_IN)
    for entry in cloud.store.children(LOGGING, f"{cloud.project.name}/metrics"):
        yield _named(cloud, entry.resource.metric_descriptor)
    yield from cloud.context.part(Metrics, Metrics).described.values()


def describe(cloud: Cloud, given: Any) -> Any:
    """Keep a caller's descriptor, and return it.

    Raises:
        ApiError: It is none that a caller may make, or it differs from the one that is there.
    """
    check_custom(given.type)
    if given.metric_kind not in (Kind.GAUGE, Kind.CUMULATIVE):
        raise invalid(
            "The kind of a custom metric is GAUGE or CUMULATIVE.", {"metric_descriptor.metric_kind": "invalid"}
        )
    if given.value_type not in (Kind.BOOL, Kind.INT64, Kind.DOUBLE, Kind.STRING, Kind.DISTRIBUTION):
        raise invalid("The metric has no value type.", {"metric_descriptor.value_type": "required"})
    described = cloud.context.part(Metrics, Metrics).described
    known = described.get(given.type)
    if known is not None and (known.metric_kind, known.value_type) != (given.metric_kind, given.value_type):
        raise invalid(f"The metric {given.type} has another kind or value type already: delete it first.")
    described[given.type] = _named(cloud, given)
    return described[given.type]


def check_custom(metric: str) -> None:
    """Refuse the type of a metric that is not a caller's."""
    if not _CUSTOM.fullmatch(metric):
        text = f"The metric type {metric!r} is not one that can be written: it begins with custom.googleapis.com/."
        raise invalid(text, {"metric.type": "invalid"})


def _named(cloud: Cloud, descriptor: Any) -> Any:
    named = metric_pb2.MetricDescriptor()
    named.CopyFrom(descriptor)
    named.name = f"{cloud.project.name}/metricDescriptors/{descriptor.type}"
    return named
