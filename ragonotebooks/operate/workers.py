"""Who works in a worker pool, told by what its instances log: Cloud Run has no call that counts them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.cloud import logging as cloud_logging

_SECONDS: Final = 280  # for instances to begin or to stop
_FAILED: Final = 3  # so many instances that end by themselves are enough to know
_KEPT: Final = timedelta(days=30)  # by Cloud Logging, and asked for: a client asks for a day unless it is told
_EXIT: Final = "Container called exit("


@dataclass
class _Told:
    """What the log tells of a revision: the ids of its instances at work, and how many ended with an error."""

    working: set[str] = field(default_factory=set)
    failed: int = 0


def missing(revision: str, wanted: int) -> str | None:
    """Wait until as many instances of a revision work as shall; return what is in the way, None when nothing is.

    Args:
        revision: Its name, the last part alone.
        wanted: How many shall work.
    """
    before, end = _told(revision).failed, time.monotonic() + _SECONDS
    while time.monotonic() < end:
        now = _told(revision)
        if len(now.working) == wanted:
            return None
        if now.failed >= before + _FAILED:
            break
        time.sleep(0.5)
    return "\n".join([f"{len(_told(revision).working)} of {wanted} workers run", *last_words(revision)])


def at_work(revision: str) -> int:
    """How many instances of a revision work."""
    return len(_told(revision).working)


def last_words(revision: str) -> Iterator[str]:
    """What instances of a revision, of a pool or of a service, have said last where errors go."""
    newest = _entries(f'resource.labels.revision_name="{revision}" log_id("run.googleapis.com/stderr")', 3, newest=True)
    for entry in reversed(list(newest)):
        yield str(entry.payload.get("message", "") if isinstance(entry.payload, dict) else entry.payload)


def _told(revision: str) -> _Told:
    told = _Told()
    said = f'jsonPayload.event="working" OR jsonPayload.event="stopped" OR textPayload:"{_EXIT}"'
    for entry in _entries(f'resource.labels.revision_name="{revision}" ({said})'):
        instance = entry.labels["instanceId"]
        if isinstance(entry.payload, dict) and entry.payload["event"] == "working":
            told.working.add(instance)
        else:
            told.working.discard(instance)
            told.failed += str(entry.payload).startswith(_EXIT) and f"{_EXIT}0)" not in entry.payload
    return told


def _entries(where: str, most: int | None = None, *, newest: bool = False) -> Any:
    logs = cloud_logging.Client()
    since = (datetime.now(UTC) - _KEPT).isoformat()
    order = cloud_logging.DESCENDING if newest else cloud_logging.ASCENDING
    return logs.list_entries(filter_=f'{where} timestamp>="{since}"', order_by=order, max_results=most)
