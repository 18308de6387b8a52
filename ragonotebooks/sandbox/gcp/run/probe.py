"""When an instance may be asked, its startup probe or that it listens on its port, and when it is no good any more.

Source: Cloud Run, "Configure container health checks for services", read 2026-11.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from ragonotebooks.sandbox.gcp.errors import invalid, unsupported
from ragonotebooks.sandbox.gcp.run.failures import StartFailure
from ragonotebooks.sandbox.gcp.run.instance import Instance
from ragonotebooks.sandbox.parts.balancer.http1 import HEAD_LIMIT, BadMessageError, Head, read_response
from ragonotebooks.sandbox.streams import close

_LOOK_AGAIN: Final = 0.05
_DEFAULT_SECONDS: Final = 240.0
_HEALTHY: Final = range(200, 400)
_LONGEST: Final = 240


@dataclass(frozen=True)
class Probe:
    """What is asked of an instance, and how long it may take to answer.

    Attributes:
        port: The port; 0 for an instance that is asked nothing.
        path: For HTTP: what is fetched; empty for TCP.
        limit: Seconds from its start until it must have answered.
        timeout: Seconds for one attempt.
        wanted: The port that its PORT variable names.
    """

    port: int
    path: str = ""
    limit: float = _DEFAULT_SECONDS
    timeout: float = 1.0
    wanted: int = 0

    async def wait(self, instance: Instance) -> None:
        """Return when the instance answers.

        Raises:
            StartFailure: It has ended, or does not answer in time.
        """
        if self.port == 0:
            return
        deadline = asyncio.get_running_loop().time() + self.limit
        while asyncio.get_running_loop().time() < deadline and not instance.ended.is_set():
            if await self.passes(instance.address):
                return
            await asyncio.sleep(_LOOK_AGAIN)
        raise StartFailure(self._problem(instance), "HEALTH_CHECK_CONTAINER_ERROR")

    async def passes(self, address: str) -> bool:
        """Ask once."""
        try:
            async with asyncio.timeout(self.timeout):
                reader, writer = await asyncio.open_connection(address, self.port, limit=HEAD_LIMIT)
                try:
                    if not self.path:
                        return True
                    fields = [("Host", f"{address}:{self.port}"), ("User-Agent", "CloudRun-HealthCheck")]
                    writer.write(Head(("GET", self.path, "HTTP/1.1"), [*fields, ("Connection", "close")]).encode())
                    return int((await read_response(reader)).line[1]) in _HEALTHY
                finally:
                    close(writer)
        except (OSError, EOFError, BadMessageError, TimeoutError):
            return False

    def _problem(self, instance: Instance) -> str:
        text = (
            "The user-provided container failed to start and listen on the port defined provided by the "
            f"PORT={self.wanted} environment variable within the allocated timeout."
        )
        if instance.code is not None:
            text += f" Container called exit({instance.code})."
        lines = "\n".join(instance.last_lines)
        return f"{text} The last lines of its log:\n{lines}" if lines else f"{text} It has written nothing to its log."


@dataclass(frozen=True)
class Liveness:
    """A liveness probe.

    Attributes:
        probe: What is asked.
        delay: Seconds before the first time.
        period: Seconds between two times.
        threshold: How many times in a row it must fail.
    """

    probe: Probe
    delay: float
    period: float
    threshold: int

    async def fails(self, instance: Instance) -> bool:
        """Return True when the instance has failed, False when it has ended by itself."""
        failures = 0
        await asyncio.sleep(self.delay)
        while not instance.ended.is_set():
            await asyncio.sleep(self.period)
            failures = 0 if await self.probe.passes(instance.address) else failures + 1
            if failures >= self.threshold and not instance.ended.is_set():
                return True
        return False


def port_of(container: Any) -> int:
    """The port on which a container is asked.

    Raises:
        ApiError: It has several, or speaks another protocol.
    """
    if len(container.ports) > 1:
        raise invalid("A container may have one port.", {"template.containers.ports": "more than one"})
    if not container.ports:
        container.ports.add(name="http1", container_port=8080)
    port = container.ports[0]
    if port.name not in ("", "http1"):
        raise unsupported(f"a port of the protocol {port.name}", "is not supported by the sandbox, only http1")
    port.name = "http1"
    port.container_port = port.container_port or 8080
    return int(port.container_port)


def probe_of(container: Any) -> Probe:
    """The startup probe of a container.

    Raises:
        ApiError: It is wrong.
    """
    port, given = port_of(container), container.startup_probe
    if given.WhichOneof("probe_type") is None:
        return Probe(port, wanted=port)
    limit = (given.period_seconds or 10) * (given.failure_threshold or 3)
    if limit > _LONGEST:
        raise invalid(f"The startup probe takes {limit} s; {_LONGEST} s is the most.")
    return _probe(given, port, float(given.initial_delay_seconds + limit))


def liveness_of(container: Any) -> Liveness | None:
    """The liveness probe of a container, None when it has none.

    Raises:
        ApiError: It is wrong.
    """
    given = container.liveness_probe
    if given.WhichOneof("probe_type") is None:
        return None
    probe = _probe(given, port_of(container), 0.0)
    return Liveness(probe, given.initial_delay_seconds, given.period_seconds or 10, given.failure_threshold or 3)


def _probe(given: Any, port: int, limit: float) -> Probe:
    kind = given.WhichOneof("probe_type")
    if kind == "grpc":
        raise unsupported("a gRPC probe")
    chosen = getattr(given, kind)
    path = (chosen.path or "/") if kind == "http_get" else ""
    return Probe(chosen.port or port, path, limit, float(given.timeout_seconds or 1), port)
