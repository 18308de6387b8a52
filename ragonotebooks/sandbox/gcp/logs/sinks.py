"""Sinks: entries that match a sink's filter become files in its bucket, if the sink's writer may write there.

Files hold one entry in JSON a line and are named by log, day and hour: `cloudaudit.googleapis.com/activity/2026/11/25/
08:00:00_08:59:59_S0.json`. Google writes them by the hour; here they are written some seconds after the entries. What cannot be
written is told in the log `logging.googleapis.com/sink_error`, and lost. Other destinations are refused by name.
Source: Google Cloud, "View logs routed to Cloud Storage" and "Troubleshoot routing and storing logs", read 2026-11.
"""

import json
import re
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any, Final
from urllib.parse import unquote

from google.cloud.logging_v2 import types
from google.protobuf import json_format

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported
from ragonotebooks.sandbox.gcp.identity import caller_of
from ragonotebooks.sandbox.gcp.logs import query
from ragonotebooks.sandbox.gcp.logs.kept import Kept

_HOST: Final = "logging.googleapis.com"
_STORAGE: Final = "storage.googleapis.com"
_SECONDS_BETWEEN: Final = 2.0
_NAME: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)
_BUCKET: Final = re.compile(rf"{re.escape(_STORAGE)}/([a-z0-9][a-z0-9._-]{{1,220}}[a-z0-9])")
_ERRORS: Final = "logs/logging.googleapis.com%2Fsink_error"
_OLD_FORMAT: Final = types.LogSink.VersionFormat.V1


_filter = lru_cache(maxsize=64)(query.compiled)


class Sinks:
    """The sinks of a project, and what waits to be written.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._waiting: dict[str, list[Kept]] = {}
        self._shards: dict[tuple[str, str], int] = {}
        self._writing: threading.Thread | None = None

    def describe(self, sink: Any, *, unique: bool) -> None:
        """Check a new or changed sink and fill in who writes for it.

        Raises:
            ApiError: The sink is wrong, or asks for what the sandbox does not have.
        """
        _check(sink)
        agent = f"service-{self._cloud.project.number}@gcp-sa-logging.iam.gserviceaccount.com"
        if unique or not sink.writer_identity:
            sink.writer_identity = f"serviceAccount:{agent if unique else 'cloud-logs@system.gserviceaccount.com'}"

    def route(self, kept: Kept) -> None:
        """Give an entry to the sinks that want it. The caller holds the lock."""
        for one in self._cloud.store.children(_HOST, f"{self._cloud.project.name}/sinks"):
            if _wants(one.resource, kept):
                self._waiting.setdefault(one.name, []).append(kept)
                self._start()

    def write(self) -> None:
        """Write what waits. The caller holds the lock."""
        waiting, self._waiting = self._waiting, {}
        for name, entries in waiting.items():
            if sink := self._cloud.store.find(_HOST, name):
                for place, found in groupby(sorted(entries, key=_place), key=_place):
                    self._put(sink, place, found)

    def _put(self, sink: Any, place: str, entries: Iterable[Kept]) -> None:
        bucket = sink.destination.partition("/")[2]
        shard = self._shards.get((bucket, place), 0)
        lines = [json.dumps(json_format.MessageToDict(kept.entry)) + "\n" for kept in entries]
        storage: Any = self._cloud.service(_STORAGE)
        writer = caller_of(sink.writer_identity.partition(":")[2])
        try:
            storage.write_as(writer, bucket, f"{place}_S{shard}.json", "".join(lines).encode(), "application/json")
        except ApiError as refusal:
            self._tell(sink, refusal)
        else:
            self._shards[bucket, place] = shard + 1

    def _tell(self, sink: Any, refusal: ApiError) -> None:
        entry = types.LogEntry.pb(types.LogEntry(severity="ERROR"))
        entry.log_name = f"{self._cloud.project.name}/{_ERRORS}"
        entry.resource.type = "logging_sink"
        entry.resource.labels.update({"name": sink.name, "destination": sink.destination})
        entry.text_payload = f"Cloud Logging sink configuration error in {sink.name}: {refusal.message}"
        logging: Any = self._cloud.service(_HOST)
        logging.write(entry)

    def _start(self) -> None:
        if self._writing is None:
            self._writing = threading.Thread(target=self._run, name="sinks", daemon=True)
            self._writing.start()

    def _run(self) -> None:
        while True:
            time.sleep(_SECONDS_BETWEEN)
            with self._cloud.context.lock:
                try:
                    self.write()
                except Exception:
                    traceback.print_exc(file=sys.stderr)


def _check(sink: Any) -> None:
    if not _NAME.fullmatch(sink.name):
        raise invalid(f"The sink's name {sink.name!r} must match {_NAME.pattern}.", {"sink.name": _NAME.pattern})
    if sink.include_children or sink.output_version_format == _OLD_FORMAT:
        raise unsupported(
            f"{'include_children' if sink.include_children else 'output_version_format V1'} of a log sink"
        )
    if not _BUCKET.fullmatch(sink.destination):
        if not sink.destination.startswith(f"{_STORAGE}/"):
            raise unsupported(
                f"the sink destination {sink.destination!r}", "is not supported by the sandbox, only buckets"
            )
        raise invalid(f"The sink's destination {sink.destination!r} is no bucket.", {"sink.destination": "malformed"})
    for text in (sink.filter, *(one.filter for one in sink.exclusions)):
        query.compiled(text)


def _wants(sink: Any, kept: Kept) -> bool:
    """Whether an entry goes to a sink. What tells of a sink's trouble goes to none, or trouble would never end."""
    if sink.disabled or kept.entry.log_name.endswith(_ERRORS) or not _filter(sink.filter)(kept.view):
        return False
    return not any(_filter(one.filter)(kept.view) for one in sink.exclusions if not one.disabled)


def _place(kept: Kept) -> str:
    """The log, day and hour that an entry's file is named by."""
    when = kept.entry.timestamp.ToDatetime()
    log = unquote(kept.entry.log_name.partition("/logs/")[2])
    return f"{log}/{when:%Y/%m/%d/%H}:00:00_{when:%H}:59:59"
