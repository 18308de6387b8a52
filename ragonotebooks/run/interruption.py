"""SIGINT, SIGTERM and SIGHUP as a wish to stop, so that nothing is cut off in the middle of a write."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from ragonotebooks.run.kernel import IpcKernelManager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 3.0
"""Seconds that an interrupted cell has before its kernel is killed."""
_LOOK = 0.1
"""Seconds between two looks for a signal while waiting."""


class Interruption:
    """Remembers the signal that asked to stop and passes it on to the running kernel.

    The first signal interrupts the running cell, as the stop button of JupyterLab does; a cell that goes on for three
    more seconds, or a second signal, ends the kernel.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.kernel: IpcKernelManager | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the signals inside the block. Python allows it in the main thread only; elsewhere none arrives."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # What is ignored stays ignored: nohup means it.
        heeded = [signum for signum in _SIGNALS if signal.getsignal(signum) is not signal.SIG_IGN]
        before = {signum: signal.signal(signum, self._receive) for signum in heeded}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def wait(self, seconds: float) -> None:
        """Let the time pass, unless a signal asks to stop or has asked."""
        end = monotonic() + seconds
        while self.received is None and (left := end - monotonic()) > 0:
            sleep(min(left, _LOOK))

    def _receive(self, signum: int, _frame: object) -> None:
        first, self.received = self.received is None, self.received or signal.Signals(signum)
        if self.kernel is None:
            return
        if first:
            self.kernel.signal(signal.SIGINT)
            timer = threading.Timer(_GRACE, self.kernel.signal, [signal.SIGKILL])
            timer.daemon = True
            timer.start()
        else:
            self.kernel.signal(signal.SIGKILL)
