"""What Cloud SQL and Memorystore do alike: a server and a relay at a private address for each instance."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ragonotebooks.sandbox.callers import Address
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import places
from ragonotebooks.sandbox.parts.relay import Relay
from ragonotebooks.sandbox.parts.server import Server


@dataclass(frozen=True)
class Real:
    """What stands behind one instance.

    Attributes:
        server: Its server.
        relay: The endpoint in front of it.
        address: Where on this machine the endpoint is; the API shows it as the private address.
    """

    server: Server
    relay: Relay
    address: str


AnyReal = TypeVar("AnyReal", bound=Real)


class PrivateServers(Generic[AnyReal]):
    """The servers of all instances, by the instance's name. What takes long is done without the control plane's lock.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._real: dict[str, AnyReal] = {}

    def remove(self, name: str) -> None:
        """End an instance's server and remove its data."""
        real = self._real.pop(name, None)
        if real is not None:
            self._cloud.context.run(real.relay.close())
            real.server.remove()

    def _folder(self, kind: str) -> Path:
        # a unix socket's path may have 107 bytes
        return self._cloud.context.folder / kind / secrets.token_hex(5)

    def _admits(self, endpoint: places.ServiceEndpoint) -> Callable[[Address, Address], bool]:
        """The judge of an endpoint's connections."""
        return lambda client, here: places.admits_to_service(self._cloud, endpoint, client, here)

    def _open(self, name: str, real: AnyReal) -> AnyReal:
        """Let clients reach a server that runs, and keep it running."""
        self._cloud.context.run(real.relay.open())
        real.server.keep()
        with self._cloud.context.lock:
            self._real[name] = real
        return real
