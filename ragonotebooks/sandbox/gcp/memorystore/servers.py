"""The servers behind Memorystore instances: for each a Valkey, an authority of its own, and a relay at its private address."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from google.cloud.redis_v1 import types

from ragonotebooks.sandbox.gcp import private_servers
from ragonotebooks.sandbox.gcp.compute import places
from ragonotebooks.sandbox.gcp.memorystore.instances import is_encrypted, is_replicated, settings_of
from ragonotebooks.sandbox.parts.relay import Relay, free_listener
from ragonotebooks.sandbox.parts.valkey import Valkey, install
from ragonotebooks.sandbox.status import Server

# Source: Memorystore for Redis, "Product constraints", blocked commands, read 2026-11
_DENIED: Final = (
    *("acl", "bgrewriteaof", "bgsave", "cluster", "config", "debug", "failover", "lastsave", "migrate", "module"),
    *("psync", "replicaof", "save", "shutdown", "slaveof", "sync"),
)


@dataclass(frozen=True)
class Real(private_servers.Real):
    """What stands behind one instance.

    Attributes:
        server: Its Valkey.
        port: The port of the endpoint.
        certificates: The authorities by which clients recognise it; none without TLS.
    """

    server: Valkey
    port: int
    certificates: list[Any]


class Servers(private_servers.PrivateServers[Real]):
    """The Valkeys of all instances."""

    def create(self, instance: Any, password: str, address: str) -> Real:
        """Start a server for a new instance; return when it answers.

        Args:
            instance: The instance.
            password: What clients give; empty for none.
            address: The address in its network's allocated range.
        """
        context = self._cloud.context
        endpoint = places.ServiceEndpoint(instance.authorized_network, address, instance.port)
        server = Valkey(
            install(context.folder),
            self._folder("memorystore"),
            context.watcher,
            passwords=[password] if password else [],
            settings=settings_of(instance),
            denied=_DENIED,
            durable=is_replicated(instance),
        )
        listener = free_listener(instance.port)
        host = listener.getsockname()[0]
        tls, certificates = _certified(host) if is_encrypted(instance) else (None, [])
        relay = Relay(listener, server.socket, tls, self._admits(endpoint))
        server.create()
        return self._open(instance.name, Real(server, relay, host, instance.port, certificates))

    def set_password(self, name: str, password: str) -> None:
        """From now on clients give this password; none when it is empty."""
        self._real[name].server.set_passwords([password] if password else [])

    def configure(self, instance: Any) -> None:
        """Let the settings of an instance hold."""
        self._real[instance.name].server.configure(settings_of(instance))

    def servers(self) -> Iterator[Server]:
        """Yield all of them, as `sandbox status` shows them."""
        for name, real in list(self._real.items()):
            pid = real.server.pid
            state = "READY" if pid else "REPAIRING"
            yield Server("redis", name.rpartition("/")[2], state, real.address, real.port, pid, str(real.server.log))


def _certified(address: str) -> tuple[ssl.SSLContext, list[Any]]:
    """A server's TLS context whose certificate names an address, and the authority that signed it, as the API shows it."""
    authority = trustme.CA(
        organization_name="Google, Inc",
        organization_unit_name="Google Cloud Memorystore Redis Server CA",
        key_type=trustme.KeyType.ECDSA,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(address, common_name=address, key_type=trustme.KeyType.ECDSA).configure_cert(context)
    pem = authority.cert_pem.bytes()
    known = x509.load_pem_x509_certificate(pem)
    shown = types.TlsCertificate(
        serial_number=str(known.serial_number),
        cert=pem.decode(),
        create_time=known.not_valid_before_utc,
        expire_time=known.not_valid_after_utc,
        sha1_fingerprint=known.fingerprint(SHA1()).hex(),
    )
    return context, [types.TlsCertificate.pb(shown)]
