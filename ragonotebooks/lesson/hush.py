"""`hush`: tell the run that a value is secret, before anything can be shown of it. Imports nothing, for kernels start with it.

A kernel that `ragonotebooks` started has a socket to the process that runs it. A value goes there once, and the cell goes on
when it has arrived; so whatever the cell shows of it, the run can take it out. Elsewhere, such as in JupyterLab, there is
nobody to tell.
"""

import os
import socket
import threading
from typing import Final, TypeVar

VARIABLE: Final = "RAGONOTEBOOKS_HUSH"
"""The environment variable that names the socket's file descriptor when a kernel starts."""

SHORTEST: Final = 8
"""Characters that a secret has at least: what is shorter stands in too many harmless texts to be taken out of them."""

_Text = TypeVar("_Text", bound=str | bytes)

_lock = threading.Lock()
_told: set[bytes] = set()
_run: socket.socket | None = None


def hush(value: _Text) -> _Text:
    """Have the run keep this value out of everything that it saves, and return the value.

    For what the run cannot know by itself, such as a password that was read out of a page. What is shorter than 8
    characters is not kept out.
    """
    text = value.encode() if isinstance(value, str) else value
    if _run and len(text) >= SHORTEST:
        with _lock:
            if text not in _told:
                _tell(_run, text)
                _told.add(text)
    return value


def enter() -> None:
    """Take the socket over from the environment, so that no process that a cell starts has it."""
    global _run
    descriptor = os.environ.pop(VARIABLE, None)
    if descriptor:
        os.set_inheritable(int(descriptor), False)
        _run = socket.socket(fileno=int(descriptor))


def _tell(run: socket.socket, text: bytes) -> None:
    run.sendall(len(text).to_bytes(4) + text)
    if not run.recv(1):
        raise ConnectionError("the process that runs this notebook has ended")
