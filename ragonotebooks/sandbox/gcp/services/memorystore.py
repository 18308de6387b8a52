"""Memorystore for Redis: instances, each with a real server that only the authorized network reaches.

An instance is READY only when its server answers. A killed server comes back, in the tier STANDARD_HA with its data.
"""

import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import private_services
from ragonotebooks.sandbox.gcp.errors import unmet
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.memorystore import instances
from ragonotebooks.sandbox.gcp.memorystore.instances import HOST, Kind
from ragonotebooks.sandbox.gcp.memorystore.servers import Servers
from ragonotebooks.sandbox.gcp.service import Call, Service, Work, created, creating, deleting, rpc, updated, updating

# required of a new instance, but not of one that is changed
_NEW_ALONE: Final = ("name", "tier", "memory_size_gb")


class Memorystore(Service):
    """Redis instances."""

    host = HOST
    title = "Google Cloud Memorystore for Redis API"
    clients = ("google.cloud.redis_v1:CloudRedisClient",)
    keeps = frozenset(("Instance",))
    permissions: ClassVar = {"GetInstanceAuthString": "redis.instances.getAuthString"}

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._servers = Servers(cloud)
        self._passwords: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        cloud.context.servers.append(self._servers.servers)

    @cached_property
    def behaviours(self) -> dict[str, dict[str, frozenset[str]]]:
        """What each field of each message may do."""
        found = super().behaviours
        said = found[Kind.pb().DESCRIPTOR.full_name]
        for name in _NEW_ALONE:
            said[name] = said[name] - {"Required"}
        return found

    @creating("Instance")
    def _new(self, call: Call, instance: Any) -> None:
        instances.complete(self.cloud, instance)
        self._addresses[instance.name] = private_services.addresses(self.cloud).take(
            self.cloud, instance.authorized_network, _owner(instance), instance.reserved_ip_range
        )
        self._passwords[instance.name] = str(uuid.uuid4()) if instance.auth_enabled else ""

    @created("Instance")
    def _start(self, call: Call, instance: Any) -> Work:
        def work() -> None:
            try:
                real = self._servers.create(
                    instance, self._passwords[instance.name], self._addresses.pop(instance.name)
                )
            except BaseException:
                self._forget(instance)
                raise
            self._change(instance.name, lambda shown: _ready(shown, real.address, real.certificates))

        return work

    @updating("Instance")
    def _check_change(self, call: Call, before: Any, after: Any) -> None:
        _check_ready(before)
        instances.check_change(before, after)
        after.state = Kind.State.UPDATING

    @updated("Instance")
    def _carry_out(self, call: Call, before: Any, after: Any) -> Work:
        name = after.name

        def work() -> None:
            try:
                if before.auth_enabled != after.auth_enabled:
                    # whoever turns AUTH off and on again has a new string
                    self._passwords[name] = str(uuid.uuid4()) if after.auth_enabled else ""
                    self._servers.set_password(name, self._passwords[name])
                self._servers.configure(after)
            except BaseException:
                self._change(name, lambda shown: shown.CopyFrom(before))
                raise
            self._change(name, lambda shown: setattr(shown, "state", Kind.State.READY))

        return work

    @deleting("Instance")
    def _end(self, call: Call, instance: Any) -> Work:
        _check_ready(instance)
        self._change(instance.name, lambda shown: setattr(shown, "state", Kind.State.DELETING))

        def work() -> None:
            self._servers.remove(instance.name)
            with self.cloud.context.lock:
                self._release(instance)

        return work

    @rpc("GetInstanceAuthString")
    def _auth_string(self, call: Call) -> Made:
        instance = self.cloud.store.get(HOST, call.message.name)
        return call.method.response(auth_string=self._passwords[instance.name]), None

    def _change(self, name: str, change: Callable[[Any], object]) -> None:
        """Let the API show an instance otherwise."""
        with self.cloud.context.changed:
            change(self.cloud.store.get(HOST, name))
            self.cloud.context.changed.notify_all()

    def _forget(self, instance: Any) -> None:
        """An instance could not be made."""
        with self.cloud.context.lock:
            self._release(instance)
            self.cloud.store.delete(HOST, instance.name)

    def _release(self, instance: Any) -> None:
        private_services.addresses(self.cloud).release(instance.authorized_network, _owner(instance))
        del self._passwords[instance.name]


def _ready(instance: Any, address: str, certificates: list[Any]) -> None:
    instance.host, instance.state = address, Kind.State.READY
    instance.server_ca_certs.extend(certificates)


def _check_ready(instance: Any) -> None:
    if instance.state != Kind.State.READY:
        state = Kind.State(instance.state).name
        raise unmet(f"The instance {instance.name} is {state}: it must be READY for this operation.")


def _owner(instance: Any) -> str:
    """What a person calls an instance where it is one of many services."""
    return f"Memorystore {instance.name.rpartition('/')[2]}"
