"""What waits in a subscription of Pub/Sub: every message is given until it is acknowledged, again when its deadline is over."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

_MOST: Final = 10_000  # messages of one subscription; the oldest go first


@dataclass
class _Waiting:
    message: Json
    free: float = 0.0  # until then, on the monotonic clock, somebody has it


class Inbox:
    """The messages of one subscription. Whoever calls holds the control plane's lock.

    Args:
        seconds: How long whoever pulls a message has it for themselves.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._waiting: dict[str, _Waiting] = {}

    def add(self, message: Json) -> None:
        """Keep a message."""
        self._waiting[message["messageId"]] = _Waiting(message)
        for oldest in list(self._waiting)[:-_MOST]:
            del self._waiting[oldest]

    def has_some(self) -> bool:
        """Whether there is a message that nobody has."""
        return bool(self._free())

    def take(self, most: int) -> list[Json]:
        """Return up to `most` messages, the oldest first, as the API has them: `{"ackId": …, "message": …}`."""
        taken = self._free()[:most]
        self.put_off(taken, self._seconds)
        return [{"ackId": one, "message": self._waiting[one].message} for one in taken]

    def put_off(self, ack_ids: Iterable[str], seconds: int) -> None:
        """Let whoever has messages have them for so long from now on; 0 gives them back."""
        for one in ack_ids:
            if one in self._waiting:
                self._waiting[one].free = time.monotonic() + seconds

    def acknowledge(self, ack_ids: Iterable[str]) -> None:
        """Forget messages."""
        for one in ack_ids:
            self._waiting.pop(one, None)

    def _free(self) -> list[str]:
        now = time.monotonic()
        return [one for one, waiting in self._waiting.items() if waiting.free <= now]
