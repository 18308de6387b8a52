"""What happens in a run, as it happens: one event, many listeners (the event log, the history, the terminal)."""

import errno
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from ragonotebooks.errors import UsageError

FILE = "events.jsonl"
"""The event log's name in the run folder."""

EventName = Literal[
    "run_started",
    "run_resumed",
    "approved",
    "notebook_started",
    "step_started",
    "cell_finished",
    "check",
    "price",
    "attempt_failed",
    "step_finished",
    "notebook_finished",
    "run_finished",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `data` holds JSON values only, durations in seconds."""

    name: EventName
    data: dict[str, Any]
    time: datetime = field(default_factory=lambda: datetime.now(UTC))


Listener = Callable[[Event], None]


def label(data: dict[str, Any]) -> str:
    """Number and title of the step that an event's data tells of, as the notebook's heading has them."""
    return f"{data['step']} · {data['title']}" if data["step"] is not None else str(data["title"])


class EventLog:
    """Appends every event to a file, one JSON object a line: `time`, `event`, then the event's own fields.

    While it is open the file is locked, so that others can tell a run that goes on from one whose process died. The first
    event that cannot be written raises an OSError; the log ends there, and later events are not taken.
    """

    def __init__(self, path: Path) -> None:
        """Open a new or an existing log; the torn line that a killed process left at its end is cut off.

        Raises:
            UsageError: The log is open in another process.
        """
        self._path = path
        self._ended = False
        self._raises = True
        # unbuffered: what was written is in the file when the process is killed, and nothing is written twice
        self._file = path.open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"the run in {path.parent} goes on; wait until it ends") from None
        self._file.truncate(path.read_bytes().rfind(b"\n") + 1)

    def __call__(self, event: Event) -> None:
        if self._ended:
            return
        facts = {"time": event.time.isoformat(timespec="microseconds"), "event": event.name, **event.data}
        line = (json.dumps(facts, ensure_ascii=False) + "\n").encode()
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._ended = True
            if self._raises:
                raise OSError(error.errno, error.strerror, str(self._path)) from None

    def end_quietly(self) -> None:
        """From now on the log just ends when an event cannot be written: the run has failed already since there is no room."""
        self._raises = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the log takes no event after this."""
        self._ended = True
        self._file.close()


def is_open(path: Path) -> bool:
    """Whether a process has the log at this path open, which is to say: the run goes on."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read(path: Path) -> list[Event]:
    """All events of a log; a torn line at its end, which a killed process left, is none.

    Raises:
        UsageError: The file is missing or holds something else.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        return [_event(json.loads(line)) for line in lines]
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give the folder of a run") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path} is no log of a run, or damaged; give the folder of another run") from None


def _event(facts: dict[str, Any]) -> Event:
    time, name = datetime.fromisoformat(facts.pop("time")), facts.pop("event")
    return Event(name, facts, time)
