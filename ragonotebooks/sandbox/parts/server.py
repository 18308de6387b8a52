"""A server behind an endpoint: one process that listens on a unix socket and writes a log. What Postgres and Valkey share."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.watcher import Watcher

_START_LIMIT: Final = 20.0
_STOP_LIMIT: Final = 10.0
_RESTART_PAUSE: Final = 0.2


class Server:
    """A process in a folder of its own.

    Args:
        name: What a person calls it.
        folder: Where its data, socket and log live; it should have a short path.
        socket: The name of its unix socket.
        watcher: Ends the server when the daemon ends.
    """

    def __init__(self, name: str, folder: Path, socket: str, watcher: Watcher) -> None:
        self._name = name
        self._watcher = watcher
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.RLock()  # one starts or stops it at a time
        self.folder = folder
        self.socket = folder / socket
        self.log = folder / f"{name.lower()}.log"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def crashed(self) -> bool:
        """Whether the server has ended without having been told to."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises:
            RagonotebooksError: It did not; the message ends with the last line of its log.
        """
        raise NotImplementedError

    def keep(self) -> None:
        """Start the server again whenever it ends by itself, until it is stopped or the daemon ends."""

        def go() -> None:
            while self._process:
                self.wait()
                time.sleep(_RESTART_PAUSE)
                with self._turn:
                    if self.crashed and not self._watcher.finished:
                        self.start()

        threading.Thread(target=go, name=f"keep {self.folder.name}", daemon=True).start()

    def stop(self) -> None:
        """Shut the server down; its data stays."""
        with self._turn:
            if self._process is None:
                return
            process, self._process = self._process, None
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=_STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()
            self._watcher.remove(process.pid)

    def remove(self) -> None:
        """Shut the server down and delete its files."""
        self.stop()
        shutil.rmtree(self.folder)

    def wait(self) -> None:
        """Block until the server has ended, for whatever reason."""
        if process := self._process:
            process.wait()

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, mode=0o700)
        own(self.folder)

    def _launch(self, program: Sequence[str], answers: Callable[[], bool], settings: bytes = b"") -> None:
        """Start `program` with `settings` as its input, and return when `answers()`."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                program,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
                **identity(),
            )
        self._watcher.add(self._process.pid, "server")
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it has ended already, and its log says why
                self._process.stdin.write(settings)
                self._process.stdin.close()
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline and self._process.poll() is None:
            if answers():
                return
            time.sleep(0.01)
        raise RagonotebooksError(f"{self._name} did not start: {self._last_line()}")

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it left no word in its log"


def identity() -> dict[str, Any]:
    """Whom a server runs as, for Popen: `nobody` where this process is root, which servers should not be."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def own(path: Path) -> None:
    """Give a file, or a folder with all that is in it, to whom servers run as."""
    whom = identity()
    if not whom:
        return
    for item in [path, *path.rglob("*")] if path.is_dir() else [path]:
        os.chown(item, whom["user"], whom["group"], follow_symlinks=False)
