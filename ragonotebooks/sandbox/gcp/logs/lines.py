"""How a line that a program writes becomes a log entry: JSON is structured, and some of its fields have a meaning.

Source: Cloud Logging, "Structured logging", section "Special JSON fields", read 2026-11.
"""

import json
from datetime import datetime
from typing import Any, Final

from google.cloud.logging_v2 import types
from google.protobuf import json_format

from ragonotebooks.sandbox.gcp.filters import time_of
from ragonotebooks.sandbox.gcp.logs.query import severity_of

_OURS: Final = "logging.googleapis.com/"
_MOST_LABELS: Final = 64


def entry_of(line: str, written: float) -> Any:
    """Return the entry of a line.

    Args:
        line: Without its end.
        written: When it was written, in seconds; what the line itself says goes before it.
    """
    entry = types.LogEntry.pb(types.LogEntry())
    entry.timestamp.FromNanoseconds(int(written * 1e9))
    fields = _fields(line)
    if fields is None:
        entry.text_payload = line
        return entry
    entry.severity = severity_of(fields.pop("severity", "DEFAULT"))
    if (when := _time(fields)) is not None:
        entry.timestamp.FromDatetime(when)
    _move(fields, entry)
    entry.json_payload.update(fields)
    return entry


def _fields(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _time(fields: dict[str, Any]) -> datetime | None:
    for name in ("time", "timestamp"):
        if isinstance(fields.get(name), str):
            try:
                when = time_of(fields[name])
            except ValueError:
                continue
            del fields[name]
            return when
    return None


def _move(fields: dict[str, Any], entry: Any) -> None:
    """Move what has a place of its own in an entry there."""
    texts = {"trace": "trace", "spanId": "span_id", "insertId": "insert_id"}
    for name, field in texts.items():
        if isinstance(fields.get(_OURS + name), str):
            setattr(entry, field, fields.pop(_OURS + name))
    if isinstance(fields.get(f"{_OURS}trace_sampled"), bool):
        entry.trace_sampled = fields.pop(f"{_OURS}trace_sampled")
    labels = fields.get(f"{_OURS}labels")
    if isinstance(labels, dict) and len(labels) <= _MOST_LABELS:
        entry.labels.update({str(key): str(value) for key, value in fields.pop(f"{_OURS}labels").items()})
    for name, target in (("httpRequest", entry.http_request), (f"{_OURS}sourceLocation", entry.source_location)):
        if isinstance(fields.get(name), dict):
            try:
                json_format.ParseDict(fields[name], target, ignore_unknown_fields=True)
            except json_format.ParseError:
                target.Clear()
            else:
                del fields[name]
