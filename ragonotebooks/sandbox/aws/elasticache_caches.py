"""ElastiCache's caches: for each that the API knows, a Valkey server and a relay.

A cache is `available` only when its server answers; a killed server comes back, with its data only where AWS would have a
replica to promote; a deleted cache takes its server with it. No cache is reached from outside of its VPC.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ragonotebooks.sandbox import status
from ragonotebooks.sandbox.aws import network
from ragonotebooks.sandbox.aws.managed import Controller, Real
from ragonotebooks.sandbox.callers import Address
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


class Caches(Controller[Installation, Valkey]):
    """The controller: makes what the ElastiCache backends say real.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, install_valkey, _TRANSITIONAL)
        self._caches: dict[str, Cache] = {}

    def find(self, arn: str) -> Cache:
        """The cache with an ARN."""
        return self._caches[arn]

    def provision(self, cache: Cache, reached: Callable[[str], None]) -> None:
        """Start a server for a new cache; `reached(address)` is told its address when it answers."""
        self._caches[cache.arn] = cache
        self._move(cache, "creating", lambda: self._create(cache, reached), "available")

    def delete(self, cache: Cache, gone: Callable[[], None]) -> None:
        """End the server and the relay of a cache, then call `gone()`."""
        self._move(cache, "deleting", lambda: self._remove(cache, gone), "deleted")

    def set_tokens(self, cache: Cache, tokens: Sequence[str]) -> None:
        """From now on clients authenticate with one of these."""
        cache.tokens[:] = tokens
        self._real[cache.arn].server.set_passwords(tokens)

    def configure(self, cache: Cache, parameters: Mapping[str, str]) -> None:
        """Let parameters hold."""
        cache.parameters = parameters
        self._real[cache.arn].server.configure(parameters)

    def servers(self) -> Iterator[status.Server]:
        """Yield every cache with its server, as `sandbox status` shows it."""
        for cache in list(self._caches.values()):
            real = self._real.get(cache.arn)
            yield status.Server(
                service="elasticache",
                id=cache.id,
                status=cache.status,
                address=real.address[0] if real else None,
                port=real.address[1] if real else None,
                pid=real.server.pid if real else None,
                log=str(real.server.log) if real else None,
            )

    def _create(self, cache: Cache, reached: Callable[[str], None]) -> None:
        server = Valkey(
            self.installation,
            self._folder("elasticache", cache.arn),
            self._context.watcher,
            passwords=cache.tokens,
            settings=cache.parameters,
            denied=_DENIED,
            durable=cache.durable,
        )
        listener = free_listener(cache.port)
        address = listener.getsockname()
        tls = self._context.authority.server_context(address[0]) if cache.encrypted else None
        relay = Relay(listener, server.socket, tls, lambda client, here: self._admits(cache, client, here))
        server.create()
        self._context.run(relay.open())
        server.keep()
        with self._context.lock:
            self._real[cache.arn] = Real(server, relay, address)
            reached(address[0])

    def _remove(self, cache: Cache, gone: Callable[[], None]) -> None:
        real = self._real.pop(cache.arn, None)
        if real:
            self._end(real)
        with self._context.lock:
            del self._caches[cache.arn]
            gone()

    def _admits(self, cache: Cache, client: Address, here: Address) -> bool:
        source = self._source(client, here)
        if source is None:
            return False
        with self._context.lock:
            subnet, backend = cache.interface.subnet, cache.interface.ec2_backend
            groups = frozenset(group.id for group in cache.interface.group_set)
            target = Place(cache.interface.private_ip_address, groups, subnet.id, vpc=subnet.vpc_id)
            where = backend.account_id, backend.region_name
            let_in = source.vpc == target.vpc and network.admits(*where, groups, cache.port, source)
            let_out = network.lets_out(*where, target, cache.port, source)
            return self._context.judged(Connection(source, client[1], target, cache.port, let_out, let_in))

    def _move(self, cache: Cache, meanwhile: str, work: Callable[[], None], then: str) -> None:
        cache.show(meanwhile)
        self._background(cache.arn, work, cache.show, then, "create-failed")
