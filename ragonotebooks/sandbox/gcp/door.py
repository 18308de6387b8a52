"""The door to Google Cloud: it is loaded when one of its hosts is first called, so that it costs nothing before."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.front import Front
from ragonotebooks.sandbox.gateway import GiveBack, Player, Wanted
from ragonotebooks.sandbox.gcp import identity
from ragonotebooks.sandbox.local import Local
from ragonotebooks.sandbox.parts.public_registry import PublicRegistry, Source
from ragonotebooks.sandbox.streams import Stream

if TYPE_CHECKING:
    from ragonotebooks.sandbox.gcp.control_plane import ControlPlane

#: The hosts that are played.
HOSTS: Final = r"(.+\.)?googleapis\.com"
_REGISTRIES: Final = r"[a-z0-9-]+-docker\.pkg\.dev"
_DOCKER_HUB: Final = Source("mirror.gcr.io", "library/python", "/v2/token", "repository:library/python:pull")
_RUN: Final = r".+\.run\.app"
_METADATA: Final = r"metadata\.google\.internal|169\.254\.169\.254"


class Door:
    """Loads the control plane once, whichever front is called first.

    Args:
        context: The daemon's shared parts.
        local: What answers on the loopback address itself, for services that serve something there.
    """

    def __init__(self, context: Context, local: Local) -> None:
        self._context = context
        self._local = local
        self._plane: ControlPlane | None = None
        self._docker_hub: PublicRegistry | None = None
        self._lock = threading.Lock()

    def play(self, front: Front) -> None:
        """Let `front` answer for Google's hosts."""
        front.play(HOSTS, self)
        front.play(_REGISTRIES, self._registry)
        front.play(re.escape(_DOCKER_HUB.host), self._mirror)
        front.play_whole(_METADATA, _Player(lambda: self._run().instances.metadata))
        front.play_whole(_RUN, _Player(lambda: self._run().gate))

    def verdict(self, instance: str, host: str) -> str | None:
        """Say why the network of an instance of Cloud Run does not lead to a host, None when it does."""
        reason: str | None = self._run().instances.verdict(instance, host)
        return reason

    def open(self) -> ControlPlane:
        """Return the control plane."""
        with self._lock:
            if self._plane is None:
                from ragonotebooks.sandbox.gcp.control_plane import ControlPlane

                self._plane = ControlPlane(self._context)
            return self._plane

    def grpc_socket(self) -> Path:
        """The unix socket on which gRPC calls are answered."""
        return self.open().grpc_socket()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self.open().rest(environ, start_response)

    def _run(self) -> Any:
        return self.open().cloud.service("run.googleapis.com")

    def _registry(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        registry: Any = self.open().cloud.service("artifactregistry.googleapis.com")
        answer: Iterable[bytes] = registry.registry(environ, start_response)
        return answer

    def _mirror(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Google's copies of Docker's official images."""
        with self._lock:
            if self._docker_hub is None:
                self._docker_hub = PublicRegistry(self._context.folder / "docker-hub", _DOCKER_HUB)
        return self._docker_hub(environ, start_response)


class _Player:
    """Plays hosts from the first byte; who really does is loaded with the first connection."""

    def __init__(self, player: Callable[[], Player]) -> None:
        self._player = player

    async def take(self, client: Stream, wanted: Wanted, give_back: GiveBack) -> str | None:
        """Hand a connection on."""
        player = await asyncio.to_thread(self._player)
        return await player.take(client, wanted, give_back)


def write_credentials(context: Context) -> None:
    """Write the files with which Google's clients are the operator of this sandbox."""
    state = context.state
    identity.write_credentials(context.folder, state.project, state.refresh_token, context.authority.bundle)
