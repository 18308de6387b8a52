"""ElastiCache's caches: for each that the API knows, a Valkey server and a relay.

A cache is `available` only when its server answers; a killed server comes back, with its data only where AWS would have a
replica to promote; a deleted cache takes its server with it. No cache is reached from outside of its VPC.
"""

import hashlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ragonotebooks.sandbox import status
from ragonotebooks.sandbox.aws import network
from ragonotebooks.sandbox.callers import Address, CallerGone
from ragonotebooks.sandbox.context import Connection, Context, Place
from ragonotebooks.sandbox.parts.relay import Relay, free_listener
from ragonotebooks.sandbox.parts.valkey import Installation, Valkey
from ragonotebooks.sandbox.parts.valkey import install as install_valkey

_TRANSITIONAL: Final = frozenset({"creating", "deleting"})
# "Restricted commands" for caches of one's own design, ElastiCache user guide, read 2026-11
_DENIED: Final = (
    *(
        "acl|deluser",
        "acl|load",
        "acl|save",
        "acl|setuser",
        "bgrewriteaof",
        "bgsave",
        "cluster",
        "config",
        "debug",
        "failover",
    ),
    *("migrate", "module", "psync", "replicaof", "save", "shutdown", "slaveof", "sync"),
)


@dataclass
class Cache:
    """A cache as the API describes it.

    Attributes:
        arn: Its ARN.
        id: Its identifier.
        shown: moto's objects whose `status` is the cache's.
        interface: Its network interface.
        port: Of its endpoint.
        encrypted: Whether the endpoint speaks TLS.
        durable: Whether its data outlives the failure of a node.
        tokens: What clients may authenticate with; none are needed when it is empty.
        parameters: The server's settings by name.
    """

    arn: str
    id: str
    shown: list[Any]
    interface: Any
    port: int
    encrypted: bool
    durable: bool
    tokens: list[str]
    parameters: Mapping[str, str]
    status: str = field(init=False, default="creating")

    def show(self, state: str) -> None:
        """Let the API say that the cache is in `state`."""
        self.status = state
        for one in self.shown:
            one.status = state


@dataclass
class _Real:
    """What stands behind one cache."""

    server: Valkey
    relay: Relay
    address: str


class Caches:
    """The controller: makes what the ElastiCache backends say real.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._caches: dict[str, Cache] = {}
        self._real: dict[str, _Real] = {}
        self._installation: Installation | None = None
        self._installing = threading.Lock()

    @property
    def installation(self) -> Installation:
        """The program that caches are made of.

        Raises:
            RagonotebooksError: There is none on this machine.
        """
        with self._installing:
            if self._installation is None:
                self._installation = install_valkey(self._context.folder)
            return self._installation

    def find(self, arn: str) -> Cache:
        """The cache with an ARN."""
        return self._caches[arn]

    def provision(self, cache: Cache, reached: Callable[[str], None]) -> None:
        """Start a server for a new cache; `reached(address)` is told its address when it answers."""
        self._caches[cache.arn] = cache
        cache.show("creating")
        self._background(cache, lambda: self._create(cache, reached))

    def delete(self, cache: Cache, gone: Callable[[], None]) -> None:
        """End the server and the relay of a cache, then call `gone()`."""
        cache.show("deleting")
        self._background(cache, lambda: self._remove(cache, gone))

    def set_tokens(self, cache: Cache, tokens: Sequence[str]) -> None:
        """From now on clients authenticate with one of these."""
        cache.tokens[:] = tokens
        self._real[cache.arn].server.set_passwords(tokens)

    def configure(self, cache: Cache, parameters: Mapping[str, str]) -> None:
        """Let parameters hold."""
        cache.parameters = parameters
        self._real[cache.arn].server.configure(parameters)

    def wait_for(self, shown: Sequence[Any]) -> None:
        """Let go of the lock until none of moto's objects is on its way to another state, within limits."""
        self._context.wait_until(lambda: not any(one.status in _TRANSITIONAL for one in shown))

    def servers(self) -> Iterator[status.Server]:
        """Yield every cache with its server, as `sandbox status` shows it."""
        for cache in list(self._caches.values()):
            real = self._real.get(cache.arn)
            yield status.Server(
                service="elasticache",
                id=cache.id,
                status=cache.status,
                address=real.address if real else None,
                port=cache.port if real else None,
                pid=real.server.pid if real else None,
                log=str(real.server.log) if real else None,
            )

    def _create(self, cache: Cache, reached: Callable[[str], None]) -> None:
        # a unix socket's path may have 107 bytes
        folder = self._context.folder / "elasticache" / hashlib.sha256(cache.arn.encode()).hexdigest()[:10]
        server = Valkey(
            self.installation,
            folder,
            self._context.watcher,
            passwords=cache.tokens,
            settings=cache.parameters,
            denied=_DENIED,
            durable=cache.durable,
        )
        listener = free_listener(cache.port)
        address = listener.getsockname()[0]
        tls = self._context.authority.server_context(address) if cache.encrypted else None
        relay = Relay(listener, server.socket, tls, lambda client, here: self._admits(cache, client, here))
        server.create()
        self._context.run(relay.open())
        server.keep()
        with self._context.changed:
            self._real[cache.arn] = _Real(server, relay, address)
            reached(address)
            cache.show("available")
            self._context.changed.notify_all()

    def _remove(self, cache: Cache, gone: Callable[[], None]) -> None:
        real = self._real.pop(cache.arn, None)
        if real:
            self._context.run(real.relay.close())
            real.server.remove()
        with self._context.changed:
            del self._caches[cache.arn]
            gone()
            cache.show("deleted")
            self._context.changed.notify_all()

    def _admits(self, cache: Cache, client: Address, here: Address) -> bool:
        try:
            task = self._context.callers.who(client, here)
        except CallerGone:
            return False
        source = self._context.places.get(task, network.OUTSIDE) if task else network.OUTSIDE
        with self._context.lock:
            subnet, backend = cache.interface.subnet, cache.interface.ec2_backend
            groups = frozenset(group.id for group in cache.interface.group_set)
            target = Place(cache.interface.private_ip_address, groups, subnet.id, vpc=subnet.vpc_id)
            where = backend.account_id, backend.region_name
            let_in = source.vpc == target.vpc and network.admits(*where, groups, cache.port, source)
            let_out = network.lets_out(*where, target, cache.port, source)
            return self._context.judged(Connection(source, client[1], target, cache.port, let_out, let_in))

    def _background(self, cache: Cache, work: Callable[[], None]) -> None:
        def go() -> None:
            try:
                work()
            except Exception as error:
                print(f"{cache.arn}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the daemon's log
                with self._context.changed:
                    cache.show("create-failed")
                    self._context.changed.notify_all()

        self._context.workers.submit(go)
