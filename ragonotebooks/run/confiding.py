"""How a kernel confides its secrets to the process that runs it, and where its last words go: never to a file."""

import os
import socket
import threading
from collections import deque
from collections.abc import Callable

from ragonotebooks.lesson import hush


class Ear:
    """The socket over which a kernel tells its secrets. The kernel goes on when each has arrived: `learn` knows it then."""

    def __init__(self, learn: Callable[[bytes], None]) -> None:
        self._here, self._there = socket.socketpair()
        self._learn = learn

    @property
    def inherited(self) -> int:
        """The file descriptor that the kernel keeps open."""
        return self._there.fileno()

    @property
    def variables(self) -> dict[str, str]:
        """What the kernel's environment says of it."""
        return {hush.VARIABLE: str(self.inherited)}

    def listen(self) -> None:
        """Listen until the kernel ends; to be called when it has been started."""
        self._there.close()
        threading.Thread(target=self._heed, daemon=True).start()

    def _heed(self) -> None:
        with self._here, self._here.makefile("rb") as told:
            while len(length := told.read(4)) == 4:
                self._learn(told.read(int.from_bytes(length)))
                self._here.sendall(b"\1")


class LastWords:
    """What a kernel writes outside of its cells, such as the trace of a crash: the last lines of it, kept in memory."""

    def __init__(self, lines: int) -> None:
        self._read, self._write = os.pipe()
        self._lines: deque[str] = deque(maxlen=lines)
        self._thread = threading.Thread(target=self._follow, daemon=True)

    @property
    def inherited(self) -> int:
        """The file descriptor that the kernel writes to."""
        return self._write

    def listen(self) -> None:
        """Listen until the kernel and all that it started have ended; to be called when it has been started."""
        os.close(self._write)
        self._thread.start()

    def heard(self) -> list[str]:
        """The last lines; of a kernel that has ended, the very last."""
        self._thread.join(timeout=1)
        return list(self._lines)

    def _follow(self) -> None:
        with open(self._read, encoding="utf-8", errors="replace") as words:  # noqa: PTH123 - a file descriptor, no path
            for line in words:
                self._lines.append(line.rstrip("\n"))
