"""What the controllers of managed servers share: RDS and ElastiCache keep a server and a relay for each thing in their APIs."""

import hashlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ragonotebooks.sandbox.aws import network
from ragonotebooks.sandbox.callers import Address, CallerGone
from ragonotebooks.sandbox.context import Context, Place
from ragonotebooks.sandbox.parts.relay import Relay


class Server(Protocol):
    """A server that can be removed with all that it has."""

    def remove(self) -> None: ...


Program = TypeVar("Program")
AnyServer = TypeVar("AnyServer", bound=Server)


@dataclass
class Real(Generic[AnyServer]):
    """What stands behind one thing of the API.

    Attributes:
        server: Its server.
        relay: The endpoint in front of it.
        address: Where the endpoint is: address and port.
    """

    server: AnyServer
    relay: Relay
    address: tuple[str, int]


class Controller(Generic[Program, AnyServer]):
    """Makes what moto's backends say real.

    Args:
        context: The daemon's shared parts.
        install: Makes the program that servers run available below a folder, once.
        transitional: The states that things are in on their way to another one.
    """

    def __init__(self, context: Context, install: Callable[[Path], Program], transitional: frozenset[str]) -> None:
        self._context = context
        self._real: dict[str, Real[AnyServer]] = {}
        self._install = install
        self._transitional = transitional

    @property
    def installation(self) -> Program:
        """The program that servers run.

        Raises:
            RagonotebooksError: There is none on this machine.
        """
        return self._install(self._context.folder)

    def wait_for(self, shown: Iterable[Any]) -> None:
        """Let go of the lock until none of moto's objects is on its way to another state, within limits."""
        known = list(shown)
        self._context.wait_until(lambda: not any(one.status in self._transitional for one in known))

    def _background(
        self, arn: str, work: Callable[[], None], show: Callable[[str], None], then: str, failed: str
    ) -> None:
        """Do `work`; then let the API show the state `then`, or `failed` when it fails."""

        def go() -> None:
            state = then
            try:
                work()
            except Exception as error:
                state = failed
                print(f"{arn}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the daemon's log
            with self._context.changed:
                show(state)
                self._context.changed.notify_all()

        self._context.workers.submit(go)

    def _source(self, client: Address, here: Address) -> Place | None:
        """Where a connection comes from, None when its caller has gone."""
        try:
            task = self._context.callers.who(client, here)
        except CallerGone:
            return None
        return self._context.places.get(task, network.OUTSIDE) if task else network.OUTSIDE

    def _end(self, real: Real[AnyServer]) -> None:
        """Close the endpoint and remove the server."""
        self._context.run(real.relay.close())
        real.server.remove()

    def _folder(self, kind: str, arn: str) -> Path:
        # a unix socket's path may have 107 bytes, an instance's name alone 63
        return self._context.folder / kind / hashlib.sha256(arn.encode()).hexdigest()[:10]
