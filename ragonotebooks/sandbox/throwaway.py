"""A sandbox for one purpose, with a name of its own, that does not outlive it."""

import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.state import State

_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def throwaway(purpose: str) -> Iterator[State]:
    """Start a sandbox named after its purpose; it is gone behind the block, after Ctrl-C, SIGTERM and SIGHUP too."""
    name = f"{purpose}-{secrets.token_hex(6)}"
    with _ending():
        try:
            yield client.up(name)
        finally:
            client.down(name)


@contextmanager
def _ending() -> Iterator[None]:
    """The signals that ask a process to end are a KeyboardInterrupt inside the block, so that it is left in order."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hears signals in the main thread only
        return
    # what is ignored stays ignored: nohup means it
    heeded = [number for number in _ENDS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _end) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
