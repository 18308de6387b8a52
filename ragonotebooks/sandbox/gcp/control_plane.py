"""Google Cloud as part of the daemon: its two fronts."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.gcp import grpc_front, http_front
from ragonotebooks.sandbox.gcp.cloud import Cloud

_SOCKET: Final = "grpc.sock"


class ControlPlane:
    """One sandbox's Google Cloud, answering."""

    def __init__(self, context: Context) -> None:
        self.cloud = Cloud(context)
        self.rest: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]] = http_front.front(self.cloud)
        self._socket = context.folder / _SOCKET
        self._server: Any = None

    def grpc_socket(self) -> Path:
        """The unix socket on which gRPC calls are answered, from the first call of this on."""
        with self.cloud.context.lock:
            self._server = self._server or grpc_front.serve(self.cloud, self._socket)
        return self._socket
