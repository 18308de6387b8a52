"""What happens in a run, as it happens: one event, many listeners (the terminal, the event log)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

EventName = Literal[
    "run_started",
    "notebook_started",
    "step_started",
    "cell_finished",
    "check",
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


class EventLog:
    """Writes every event to a file, one JSON object a line: `time`, `event`, then the event's own fields."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)

    def __call__(self, event: Event) -> None:
        line = {"time": event.time.isoformat(timespec="milliseconds"), "event": event.name, **event.data}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file; the log takes no event after this."""
        self._file.close()
