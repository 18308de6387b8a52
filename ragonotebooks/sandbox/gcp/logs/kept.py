"""The entries of one project's logs, the newest of them: they are kept in memory, and the oldest go first."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Final
from urllib.parse import unquote

from google.logging.type import log_severity_pb2
from google.protobuf import json_format

from ragonotebooks.sandbox.gcp.filters import Matches

_MOST: Final = 50_000
# 64-bit numbers, which JSON has as texts
_SIZES: Final = ("requestSize", "responseSize", "cacheFillBytes")


@dataclass
class Kept:
    """An entry.

    Attributes:
        number: Grows with every entry that is written.
        entry: The entry as it is shown.
    """

    number: int
    entry: Any

    @property
    def time(self) -> int:
        """Its timestamp, in nanoseconds."""
        return int(self.entry.timestamp.ToNanoseconds())

    @cached_property
    def view(self) -> dict[str, Any]:
        """What filters look at: the entry in JSON, its times as times, its sizes as numbers, its severity also as a number."""
        view: dict[str, Any] = json_format.MessageToDict(self.entry)
        number = self.entry.severity
        if request := view.get("httpRequest"):
            request.update({name: int(request[name]) for name in _SIZES if name in request})
            request["latency"] = self.entry.http_request.latency
        return {
            **view,
            "timestamp": self.entry.timestamp,
            "receiveTimestamp": self.entry.receive_timestamp,
            "severity": log_severity_pb2.LogSeverity.Name(number),
            "severityNumber": number,
            "logId": unquote(self.entry.log_name.partition("/logs/")[2]),
        }


class Entries:
    """All entries. Whoever calls holds the control plane's lock."""

    def __init__(self) -> None:
        self._entries: deque[Kept] = deque(maxlen=_MOST)
        self._numbers = count(1)

    def add(self, entry: Any) -> Kept:
        """Keep an entry and return it."""
        kept = Kept(next(self._numbers), entry)
        self._entries.append(kept)
        return kept

    def find(self, matches: Matches) -> Iterator[Kept]:
        """Yield the entries that match, in the order in which they were written."""
        return (kept for kept in list(self._entries) if matches(kept.view))

    def names(self) -> Iterable[str]:
        """The names of all logs that have entries."""
        return sorted({kept.entry.log_name for kept in self._entries})

    def delete(self, log_name: str) -> bool:
        """Delete a log; return whether there was anything of it."""
        left = [kept for kept in self._entries if kept.entry.log_name != log_name]
        found = len(left) < len(self._entries)
        self._entries = deque(left, maxlen=_MOST)
        return found
