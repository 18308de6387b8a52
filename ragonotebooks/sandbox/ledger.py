"""The ledger: every API call that a sandbox answers, one JSON object a line in the sandbox's folder.

The control planes fill in `current_call` while they answer; the daemon writes it down when the answer is complete.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

FILE_NAME = "ledger.jsonl"


class Need(NamedTuple):
    """A permission that a call needed and its caller had.

    Attributes:
        permission: As policies name it: `s3:ListBucket`, `storage.buckets.get`.
        resource: What it was needed on, an ARN or a full name; `*` for nothing in particular.
        conditions: What a policy may demand besides, keys of the call's own: `{"iam:PassedToService": "…"}`.
    """

    permission: str
    resource: str
    conditions: dict[str, str]


@dataclass
class Call:
    """One API call.

    Attributes:
        time: When it arrived, ISO 8601 in UTC.
        caller: The ARN (AWS) or e-mail (Google) of who called; empty when nobody was authenticated.
        service: The service's prefix as IAM spells it: `s3`, `rds`.
        action: The operation: `CreateBucket`.
        region: The region that was addressed.
        resource: The ARN or name that the call is about, `*` when it is about none.
        status: The HTTP status of the answer.
        error: The error's code, None when the call succeeded.
        mutating: Whether the operation can change something, and was not refused.
        ms: How long the answer took, in milliseconds.
        needs: The permissions that let it through, as far as the caller's own policies or roles in the project gave them.
        injected: Whether it was refused because a test wants it so.
    """

    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    caller: str = ""
    service: str = ""
    action: str = ""
    region: str = ""
    resource: str = "*"
    status: int = 0
    error: str | None = None
    mutating: bool = False
    ms: float = 0.0
    needs: list[Need] = field(default_factory=list)
    injected: bool = False


current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)


class Ledger:
    """Appends calls to the file of one sandbox; safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / FILE_NAME).open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, call: Call, started: float) -> None:
        """Write one call down; `started` is the `time.perf_counter()` of its arrival."""
        call.ms = round((time.perf_counter() - started) * 1000, 2)
        with self._lock:
            self._file.write(json.dumps(asdict(call)) + "\n")
            self._file.flush()


def end_of_ledger(folder: Path) -> int:
    """Where the ledger of the sandbox in `folder` ends now, for `read_ledger`."""
    return (folder / FILE_NAME).stat().st_size


def read_ledger(folder: Path, *, start: int = 0, mutating_only: bool = False) -> Iterator[Call]:
    """Yield the calls that the sandbox in `folder` has answered, oldest first; `start` is a former end of its ledger."""
    with (folder / FILE_NAME).open("rb") as file:
        file.seek(start)
        for line in file:
            call = parse(line)
            if call.mutating or not mutating_only:
                yield call


def parse(line: str | bytes) -> Call:
    """The call that one line of a ledger tells of."""
    facts = json.loads(line)
    return Call(**{**facts, "needs": [Need(*need) for need in facts["needs"]]})
