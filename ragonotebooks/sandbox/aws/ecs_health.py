"""Health checks of containers: what a definition may say, and who asks while the container runs.

Source: Amazon ECS API reference, `HealthCheck`, read 2026-11. The sandbox asks more often than the definition says, a fifth of the
interval apart and twice a second until the first answer is good, so that what is ready or broken shows in seconds. The start
period and the time-out are those of the definition.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from moto.ecs.exceptions import EcsClientException

from ragonotebooks.sandbox.parts.task import CannotStart, TaskProcess

_HASTE: Final = 5
_EAGER: Final = 0.5  # seconds
_SHELL: Final = ("/bin/sh", "-c")
# seconds, seconds, times, seconds: the least, the most and what holds when nothing is said
_LIMITS: Final = {"interval": (5, 300, 30), "timeout": (2, 60, 5), "retries": (1, 10, 3), "startPeriod": (0, 300, 0)}


@dataclass(frozen=True)
class HealthCheck:
    """How a container's health is asked for.

    Attributes:
        words: The command line.
        interval: Seconds between two checks, as the definition says.
        timeout: Seconds that one may take.
        retries: Failures in a row that make the container unhealthy.
        start_period: Seconds in which failures do not count.
    """

    words: list[str]
    interval: float
    timeout: float
    retries: int
    start_period: float


def read_health_check(container: dict[str, Any]) -> HealthCheck | None:
    """Return a container definition's health check, None when it has none or switches the image's off.

    Raises:
        EcsClientException: ECS does not accept it.
    """
    given = container.get("healthCheck")
    if not given:
        return None
    kind, *words = given.get("command") or [""]
    if kind == "NONE":
        return None
    if kind not in ("CMD", "CMD-SHELL") or not words:
        raise EcsClientException("The health check command must begin with CMD or CMD-SHELL and name a command.")
    if kind == "CMD-SHELL":
        words = [*_SHELL, " ".join(words)]
    interval, timeout, retries, start_period = (_number(name, given) for name in _LIMITS)
    return HealthCheck(words, interval, timeout, retries, start_period)


def _number(name: str, given: dict[str, Any]) -> int:
    least, most, usual = _LIMITS[name]
    value = int(given.get(name, usual))
    if not least <= value <= most:
        raise EcsClientException(f"The health check's {name} must be between {least} and {most}, not {value}.")
    return value


class Monitor(threading.Thread):
    """Asks for a container's health until it has ended.

    Args:
        check: How.
        probe: Asks once.
        ended: Set when the container has ended.
        show: Is told `HEALTHY` or `UNHEALTHY` at each change.
    """

    def __init__(
        self, check: HealthCheck, probe: Callable[[], bool], ended: threading.Event, show: Callable[[str], None]
    ) -> None:
        super().__init__(name="health check", daemon=True)
        self._check, self._probe, self._ended, self._show = check, probe, ended, show

    def run(self) -> None:
        """Ask at once, and then again and again."""
        interval = self._check.interval / _HASTE
        status, failures, counts_from = "UNKNOWN", 0, time.monotonic() + max(self._check.start_period, interval)
        while not self._ended.wait(interval if status != "UNKNOWN" else _EAGER):
            before = status
            if self._probe():
                status, failures = "HEALTHY", 0
            elif time.monotonic() >= counts_from:
                failures, counts_from = failures + 1, time.monotonic() + interval * (status == "UNKNOWN")
                status = "UNHEALTHY" if failures >= self._check.retries else status
            if status != before:
                self._show(status)


def passes(start: Callable[[], TaskProcess], seconds: float) -> bool:
    """Whether a program starts and ends well within its time; it is ended when it takes longer."""
    try:
        process = start()
    except CannotStart:
        return False
    code = process.wait(seconds)
    if code is None:
        process.kill()
        process.wait()
    return code == 0
