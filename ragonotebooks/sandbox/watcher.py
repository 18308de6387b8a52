"""The watcher: one small process a sandbox which ends everything that the daemon started, however the daemon ends.

It reads `+PID KIND` and `-PID` lines from the daemon. The end of its input means that the daemon is gone, killed or not: then
it stops servers at once and kills task processes with all their descendants. It is run by path, without the package.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

#: A server stops on SIGQUIT (Postgres: immediate shutdown); a task is killed with its descendants.
Kind = Literal["server", "task"]


class Watcher:
    """The daemon's end of the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdin
        self._stdin = self._process.stdin
        self.pid = self._process.pid
        self._lock = threading.Lock()

    @property
    def finished(self) -> bool:
        """Whether everything has to end, since the daemon does."""
        return self._stdin.closed

    def add(self, pid: int, kind: Kind) -> None:
        """From now on `pid` does not survive the daemon; while the daemon ends, it does not live at all."""
        if not self._say(f"+{pid} {kind}\n"):
            _kill(pid, signal.SIGKILL)

    def remove(self, pid: int) -> None:
        """`pid` has ended."""
        self._say(f"-{pid}\n")

    def finish(self) -> None:
        """End everything that is left, and wait until it is gone."""
        with self._lock:
            self._stdin.close()
        self._process.wait(timeout=20)

    def _say(self, line: str) -> bool:
        """Whether the watcher hears it."""
        with self._lock:
            if self.finished:
                return False
            self._stdin.write(line)
            self._stdin.flush()
            return True


def descendants(pid: int) -> list[int]:
    """Return the process ids below `pid`, children first. Linux only: it reads /proc."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _end(watched: dict[int, str]) -> None:
    everything = {pid: [pid, *descendants(pid)] for pid in watched}
    for pid, kind in watched.items():
        if kind == "server":
            _kill(pid, signal.SIGQUIT)
        else:
            for member in everything[pid]:
                _kill(member, signal.SIGKILL)
    deadline = time.monotonic() + 3
    members = [member for tree in everything.values() for member in tree]
    while time.monotonic() < deadline and any(_alive(member) for member in members):
        time.sleep(0.02)
    for member in members:
        if _alive(member):
            _kill(member, signal.SIGKILL)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watched: dict[int, str] = {}
    for line in sys.stdin:
        if line.startswith("+"):
            pid, kind = line[1:].split()
            watched[int(pid)] = kind
        else:
            watched.pop(int(line[1:]), None)
    _end(watched)


if __name__ == "__main__":
    _main()
