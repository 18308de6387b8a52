"""Target groups: the targets, the connections to them that are kept, and whose turn it is.

Source: Application Load Balancers user guide, "Target groups" and "Health checks for your target groups", read 2026-11.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ragonotebooks.sandbox.parts.balancer.http1 import HEAD_LIMIT
from ragonotebooks.sandbox.streams import Stream, close, no_delay

_CONNECT_SECONDS: Final = 10


@dataclass(frozen=True)
class Health:
    """A target's state as the API shows it: `initial`, `healthy` or `unhealthy`, with the reason and what a person reads."""

    state: str
    reason: str | None = None
    description: str | None = None


INITIAL: Final = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")


@dataclass(eq=False)
class Target:
    """One target.

    Attributes:
        key: Its private address and port, as registered.
        address: The address of this machine at which it listens; None when the network does not lead there.
        port: Where it listens.
        check: The address and port at which its health is checked; None when the network does not lead there.
        health: What the checks have found.
        draining: Whether it gets no new requests because it was deregistered.
        outstanding: How many requests it has not finished.
    """

    key: str
    address: str | None
    port: int
    check: tuple[str, int] | None
    health: Health = INITIAL
    draining: bool = False
    outstanding: int = 0
    _idle: list[Stream] = field(default_factory=list)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def token(self) -> str:
        """What stands for the target in a cookie."""
        return hashlib.sha256(self.key.encode()).hexdigest()

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Count a request for as long as it lasts."""
        self.outstanding += 1
        try:
            yield
        finally:
            self.outstanding -= 1

    async def connect(self, fresh: bool = False) -> tuple[Stream, bool]:
        """Return a connection, and whether it was used before; `fresh` asks for one that was not.

        Raises:
            TimeoutError: The network does not lead to the target.
            OSError: The target refuses.
        """
        while self._idle and not fresh:
            stream = self._idle.pop()
            if not stream[0].at_eof() and not stream[1].is_closing():
                return stream, True
            self.discard(stream)
        if self.address is None:
            raise TimeoutError(f"the network does not lead to {self.key}")
        async with asyncio.timeout(_CONNECT_SECONDS):
            stream = await asyncio.open_connection(self.address, self.port, limit=HEAD_LIMIT)
        no_delay(stream[1])
        self._open.add(stream[1])
        return stream, False

    def keep(self, stream: Stream) -> None:
        """Keep a connection for the next request."""
        if self.draining:
            self.discard(stream)
        else:
            self._idle.append(stream)

    def discard(self, stream: Stream) -> None:
        """Close a connection."""
        self._open.discard(stream[1])
        close(stream[1])

    def cut(self) -> None:
        """Close all connections, also those in use."""
        self._idle.clear()
        for writer in list(self._open):
            close(writer)
        self._open.clear()


@dataclass(eq=False)
class Group:
    """A target group.

    Attributes:
        arn: Its name in the API.
        settings: Its algorithm, its stickiness and its health check, as the control plane says.
        targets: By key.
    """

    arn: str
    settings: dict[str, Any]
    targets: dict[str, Target] = field(default_factory=dict)
    _turn: int = 0

    def choose(self, token: str | None) -> Target | None:
        """Return the target for the next request, the one of the token where that can be; None when there is none."""
        able = self._able()
        if not able:
            return None
        if token and (same := [target for target in able if target.token == token]):
            return same[0]
        self._turn += 1
        if self.settings["algorithm"] == "least_outstanding_requests":
            fewest = min(target.outstanding for target in able)
            able = [target for target in able if target.outstanding == fewest]
        return able[self._turn % len(able)]

    def _able(self) -> list[Target]:
        registered = [target for target in self.targets.values() if not target.draining]
        healthy = [target for target in registered if target.health.state == "healthy"]
        if healthy or any(target.health.state != "unhealthy" for target in registered):
            return healthy
        # a group of unhealthy targets alone "fails open": all get requests
        return registered
