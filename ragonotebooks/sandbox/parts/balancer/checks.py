"""Health checks: each target is asked at its interval, and the thresholds decide.

While a target is new it is asked more often than the interval says, so that a healthy one is known at once, as soon as it answers;
that it does not answer yet counts against it no faster than on AWS.
Source: Application Load Balancers user guide, "Health checks for your target groups", read 2026-11.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from ragonotebooks.sandbox.parts.balancer.http1 import HEAD_LIMIT, BadMessageError, Head, read_response
from ragonotebooks.sandbox.parts.balancer.targets import Group, Health, Target
from ragonotebooks.sandbox.streams import close

_QUICK_SECONDS: Final = 0.2
_HEALTHY: Final = Health("healthy")
_TIMEOUT: Final = Health("unhealthy", "Target.Timeout", "Request timed out")
_FAILED: Final = Health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
_CHECKING: Final = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")


class Watch:
    """Checks one target for as long as it is registered.

    Args:
        group: The target's group, whose settings may change meanwhile.
        target: The target; its health is kept up to date.
        changed: Is told when the health has changed.
    """

    def __init__(self, group: Group, target: Target, changed: Callable[[], None]) -> None:
        self._group, self._target, self._changed = group, target, changed
        self._run = 0  # how many checks in a row spoke for another state
        self._counted = float("-inf")
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        """Check no more."""
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            check = self._group.settings["check"]
            found = await probe(self._target, check)
            self._take(found, check)
            await asyncio.sleep(_QUICK_SECONDS if self._target.health.state == "initial" else check["interval"])

    def _take(self, found: Health, check: dict[str, Any]) -> None:
        state = self._target.health.state
        if state == "initial":
            found = self._first(found, check)
        elif found.state == state:
            self._run = 0
        else:
            self._run += 1
            if self._run < check[found.state]:
                return
            self._run = 0
        if found != self._target.health:
            self._target.health = found
            self._changed()

    def _first(self, found: Health, check: dict[str, Any]) -> Health:
        """The state of a new target: one passed check makes it healthy, failed ones count once an interval."""
        now = asyncio.get_running_loop().time()
        if found.state == "unhealthy" and now - self._counted >= check["interval"]:
            self._run, self._counted = self._run + 1, now
        settled = found.state == "healthy" or self._run >= check["unhealthy"]
        self._run = 0 if settled else self._run
        return found if settled else _CHECKING


async def probe(target: Target, check: dict[str, Any]) -> Health:
    """Ask a target once: `check` holds `path`, `matcher` and `timeout`."""
    if target.check is None:
        return _TIMEOUT
    try:
        async with asyncio.timeout(check["timeout"]):
            status = await _status(target.check, f"{target.key.rpartition(':')[0]}:{target.check[1]}", check["path"])
    except TimeoutError:
        return _TIMEOUT
    except (OSError, EOFError, BadMessageError):
        return _FAILED
    if _matches(status, check["matcher"]):
        return _HEALTHY
    return replace(
        _FAILED, reason="Target.ResponseCodeMismatch", description=f"Health checks failed with these codes: [{status}]"
    )


async def _status(place: tuple[str, int], host: str, path: str) -> int:
    reader, writer = await asyncio.open_connection(*place, limit=HEAD_LIMIT)
    fields = [("Host", host), ("Connection", "close"), ("User-Agent", "ELB-HealthChecker/2.0")]
    try:
        writer.write(Head(("GET", path, "HTTP/1.1"), fields).encode())
        return int((await read_response(reader)).line[1])
    finally:
        close(writer)


def _matches(status: int, matcher: str) -> bool:
    """Whether a status is in a list like `200,300-399`."""
    for part in matcher.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False
