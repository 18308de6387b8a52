"""A channel between two processes of this machine: messages, each with bytes and an open connection if there is one to hand over.

A connection that is handed over is served by the other process alone: its bytes no longer pass here.
"""

import json
import os
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

_FRAME: Final = struct.Struct(">II?")  # lengths of message and bytes, whether there is a connection
_CHUNK: Final = 256 * 1024

#: What was sent: a message, bytes, and a connection if one was handed over.
Message = tuple[Any, bytes, socket.socket | None]


class Channel:
    """One end. Messages are JSON; they arrive in the order in which they are sent.

    Args:
        connection: A connected unix stream socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._rest = bytearray()
        self._handed: deque[int] = deque()

    def send(self, message: Any, data: bytes = b"", handed: socket.socket | None = None) -> None:
        """Send a message. The caller still closes its own end of the connection that it hands over.

        Raises:
            OSError: The other end is gone, or has not read for long.
        """
        text = json.dumps(message, separators=(",", ":")).encode()
        frame = _FRAME.pack(len(text), len(data), handed is not None) + text + data
        with self._sending:
            sent = 0
            if handed is not None:
                sent = socket.send_fds(self._connection, [frame], [handed.fileno()])
            self._connection.sendall(frame[sent:])

    def receive(self, seconds: float = 0.0) -> list[Message]:
        """Return the messages that have arrived, after `seconds` at most.

        Raises:
            EOFError: The other end is gone.
        """
        if not select.select([self._connection], [], [], seconds)[0]:
            return []
        data, descriptors, _, _ = socket.recv_fds(self._connection, _CHUNK, 64)
        self._handed.extend(descriptors)
        if not data:
            raise EOFError("the other end of the channel is gone")
        self._rest += data
        return list(self._frames())

    def close(self) -> None:
        """Close this end, and what was handed over and never asked for."""
        self._connection.close()
        while self._handed:
            os.close(self._handed.popleft())

    def _frames(self) -> Iterator[Message]:
        while len(self._rest) >= _FRAME.size:
            text, data, handed = _FRAME.unpack_from(self._rest)
            start = _FRAME.size
            end = start + text + data
            if len(self._rest) < end:
                return
            message = json.loads(self._rest[start : start + text])
            body = bytes(self._rest[start + text : end])
            del self._rest[:end]
            yield message, body, socket.socket(fileno=self._handed.popleft()) if handed else None
