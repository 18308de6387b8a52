"""The servers behind Cloud SQL instances: for each a Postgres, its certificates, and a relay at its private address."""

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from ragonotebooks.sandbox.gcp import private_servers
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import places
from ragonotebooks.sandbox.gcp.errors import ApiError, unmet, unsupported
from ragonotebooks.sandbox.gcp.sql.certificates import Certificates
from ragonotebooks.sandbox.gcp.sql.instances import HOST
from ragonotebooks.sandbox.parts.postgres import CLOUD_SQL, Installation, Postgres, install
from ragonotebooks.sandbox.parts.relay import PostgresRelay, free_listener
from ragonotebooks.sandbox.status import Server

Json = dict[str, Any]

PORT: Final = 5432


@dataclass(frozen=True)
class Real(private_servers.Real):
    """What stands behind one instance.

    Attributes:
        server: Its Postgres.
        certificates: What the endpoint shows.
        endpoint: Where it is in the consumer's network, which firewall rules are asked about.
    """

    server: Postgres
    certificates: Certificates
    endpoint: places.ServiceEndpoint


class Servers(private_servers.PrivateServers[Real]):
    """The Postgres servers of all instances.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._backups: dict[str, str] = {}

    @property
    def installation(self) -> Installation:
        """The Postgres of this sandbox.

        Raises:
            RagonotebooksError: There is none on this machine.
        """
        return install(self._cloud.context.folder)

    def create(self, instance: Json, password: str, address: str, must_encrypt: Callable[[], bool]) -> Real:
        """Start a server for a new instance; return when it answers.

        Args:
            instance: The instance.
            password: Of the user `postgres`; empty for none.
            address: The address in its network's allocated range.
            must_encrypt: Whether connections without TLS are refused at the moment.
        """
        name = instance["name"]
        endpoint = places.ServiceEndpoint(instance["settings"]["ipConfiguration"]["privateNetwork"], address, PORT)
        server = Postgres(self.installation, self._folder("sql"), self._cloud.context.watcher, CLOUD_SQL)
        listener = free_listener(PORT)
        certificates = Certificates(name, instance["connectionName"])
        relay = PostgresRelay(listener, server.socket, certificates.context, self._admits(endpoint), must_encrypt)
        try:
            server.create("postgres", password or secrets.token_urlsafe(24), None)
            server.execute(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(sql.Identifier(CLOUD_SQL.group)))
        except BaseException:
            server.remove()
            raise
        return self._open(name, Real(server, relay, listener.getsockname()[0], certificates, endpoint))

    def find(self, name: str) -> Real | None:
        """What stands behind an instance, None while there is nothing."""
        return self._real.get(name)

    def running(self, name: str) -> Postgres:
        """The Postgres of an instance that runs.

        Raises:
            ApiError: It does not.
        """
        real = self._real.get(name)
        if real is None or real.server.pid is None:
            raise unmet(f"Invalid request: Invalid request since instance {name} is not running.")
        return real.server

    def restart(self, name: str) -> None:
        """Start an instance's server, anew when it runs."""
        server = self._real[name].server
        server.stop()
        server.start()
        server.keep()

    def stop(self, name: str) -> None:
        """Shut an instance's server down; its data stays."""
        self._real[name].server.stop()

    def set_flags(self, name: str, flags: Mapping[str, str], before: Mapping[str, str]) -> None:
        """Let database flags hold instead of those before; when one is refused, these hold on.

        Raises:
            ApiError: There is no such flag, it cannot have the value, or it takes a start of the server.
        """
        server = self.running(name)
        try:
            _write_flags(server, flags)
        except ApiError:
            _write_flags(server, before)
            raise
        server.execute(sql.SQL("SELECT pg_reload_conf()"))

    def back_up(self, name: str, backup: str) -> None:
        """Keep an instance's data as it is now."""
        self._backups[backup] = self.running(name).copy_to(self._backup(backup))

    def restore(self, name: str, backup: str) -> None:
        """Replace an instance's data by that of a backup."""
        server = self._real[name].server
        server.restore(self._backup(backup), self._backups[backup])
        server.keep()

    def forget_backup(self, backup: str) -> None:
        """Delete a backup's data."""
        if self._backups.pop(backup, None):
            shutil.rmtree(self._backup(backup))

    def servers(self) -> Iterator[Server]:
        """Yield all of them, as `sandbox status` shows them."""
        for name, real in list(self._real.items()):
            pid = real.server.pid
            state = "RUNNABLE" if pid else "STOPPED"
            yield Server("cloudsql", name, state, real.address, PORT, pid, str(real.server.log))

    def _backup(self, backup: str) -> Path:
        return self._cloud.context.folder / "sql-backups" / backup


def _write_flags(server: Postgres, flags: Mapping[str, str]) -> None:
    server.execute(sql.SQL("ALTER SYSTEM RESET ALL"))
    for flag, value in flags.items():
        query = sql.SQL("SELECT context FROM pg_settings WHERE name = {}").format(sql.Literal(flag))
        if server.execute(query) == [("postmaster",)]:
            raise unsupported(f"{HOST} the database flag {flag}, which takes a start of the server,")
        with told(f"the database flag {flag}"):
            server.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(flag), sql.Literal(value)))


@contextmanager
def told(what: str) -> Iterator[None]:
    """What Postgres refuses in this block is the API's error; `what` is what was being done."""
    try:
        yield
    except psycopg.Error as error:
        text = error.diag.message_primary or str(error).strip()
        raise unmet(f"Invalid request: {what}: {text}.") from None
