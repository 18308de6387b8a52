"""Cloud Logging: entries written, listed and filtered, log-based metrics, and sinks to buckets. There are no log buckets."""

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final
from urllib.parse import quote, unquote

from google.cloud.logging_v2 import types

from ragonotebooks.sandbox.gcp.access import may
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, already_exists, invalid, not_found, unsupported
from ragonotebooks.sandbox.gcp.fields import copy_of, merge
from ragonotebooks.sandbox.gcp.generic import Made, make
from ragonotebooks.sandbox.gcp.logs import audited, query
from ragonotebooks.sandbox.gcp.logs.kept import Entries, Kept
from ragonotebooks.sandbox.gcp.logs.sinks import Sinks
from ragonotebooks.sandbox.gcp.metrics import of_logs
from ragonotebooks.sandbox.gcp.service import Call, Service, creating, rpc

_LOG_NAME: Final = re.compile(r"projects/(?P<project>[^/]+)/logs/[A-Za-z0-9_.%-]{1,511}")
_METRIC: Final = re.compile(r"[\w+!*',()%/.-]{1,100}")
_AUDIT: Final = "/logs/cloudaudit.googleapis.com%2F"
_DATA_ACCESS: Final = f"{_AUDIT}data_access"
_OF_A_CHANGE: Final = ("destination", "filter", "include_children")
_PAGE: Final = 50
_LARGEST_PAGE: Final = 1000
_LARGEST_ENTRY: Final = 256 * 1024  # bytes; Cloud Logging, "Quotas and limits", read 2026-11


class CloudLogging(Service):
    """Logs and log-based metrics."""

    host = "logging.googleapis.com"
    title = "Cloud Logging API"
    clients = (
        "google.cloud.logging_v2.services.logging_service_v2:LoggingServiceV2Client",
        "google.cloud.logging_v2.services.metrics_service_v2:MetricsServiceV2Client",
        "google.cloud.logging_v2.services.config_service_v2:ConfigServiceV2Client",
    )
    discovery = ("logging", "v2")
    discovered: ClassVar = {
        f"logging.projects.{collection}.{verb}": f"{verb.capitalize()}{noun}{'s' * (verb == 'list')}"
        for collection, noun in (("metrics", "LogMetric"), ("sinks", "Sink"))
        for verb in ("create", "delete", "get", "list", "update")
    }
    keeps = frozenset(("LogMetric", "LogSink"))
    permissions: ClassVar = {
        "WriteLogEntries": "logging.logEntries.create",
        "ListLogEntries": "logging.logEntries.list",
        "ListLogs": "logging.logs.list",
        "DeleteLog": "logging.logs.delete",
        **{f"{verb}LogMetric": f"logging.logMetrics.{verb.lower()}" for verb in ("Create", "Get", "Update", "Delete")},
        "ListLogMetrics": "logging.logMetrics.list",
    }

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._entries = Entries()
        self._sinks = Sinks(cloud)
        self.write_audited()

    def write(self, entry: Any) -> None:
        """Keep an entry that has a log's name and a resource. Whoever calls holds the lock."""
        entry.receive_timestamp.GetCurrentTime()
        entry.insert_id = entry.insert_id or secrets.token_hex(10)
        if not entry.HasField("timestamp"):
            entry.timestamp.CopyFrom(entry.receive_timestamp)
        entry.resource.labels.setdefault("project_id", self.cloud.project.id)
        kept = self._entries.add(entry)
        of_logs.count(self.cloud, kept)
        self._sinks.route(kept)
        self.cloud.context.changed.notify_all()

    def write_audited(self) -> None:
        """Write the entries of calls that wait for it. Whoever calls holds the lock."""
        for one in self.cloud.audit.take():
            self.write(audited.entry_of(self.cloud, one))

    def find(self, text: str) -> Iterator[Kept]:
        """Yield the entries that match a filter, in the order in which they were written. Whoever calls holds the lock.

        Raises:
            ApiError: The filter cannot be read.
        """
        return self._entries.find(query.compiled(text))

    @rpc("WriteLogEntries")
    def _write(self, call: Call) -> Made:
        message = call.message
        entries = [self._completed(message, entry) for entry in message.entries]
        if not message.dry_run:
            for entry in entries:
                self.write(entry)
        return None, None

    def _completed(self, message: Any, given: Any) -> Any:
        """An entry with what the request says for all of them."""
        entry = copy_of(given)
        entry.log_name = self._log_name(entry.log_name or message.log_name)
        if not entry.HasField("resource") and message.HasField("resource"):
            entry.resource.CopyFrom(message.resource)
        if not entry.resource.type:
            raise invalid("A log entry has no resource.type.", {"entries.resource.type": "required"})
        for key, value in message.labels.items():
            entry.labels.setdefault(key, value)
        if (size := entry.ByteSize()) > _LARGEST_ENTRY:
            raise invalid(f"Log entry with size {size} bytes exceeds maximum size of {_LARGEST_ENTRY} bytes.")
        return entry

    def _log_name(self, name: str) -> str:
        found = _LOG_NAME.fullmatch(name)
        if found is None:
            raise invalid(f"The log name {name!r} must have the form projects/PROJECT/logs/LOG_ID.", {"log_name": name})
        if _AUDIT in name:
            raise ApiError("PERMISSION_DENIED", f"The audit log {name} is written by Google Cloud alone, and kept.")
        canonical = self.cloud.project.canonical(name, numbered=False)
        if not self.cloud.project.owns(canonical):
            raise not_found(f"projects/{found['project']}")
        return canonical

    @rpc("ListLogEntries")
    def _list(self, call: Call) -> Made:
        message = call.message
        self._check_resources(message.resource_names)
        if message.order_by not in ("", "timestamp", "timestamp asc", "timestamp desc"):
            raise invalid(
                f"Unsupported order_by: {message.order_by!r}.", {"order_by": "timestamp asc or timestamp desc"}
            )
        may_see = self._visible(call)
        found = sorted(
            filter(may_see, self.find(message.filter)),
            key=lambda kept: kept.time,
            reverse=message.order_by.endswith("desc"),
        )
        last, start = (
            _place(message.page_token) if message.page_token else (max((k.number for k in found), default=0), 0)
        )
        found = [kept for kept in found if kept.number <= last]
        size = min(message.page_size or _PAGE, _LARGEST_PAGE)
        page = found[start : start + size]
        token = _token(last, start + size) if start + size < len(found) else ""
        return call.method.response(entries=[kept.entry for kept in page], next_page_token=token), None

    def _visible(self, call: Call) -> Callable[[Kept], bool]:
        """What tells which entries a caller may see: who accessed data is for those who may see private entries."""
        if may(call, "logging.privateLogEntries.list", self.cloud.project.name):
            return lambda kept: True
        return lambda kept: not kept.entry.log_name.endswith(_DATA_ACCESS)

    @rpc("ListLogs")
    def _list_logs(self, call: Call) -> Made:
        self._check_resources([call.message.parent, *call.message.resource_names])
        return call.method.response(log_names=self._entries.names()), None

    @rpc("DeleteLog")
    def _delete_log(self, call: Call) -> Made:
        if not self._entries.delete(self._log_name(call.message.log_name)):
            raise not_found(call.message.log_name)
        return None, None

    @rpc("CreateLogMetric")
    def _create(self, call: Call) -> Made:
        """A metric's id may have slashes, which are encoded where it is part of a name: `projects/p/metrics/api%2Frequests`."""
        metric = copy_of(call.message.metric)
        path = f"{call.path}/{quote(metric.name, safe='')}"
        if call.cloud.store.find(self.host, path) is not None:
            raise already_exists(path)
        return make(call, "LogMetric", metric, path)

    @creating("LogMetric")
    def _creating(self, call: Call, metric: Any) -> None:
        # the API shows the metric's id, not its whole name
        metric.name = unquote(metric.name.rpartition("/")[2])
        self._check_metric(metric)
        _describe(metric, call.cloud.project.name)

    @rpc("UpdateLogMetric")
    def _update(self, call: Call) -> Made:
        """A metric is replaced whole, or made."""
        metric = copy_of(call.message.metric)
        self._check_metric(metric)
        before = call.cloud.store.find(self.host, call.path)
        metric.name = unquote(call.path.rpartition("/")[2])
        _describe(metric, call.cloud.project.name)
        metric.update_time.GetCurrentTime()
        metric.create_time.CopyFrom(before.create_time if before is not None else metric.update_time)
        call.cloud.store.put(self.host, call.path, metric)
        return copy_of(metric), None

    @creating("LogSink")
    def _creating_sink(self, call: Call, sink: Any) -> None:
        sink.name = sink.name.rpartition("/sinks/")[2] or sink.name
        self._sinks.describe(sink, unique=call.message.unique_writer_identity)

    @rpc("UpdateSink")
    def _update_sink(self, call: Call) -> Made:
        """A sink is changed by its mask or, without one, in what a change is about."""
        sink = call.cloud.store.get(self.host, call.path)
        after = copy_of(sink)
        merge(after, call.message.sink, list(call.message.update_mask.paths) or list(_OF_A_CHANGE))
        self._sinks.describe(after, unique=call.message.unique_writer_identity)
        after.update_time.GetCurrentTime()
        call.cloud.store.put(self.host, call.path, after)
        return copy_of(after), None

    def _check_metric(self, metric: Any) -> None:
        if not _METRIC.fullmatch(metric.name.rpartition("/metrics/")[2] or metric.name):
            raise invalid(f"The metric's name {metric.name!r} cannot be used.", {"metric.name": _METRIC.pattern})
        if metric.bucket_name:
            raise unsupported("bucket_name of a log-based metric")
        query.compiled(metric.filter)
        of_logs.check(metric)

    def _check_resources(self, names: Any) -> None:
        for name in names:
            if name and not self.cloud.project.owns(name):
                raise not_found(name)
            if name and name.count("/") != 1:
                raise unsupported(f"listing the logs of {name}", "is not supported by the sandbox, only a project's")


def _describe(metric: Any, project: str) -> None:
    """Fill in what the service says of a metric: its type in Monitoring, a counter unless told otherwise."""
    described = metric.metric_descriptor
    described.type = f"logging.googleapis.com/user/{metric.name}"
    described.name = f"{project}/metricDescriptors/{described.type}"
    described.metric_kind = described.metric_kind or type(described).DELTA
    described.value_type = described.value_type or type(described).INT64
    described.unit = described.unit or "1"
    metric.version = types.LogMetric.ApiVersion.V2


def _token(last: int, start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([last, start]).encode()).decode()


def _place(token: str) -> tuple[int, int]:
    """Where a page starts, and the last entry that was there when the first page was shown."""
    try:
        last, start = json.loads(base64.urlsafe_b64decode(token))
        return int(last), int(start)
    except (ValueError, TypeError):
        raise invalid("page_token is invalid", {"page_token": "invalid"}) from None
