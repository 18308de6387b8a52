"""The network that a task's Python finds: its own. The `sitecustomize` of the interpreter that tasks run, without the package.

Tasks share this machine, and each has one loopback address of its own: what a program binds to all addresses or to the local
host is bound there, and what it calls the local host is there too. So two tasks listen on one port, and none meets what else
runs here. Programs that do not use Python's `socket` module are not changed.
"""

import os
import socket
from collections.abc import Callable
from typing import Any, Final

#: Holds the task's loopback address; without it, nothing changes.
VARIABLE: Final = "RAGONOTEBOOKS_TASK_ADDRESS"

_HERE: Final = frozenset({"127.0.0.1", "localhost", "0.0.0.0", "", "::1", "::"})
_MAPPED: Final = "::ffff:"


def move_in(own: str, gateway: int) -> None:
    """Let this process listen at `own`; the port `gateway` of 127.0.0.1 stays what it is."""

    def moved(method: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
        def call(self: socket.socket, address: Any) -> Any:
            return method(self, _moved(self, address, own, gateway))

        return call

    def getaddrinfo(host: Any, port: Any, family: int = 0, *rest: Any, **more: Any) -> Any:
        # a task has no IPv6; a server that asks for every address would listen at one that is not its own
        open_to_ipv4 = family == 0 and ":" not in str(host)
        return resolve(host, port, socket.AF_INET if open_to_ipv4 else family, *rest, **more)

    resolve = socket.getaddrinfo
    replaced: Any = socket
    replaced.has_ipv6, replaced.getaddrinfo = False, getaddrinfo
    for name in ("bind", "connect", "connect_ex"):
        setattr(replaced.socket, name, moved(getattr(socket.socket, name)))


def _moved(own: socket.socket, address: Any, to: str, gateway: int) -> Any:
    if own.family not in (socket.AF_INET, socket.AF_INET6) or address[0] not in _HERE or address[1] == gateway:
        return address
    if own.family == socket.AF_INET6:
        own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return (_MAPPED + to, *address[1:])
    return (to, *address[1:])


if VARIABLE in os.environ:
    move_in(os.environ[VARIABLE], int(os.environ.get("HTTPS_PROXY", ":0").rpartition(":")[2]))
