"""Who is calling? A loopback connection is traced to the task whose process opened it; everything else is outside of the network.

Linux only: the socket's inode comes from the kernel's socket diagnosis (NETLINK_SOCK_DIAG), its owner from /proc.
"""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

Address = tuple[str, int]

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_NO_COOKIE: Final = 0xFFFFFFFF
_RECENT: Final = 16  # processes that have called: most callers call again
_INODE_OFFSET: Final = 16 + 68  # after the netlink header, the last field of struct inet_diag_msg


class CallerGone(Exception):  # noqa: N818 - reads as the fact that it states
    """The connection has ended before its caller was known; it must be refused."""


class Callers:
    """The tasks that run now, by the process that heads each one's tree."""

    def __init__(self) -> None:
        self._heads: dict[int, str] = {}
        self._recent: dict[int, None] = {}
        self._lock = threading.Lock()

    def add(self, pid: int, task: str) -> None:
        """Everything at and below process `pid` is `task` (an ARN or another name that the owner understands)."""
        with self._lock:
            self._heads[pid] = task

    def remove(self, pid: int) -> None:
        """The task that was headed by `pid` has ended."""
        with self._lock:
            self._heads.pop(pid, None)

    def who(self, client: Address, server: Address) -> str | None:
        """Return the task that opened the TCP connection from `client` to `server`, or None for a caller outside of every task.

        Raises:
            CallerGone: No open socket has these addresses any more.
        """
        with self._lock:
            heads = dict(self._heads)
        if not heads:
            return None
        pid = self._owner(f"socket:[{_inode(client, server)}]")
        while pid and pid not in heads:
            pid = _parent(pid)
        return heads.get(pid)

    def _owner(self, wanted: str) -> int:
        """Return the process that has a socket open, 0 when it cannot be found; whoever called before is asked first."""
        with self._lock:
            recent = list(reversed(self._recent))
        owner = next((pid for pid in chain(recent, _processes()) if wanted in _open_files(pid)), 0)
        with self._lock:
            self._recent.pop(owner, None)
            self._recent[owner] = None
            while len(self._recent) > _RECENT:
                del self._recent[next(iter(self._recent))]
        return owner


def _processes() -> Iterator[int]:
    """Yield all processes, the newest first: they are likelier to have just connected."""
    with os.scandir("/proc") as entries:
        yield from sorted((int(entry.name) for entry in entries if entry.name.isdigit()), reverse=True)


def _open_files(pid: int) -> set[str]:
    found = set()
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                try:
                    found.add(os.readlink(entry.path))  # noqa: PTH115 - on every connection
                except OSError:
                    continue
    except OSError:
        return set()
    return found


def _parent(pid: int) -> int:
    """The process above another, 0 when there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _inode(client: Address, server: Address) -> int:
    # struct inet_diag_req_v2: family, protocol, extensions, pad, states, then the socket's id
    socket_id = struct.pack(">HH", client[1], server[1]) + _ip(client) + _ip(server)
    socket_id += struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
    request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + socket_id
    header = struct.pack("=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diagnosis:
        diagnosis.sendto(header + request, (0, 0))
        answer = diagnosis.recv(8192)
    if struct.unpack_from("=H", answer, 4)[0] != _SOCK_DIAG_BY_FAMILY:
        raise CallerGone(f"no socket from {client} to {server}")
    inode: int = struct.unpack_from("=I", answer, _INODE_OFFSET)[0]
    if inode == 0:
        raise CallerGone(f"the socket from {client} to {server} is closed")
    return inode


def _ip(address: Address) -> bytes:
    return socket.inet_aton(address[0]).ljust(16, b"\0")
