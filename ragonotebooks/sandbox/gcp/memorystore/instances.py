"""What a Memorystore instance may be: checks of what is asked for, and what it leaves out."""

import re
from typing import Any, Final

from google.cloud.redis_v1 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute.names import check_region, path_of, referenced
from ragonotebooks.sandbox.gcp.errors import invalid, unsupported

HOST: Final = "redis.googleapis.com"

#: Enumerations of an instance, and the instance's message.
Kind: Final[Any] = types.Instance

#: The version of Redis that the server is compatible with. Source: Valkey, "Migration from Redis to Valkey", read 2026-11.
VERSION: Final = "REDIS_7_2"

_NAME: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?")
_LARGEST: Final = 300  # GiB; Memorystore for Redis, "Quotas and limits", read 2026-11
_EVICTION: Final = r"noeviction|(?:volatile|allkeys)-(?:lru|lfu|random)|volatile-ttl"
# Source: Memorystore for Redis, "Redis configurations", read 2026-11
_CONFIGS: Final = {
    "maxmemory-policy": _EVICTION,
    "maxmemory-gb": r"\d+(?:\.\d+)?",
    "notify-keyspace-events": "[KEg$lshzxetdmnA]*",
    "lfu-decay-time": r"\d{1,5}",
    "lfu-log-factor": r"\d{1,5}",
    "stream-node-max-bytes": r"\d{1,9}",
    "stream-node-max-entries": r"\d{1,9}",
}
_REFUSED: Final = ("secondary_ip_range", "customer_managed_key", "maintenance_version", "suspension_reasons")
_CHANGEABLE: Final = frozenset(
    ("display_name", "labels", "memory_size_gb", "redis_configs", "auth_enabled", "maintenance_policy")
)


def complete(cloud: Cloud, instance: Any) -> None:
    """Check a new instance and fill in what it leaves out.

    Raises:
        ApiError: It is wrong, or the sandbox has no such thing.
    """
    region, name = instance.name.split("/")[3], instance.name.rpartition("/")[2]
    check_region(region)
    if not _NAME.fullmatch(name):
        raise invalid(f"The instance id {name!r} does not match {_NAME.pattern}.", {"instance_id": "malformed"})
    _check_supported(instance)
    if instance.tier not in (Kind.Tier.BASIC, Kind.Tier.STANDARD_HA):
        raise invalid("The tier of an instance is BASIC or STANDARD_HA.", {"instance.tier": "required"})
    _complete_network(cloud, instance)
    _complete_nodes(instance, region)
    check_settings(instance)
    instance.redis_version = VERSION
    instance.transit_encryption_mode = instance.transit_encryption_mode or Kind.TransitEncryptionMode.DISABLED
    instance.read_replicas_mode = Kind.ReadReplicasMode.READ_REPLICAS_DISABLED
    instance.persistence_config.persistence_mode = types.PersistenceConfig.PersistenceMode.DISABLED
    instance.port = 6378 if is_encrypted(instance) else 6379
    instance.state = Kind.State.CREATING


def _check_supported(instance: Any) -> None:
    for field in _REFUSED:
        if getattr(instance, field):
            raise unsupported(f"{HOST} instances with {field}")
    if instance.redis_version not in ("", VERSION):
        text = f"is not supported by the sandbox, whose server is compatible with {VERSION}"
        raise unsupported(f"{HOST} the version {instance.redis_version}", text)
    if instance.connect_mode != Kind.ConnectMode.PRIVATE_SERVICE_ACCESS:
        text = "is not supported by the sandbox: set connect_mode to PRIVATE_SERVICE_ACCESS"
        raise unsupported(f"{HOST} the connect mode DIRECT_PEERING, the default,", text)
    if instance.read_replicas_mode == Kind.ReadReplicasMode.READ_REPLICAS_ENABLED:
        raise unsupported(f"{HOST} instances with read replicas")
    if instance.persistence_config.persistence_mode == types.PersistenceConfig.PersistenceMode.RDB:
        raise unsupported(f"{HOST} instances with RDB persistence")


def _complete_network(cloud: Cloud, instance: Any) -> None:
    network = instance.authorized_network or f"{cloud.project.name}/global/networks/default"
    found = referenced(cloud, "instance.authorized_network", network, "networks")
    instance.authorized_network = path_of(cloud, found["selfLink"])


def _complete_nodes(instance: Any, region: str) -> None:
    replicas = 1 if is_replicated(instance) else 0
    if instance.replica_count not in (0, replicas):
        text = f"The replica count of an instance of this tier without read replicas is {replicas}."
        raise invalid(text, {"instance.replica_count": "invalid"})
    zones = [instance.location_id or f"{region}-a", instance.alternative_location_id or f"{region}-b"]
    if any(not zone.startswith(f"{region}-") for zone in zones):
        raise invalid(f"The zones {' and '.join(zones)} are not both of {region}.", {"instance.location_id": "invalid"})
    instance.replica_count = replicas
    instance.location_id = instance.current_location_id = zones[0]
    if replicas:
        instance.alternative_location_id = zones[1]
    for number, zone in enumerate(zones[: replicas + 1]):
        instance.nodes.add(id=f"node-{number}", zone=zone)


def check_settings(instance: Any) -> None:
    """Check what may be changed later too: the size and the configuration.

    Raises:
        ApiError: It is wrong.
    """
    if not 1 <= instance.memory_size_gb <= _LARGEST:
        raise invalid(f"The memory size is 1 to {_LARGEST} GiB.", {"instance.memory_size_gb": "out of range"})
    for name, value in instance.redis_configs.items():
        if name not in _CONFIGS:
            raise unsupported(f"{HOST} the Redis configuration {name}")
        if not re.fullmatch(_CONFIGS[name], value):
            raise invalid(f"The Redis configuration {name} cannot be {value!r}.", {"instance.redis_configs": name})
    if float(instance.redis_configs.get("maxmemory-gb", 0)) > instance.memory_size_gb:
        raise invalid("maxmemory-gb is more than the instance has.", {"instance.redis_configs": "maxmemory-gb"})


def check_change(before: Any, after: Any) -> None:
    """Refuse a change of what cannot be changed."""
    check_settings(after)
    for field in after.DESCRIPTOR.fields:
        if field.name not in _CHANGEABLE and getattr(before, field.name) != getattr(after, field.name):
            raise invalid(f"The field {field.name} of an instance cannot be changed.", {"update_mask": field.name})


def settings_of(instance: Any) -> dict[str, str]:
    """The server's settings by name, in the words of its configuration."""
    configs = dict(instance.redis_configs)
    size = float(configs.pop("maxmemory-gb", instance.memory_size_gb))
    return {"maxmemory-policy": "volatile-lru", "maxmemory": str(int(size * 1024**3)), **configs}


def is_encrypted(instance: Any) -> bool:
    """Whether its endpoint speaks TLS."""
    return bool(instance.transit_encryption_mode == Kind.TransitEncryptionMode.SERVER_AUTHENTICATION)


def is_replicated(instance: Any) -> bool:
    """Whether its data outlives a node: there is a replica to promote."""
    return bool(instance.tier == Kind.Tier.STANDARD_HA)
