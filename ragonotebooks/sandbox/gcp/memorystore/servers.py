"""The servers behind Memorystore instances: for each a Valkey, an authority of its own, and a relay at its private address."""

import secrets
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from google.cloud.redis_v1 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import places
from ragonotebooks.sandbox.gcp.memorystore.instances import is_encrypted, is_replicated, settings_of
from ragonotebooks.sandbox.parts.relay import Relay, free_listener
from ragonotebooks.sandbox.parts.valkey import Installation, Valkey, install
from ragonotebooks.sandbox.status import Server

# Source: Memorystore for Redis, "Product constraints", blocked commands, read 2026-11
_DENIED: Final = (
    *("acl", "bgrewriteaof", "bgsave", "cluster", "config", "debug", "failover", "lastsave", "migrate", "module"),
    *("psync", "replicaof", "save", "shutdown", "slaveof", "sync"),
)


@dataclass
class Real:
    """What stands behind one instance.

    Attributes:
        server: Its Valkey.
        relay: The endpoint in front of it.
        address: Where on this machine the endpoint is; the API shows it as the private address.
        port: The port of the endpoint.
        certificates: The authorities by which clients recognise it; none without TLS.
    """

    server: Valkey
    relay: Relay
    address: str
    port: int
    certificates: list[Any]


class Servers:
    """The servers of all instances, by the instance's name. What takes long is done without the control plane's lock.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._real: dict[str, Real] = {}
        self._installed = threading.Lock()
        self._program: Installation | None = None

    @property
    def installation(self) -> Installation:
        """The Valkey of this sandbox.

        Raises:
            RagonotebooksError: There is none on this machine.
        """
        with self._installed:
            if self._program is None:
                self._program = install(self._cloud.context.folder)
            return self._program

    def create(self, instance: Any, password: str, address: str) -> Real:
        """Start a server for a new instance; return when it answers.

        Args:
            instance: The instance.
            password: What clients give; empty for none.
            address: The address in its network's allocated range.
        """
        context = self._cloud.context
        endpoint = places.ServiceEndpoint(instance.authorized_network, address, instance.port)
        # a unix socket's path may have 107 bytes
        folder = context.folder / "memorystore" / secrets.token_hex(5)
        server = Valkey(
            self.installation,
            folder,
            context.watcher,
            passwords=[password] if password else [],
            settings=settings_of(instance),
            denied=_DENIED,
            durable=is_replicated(instance),
        )
        listener = free_listener(instance.port)
        host = listener.getsockname()[0]
        tls, certificates = _certified(host) if is_encrypted(instance) else (None, [])
        relay = Relay(
            listener,
            server.socket,
            tls,
            lambda client, here: places.admits_to_service(self._cloud, endpoint, client, here),
        )
        server.create()
        context.run(relay.open())
        server.keep()
        real = Real(server, relay, host, instance.port, certificates)
        with context.lock:
            self._real[instance.name] = real
        return real

    def set_password(self, name: str, password: str) -> None:
        """From now on clients give this password; none when it is empty."""
        self._real[name].server.set_passwords([password] if password else [])

    def configure(self, instance: Any) -> None:
        """Let the settings of an instance hold."""
        self._real[instance.name].server.configure(settings_of(instance))

    def remove(self, name: str) -> None:
        """End an instance's server and remove its data."""
        real = self._real.pop(name, None)
        if real is not None:
            self._cloud.context.run(real.relay.close())
            real.server.remove()

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
