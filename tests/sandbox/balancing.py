"""A load balancer's process without a control plane, and targets for it: servers of this process."""

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ragonotebooks.sandbox.parts.channel import Channel
from tests.sandbox.conftest import eventually

SOURCE = "203.0.113.10"
FORWARD = {"conditions": [], "action": {"Type": "forward", "groups": {"app": 1}}}
CHECK = {"path": "/healthz", "matcher": "200", "interval": 0.2, "timeout": 10, "healthy": 2, "unhealthy": 2}


class App(ThreadingHTTPServer):
    """A target. What it answers depends on the path; `/healthz` answers with its status.

    Attributes:
        name: Stands in its answers.
        status: Of its health check.
        connections: How many were opened, but for those of health checks.
        resume: Lets `/slow` go on.
        waiting: Set while `/slow` waits.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.status, self.connections = name, 200, 0
        self.resume, self.waiting = threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def key(self) -> str:
        """The target's key: a private address that stands for this app, and its port."""
        return f"10.7.0.4:{self.server_port}"

    def told(self, **more: Any) -> dict[str, Any]:
        """How the control plane describes it."""
        place = ["127.0.0.1", self.server_port]
        return {"address": place[0], "port": place[1], "check": place, "draining": None, **more}

    def end(self) -> None:
        """Listen no more."""
        self.resume.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: App

    def do_GET(self) -> None:
        app, path = self.server, self.path.partition("?")[0]
        if path == "/healthz":
            self._answer(app.status, b"")
            return
        if not getattr(self, "counted", False):
            self.counted = True
            app.connections += 1
        body = self._body()
        if path == "/slow":
            app.waiting.set()
            app.resume.wait(20)
            app.waiting.clear()
        if path == "/reset":
            self.close_connection = True
        elif path == "/garbage":
            self.close_connection = True
            self.wfile.write(b"this is not HTTP\r\n\r\n")
        elif path == "/head":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        elif path == "/stream":
            self._stream()
        elif path == "/socket":
            self._echo()
        elif path == "/until-the-end":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        else:
            fields = {name.lower(): value for name, value in self.headers.items()}
            told = {"app": app.name, "method": self.command, "path": self.path, "fields": fields, "body": body.decode()}
            self._answer(200, json.dumps(told).encode())

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: Any) -> None:
        """Write nothing."""

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        self.server.resume.wait(20)
        self.wfile.write(b"6\r\nsecond\r\n0\r\n\r\n")

    def _echo(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := self.connection.recv(1024):
            self.wfile.write(data)


class Balancing:
    """The process, the end of its channel, and a port that leads to its one load balancer.

    Attributes:
        port: The port.
        health: The states that it has told, by target.
        drained: The targets that it has told to have drained.
        counts: What it has counted.
        returned: The bytes of requests that it gave back.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "ragonotebooks.sandbox.parts.balancer", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self._channel = Channel(ours)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.health: dict[str, list[str]] = {}
        self.drained: list[str] = []
        self.counts: list[dict[str, Any]] = []
        self.returned: list[bytes] = []
        self.host: str | None = None
        for work in (self._hear, self._accept):
            threading.Thread(target=work, daemon=True).start()

    def tell(
        self, *rules: dict[str, Any], idle: float = 10, forwarded: str = "append", **groups: dict[str, Any]
    ) -> None:
        """Describe the world: the rules of port 80, and the targets of each group or all about it."""
        listeners = {"80": {"rules": [*(rules or (FORWARD,))]}}
        usual = {"algorithm": "round_robin", "sticky": 0, "check": CHECK, "used": True}
        told = {
            name: {**usual, **(group if "targets" in group else {"targets": group})} for name, group in groups.items()
        }
        balancer = {"idle": idle, "forwarded": forwarded, "listeners": listeners}
        self._channel.send({"world": {"balancers": {"lb": balancer}, "groups": told}})

    def empty(self) -> None:
        """Describe a world without a load balancer."""
        self._channel.send({"world": {"balancers": {}, "groups": {}}})

    def serve(self, *apps: App, **more: Any) -> None:
        """Describe a world where every request goes to these apps, and wait until they are healthy."""
        self.tell(app={app.key: app.told() for app in apps}, **more)
        eventually(lambda: all(self.state(app) == "healthy" for app in apps))

    def state(self, app: App) -> str | None:
        """The state of a target as it was last told."""
        told = self.health.get(app.key)
        return told[0] if told else None

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the load balancer."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def get(self, path: str = "/", method: str = "GET", **more: Any) -> tuple[int, bytes]:
        """The status and the body of one request."""
        connection = self.connect()
        try:
            connection.request(method, path, **more)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def told(self, path: str = "/", **more: Any) -> dict[str, Any]:
        """What an app says that it was asked."""
        status, body = self.get(path, **more)
        assert status == 200, (status, body)
        answer: dict[str, Any] = json.loads(body)
        return answer

    def counted(self, group: str) -> Counter[str]:
        """What was counted for a group, or with an empty name for the load balancer, in all."""
        found: Counter[str] = Counter()
        for one in self.counts:
            found.update(one["counts"] if one["group"] == group else {})
        return found

    def raw(self) -> socket.socket:
        """A socket that leads to the load balancer."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def end(self) -> None:
        """End the channel, with which the process ends."""
        self._listener.close()
        self._channel.close()
        assert self._process.wait(10) == 0

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            accept = {"balancer": "lb", "port": 80, "source": SOURCE, "host": self.host}
            self._channel.send({"accept": accept}, b"", connection)
            connection.close()

    def _hear(self) -> None:
        while True:
            try:
                messages = self._channel.receive(0.1)
            except (EOFError, OSError, ValueError):
                return
            for message, data, connection in messages:
                if connection is not None:
                    self.returned.append(data)
                    connection.close()
                elif "health" in message:
                    self.health[message["health"][1]] = message["health"][2:]
                elif "drained" in message:
                    self.drained.append(message["drained"][1])
                else:
                    self.counts += message["counts"]


@contextmanager
def running_apps(*names: str) -> Iterator[list[App]]:
    """Targets, gone afterwards."""
    apps = [App(name) for name in names]
    try:
        yield apps
    finally:
        for app in apps:
            app.end()
