"""Log delivery: the lines that a program writes become events of a CloudWatch Logs stream, as the awslogs driver makes them."""

import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ragonotebooks.errors import RagonotebooksError

Event = dict[str, Any]

# Amazon CloudWatch Logs API reference, PutLogEvents, read 2026-11: an event's 256 KiB and a batch's 1 MiB count 26 bytes an event
_LONGEST_LINE: Final = 256 * 1024 - 26
_LARGEST_BATCH: Final = 512 * 1024
_MOST_EVENTS: Final = 10_000
_GATHER_SECONDS: Final = 0.05
# between two batches of a program that goes on writing: a call for every few lines would cost more than all of its work
_PAUSE_SECONDS: Final = 0.5
_CHUNK: Final = 16 * 1024


class LogDelivery(threading.Thread):
    """Reads a program's output to its end and sends it on in small batches. Empty lines make no event.

    Args:
        output: What is read.
        put: Sends events; while it does not return, the program has to wait once its pipe is full.
    """

    def __init__(self, output: IO[bytes], put: Callable[[list[Event]], None]) -> None:
        super().__init__(name="log delivery", daemon=True)
        self._output, self._put = output, put
        self._rest = b""
        self._waiting: list[Event] = []
        self._size = 0

    def run(self) -> None:
        """Deliver until the program and all that it started have closed their output."""
        poll, due, sent = select.poll(), 0.0, 0.0
        poll.register(self._output, select.POLLIN | select.POLLHUP)
        while True:
            pause = max(0.0, due - time.monotonic()) * 1000 if self._waiting else None
            if poll.poll(pause):
                chunk = os.read(self._output.fileno(), _CHUNK)
                if not self._waiting:
                    due = max(time.monotonic() + _GATHER_SECONDS, sent + _PAUSE_SECONDS)
                if not chunk:
                    break
                self._take(chunk)
            if self._waiting and (time.monotonic() >= due or self._size > _LARGEST_BATCH):
                self._send()
                sent = time.monotonic()
        self._add([self._rest])
        self._send()
        self._output.close()

    def _take(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        while len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]
        self._add(lines)

    def _add(self, lines: list[bytes]) -> None:
        at = int(time.time() * 1000)
        for line in lines:
            for start in range(0, len(line), _LONGEST_LINE):
                self._waiting.append(
                    {"timestamp": at, "message": line[start : start + _LONGEST_LINE].decode(errors="replace")}
                )
        self._size += sum(len(line) + 26 for line in lines)

    def _send(self) -> None:
        events, self._waiting, self._size = self._waiting, [], 0
        for start in range(0, len(events), _MOST_EVENTS):
            try:
                self._put(events[start : start + _MOST_EVENTS])
            except (ClientError, BotoCoreError, RagonotebooksError) as error:
                # as on Fargate: the program goes on, and what cannot be delivered is lost
                print(f"log events were lost: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the daemon's log
