"""The door to Google Cloud: it is loaded when one of its hosts is first called, so that it costs nothing before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.front import Front
from ragonotebooks.sandbox.gcp import identity
from ragonotebooks.sandbox.local import Local

if TYPE_CHECKING:
    from ragonotebooks.sandbox.gcp.control_plane import ControlPlane

#: The hosts that are played.
HOSTS: Final = r"(.+\.)?googleapis\.com"
_REGISTRIES: Final = r"[a-z0-9-]+-docker\.pkg\.dev"


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
        self._lock = threading.Lock()

    def play(self, front: Front) -> None:
        """Let `front` answer for Google's hosts."""
        front.play(HOSTS, self)
        front.play(_REGISTRIES, self._registry)

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

    def _registry(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        registry: Any = self.open().cloud.service("artifactregistry.googleapis.com")
        answer: Iterable[bytes] = registry.registry(environ, start_response)
        return answer


def write_credentials(context: Context) -> None:
    """Write the files with which Google's clients are the operator of this sandbox."""
    state = context.state
    identity.write_credentials(context.folder, state.project, state.refresh_token, context.authority.bundle)
