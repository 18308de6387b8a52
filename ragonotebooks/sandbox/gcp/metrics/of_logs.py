"""Metrics that are counted from log entries as they are written: log-based metrics, and Cloud Run's requests and latencies."""

import re
from collections.abc import Iterator
from typing import Any, Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid
from ragonotebooks.sandbox.gcp.filters import values_at
from ragonotebooks.sandbox.gcp.logs import query
from ragonotebooks.sandbox.gcp.logs.kept import Kept
from ragonotebooks.sandbox.gcp.metrics import distributions
from ragonotebooks.sandbox.gcp.metrics.series import Kind, Metrics, Subject

LOGGING: Final = "logging.googleapis.com"
REQUEST_COUNT: Final = "run.googleapis.com/request_count"
REQUEST_LATENCIES: Final = "run.googleapis.com/request_latencies"

_REQUESTS: Final = "/logs/run.googleapis.com%2Frequests"
_EXTRACT: Final = re.compile(r"EXTRACT\(\s*([^,()]+?)\s*\)")
_REGEXP_EXTRACT: Final = re.compile(r'REGEXP_EXTRACT\(\s*([^,()]+?)\s*,\s*"((?:\\.|[^"\\])*)"\s*\)')


def check(metric: Any) -> None:
    """Refuse a log-based metric whose extractors are wrong.

    Raises:
        ApiError: They are.
    """
    is_distribution = metric.metric_descriptor.value_type == Kind.DISTRIBUTION
    if is_distribution != bool(metric.value_extractor):
        text = "A metric has a value_extractor when its value type is DISTRIBUTION, and only then."
        raise invalid(text, {"metric.value_extractor": "required" if is_distribution else "not allowed"})
    extractors = [*metric.label_extractors.values(), *([metric.value_extractor] if is_distribution else ())]
    for extractor in extractors:
        _parsed(extractor)
    missing = set(metric.label_extractors) - {label.key for label in metric.metric_descriptor.labels}
    if missing:
        raise invalid(f"The metric descriptor has no label {missing.pop()!r}.", {"metric.label_extractors": "unknown"})


def count(cloud: Cloud, kept: Kept) -> None:
    """Count an entry that has just been written in every metric that it is about. The caller holds the lock."""
    if kept.entry.log_name.endswith(_REQUESTS):
        _count_request(cloud, kept.entry)
    for one in cloud.store.children(LOGGING, f"{cloud.project.name}/metrics"):
        metric = one.resource
        if not metric.disabled and query.compiled(metric.filter)(kept.view):
            _count_in(cloud, metric, kept)


def _count_request(cloud: Cloud, entry: Any) -> None:
    http = entry.http_request
    labels = {"response_code": str(http.status), "response_code_class": f"{http.status // 100}xx"}
    latency = http.latency.ToNanoseconds() / 1e6
    metrics, at = cloud.context.part(Metrics, Metrics), entry.timestamp.ToNanoseconds()
    requests = metrics.series(Subject.of(REQUEST_COUNT, labels, entry.resource), Kind.DELTA, Kind.INT64, "1")
    requests.count(at, 1)
    subject = Subject.of(REQUEST_LATENCIES, labels, entry.resource)
    latencies = metrics.series(subject, Kind.DELTA, Kind.DISTRIBUTION, "ms")
    latencies.count(at, distributions.of_value(latency, distributions.LATENCIES))


def _count_in(cloud: Cloud, metric: Any, kept: Kept) -> None:
    described = metric.metric_descriptor
    value: Any = 1
    if described.value_type == Kind.DISTRIBUTION:
        text = next(_extracted(metric.value_extractor, kept), "")
        try:
            number = float(text)
        except ValueError:
            return  # Cloud Logging leaves out what is no number
        buckets = metric.bucket_options if metric.HasField("bucket_options") else distributions.DEFAULT_BUCKETS
        value = distributions.of_value(number, buckets)
    labels = {key: next(_extracted(how, kept), "") for key, how in metric.label_extractors.items()}
    subject = Subject.of(described.type, labels, kept.entry.resource)
    series = cloud.context.part(Metrics, Metrics).series(subject, Kind.DELTA, described.value_type, described.unit)
    series.count(kept.time, value)


def _extracted(extractor: str, kept: Kept) -> Iterator[str]:
    path, pattern = _parsed(extractor)
    for value in values_at(kept.view, path.split(".")):
        if pattern is None:
            yield str(value)
        elif found := pattern.search(str(value)):
            yield found[1]


def _parsed(extractor: str) -> tuple[str, re.Pattern[str] | None]:
    """The path of a field, and the pattern whose only group is the value."""
    if plain := _EXTRACT.fullmatch(extractor.strip()):
        return plain[1], None
    if found := _REGEXP_EXTRACT.fullmatch(extractor.strip()):
        pattern = re.compile(re.sub(r"\\(.)", r"\1", found[2]))
        if pattern.groups == 1:
            return found[1], pattern
    text = f'The extractor {extractor!r} is neither EXTRACT(field) nor REGEXP_EXTRACT(field, "regex with one group").'
    raise invalid(text, {"metric.value_extractor": "malformed"})
