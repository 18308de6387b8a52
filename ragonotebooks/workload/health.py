"""Whether everything that the API needs can be reached, and how quickly it answers."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from threading import Lock

from . import logs
from .api_models import Check, Readiness

SECONDS = 3  # less than the 5 s after which a load balancer's health check gives up
FRESH_SECONDS = 1  # anybody may ask, and must not be able to keep the database busy


class Health:
    """Checks by name: each is a call that raises when its thing cannot be used."""

    def __init__(self, checks: Mapping[str, Callable[[], object]]) -> None:
        self._checks = checks
        # a thread for each: one thing that hangs must not hold up the other checks
        self._threads = {name: ThreadPoolExecutor(1, f"health-{name}") for name in checks}
        self._lock = Lock()
        self._last: tuple[float, Readiness] | None = None

    def readiness(self) -> Readiness:
        """What the checks said within the last second: all asked at once, one that takes over three has failed."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > FRESH_SECONDS:
                self._last = time.monotonic(), self._ask()
            return self._last[1]

    def _ask(self) -> Readiness:
        asked = {name: self._threads[name].submit(_timed, name, check) for name, check in self._checks.items()}
        deadline, checks = time.monotonic() + SECONDS, {}
        for name, future in asked.items():
            try:
                checks[name] = future.result(max(0, deadline - time.monotonic()))
            except TooSlow:
                future.cancel()
                checks[name] = Check(ok=False, ms=SECONDS * 1000)
                logs.error("not ready", failed=name, message=f"no answer within {SECONDS} s")
        failed = [name for name, check in checks.items() if not check.ok]
        return Readiness(ready=not failed, failed=failed, checks=checks)

    def close(self) -> None:
        """Forget what is still being asked."""
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)


def _timed(name: str, check: Callable[[], object]) -> Check:
    begun = time.perf_counter()
    try:
        check()
    except Exception as error:  # whatever it is, it is why the check failed
        logs.error("not ready", failed=name, message=f"{type(error).__name__}: {error}".strip())
        return Check(ok=False, ms=_since(begun))
    return Check(ok=True, ms=_since(begun))


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 2)
