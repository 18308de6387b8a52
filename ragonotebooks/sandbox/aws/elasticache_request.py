"""What a call that makes a cache asks for: checked as AWS checks it, what the sandbox cannot do refused by name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from moto.ec2.models import ec2_backends

from ragonotebooks.sandbox.aws.ec2_addresses import free_address
from ragonotebooks.sandbox.aws.errors import ApiError, unsupported
from ragonotebooks.sandbox.parts.valkey import Installation

# "Authenticating with the AUTH command", ElastiCache user guide, read 2026-11
_TOKEN: Final = re.compile(r"[A-Za-z0-9!&#$^<>-]{16,128}")
_REDIS: Final = "7.1"
_ABSENT: Final = {
    "CreateReplicationGroup": (
        "data_tiering_enabled",
        "global_replication_group_id",
        "node_group_configuration",
        "primary_cluster_id",
        "serverless_cache_snapshot_name",
        "snapshot_arns",
        "snapshot_name",
        "user_group_ids",
    ),
    "CreateCacheCluster": ("outpost_mode", "replication_group_id", "snapshot_arns", "snapshot_name"),
}
_CHANGEABLE: Final = {
    *("ApplyImmediately", "AuthToken", "AuthTokenUpdateStrategy", "AutomaticFailoverEnabled", "CacheNodeType"),
    *("CacheParameterGroupName", "MultiAZEnabled", "PreferredMaintenanceWindow", "ReplicationGroupDescription"),
    *("ReplicationGroupId", "SecurityGroupIds"),
}


@dataclass(frozen=True)
class Engine:
    """What runs a cache.

    Attributes:
        name: `valkey` or `redis`.
        version: As the API shows it: 8.1.8.
        family: Of its parameter groups: valkey8.
    """

    name: str
    version: str
    family: str


def engines(installation: Installation) -> list[Engine]:
    """The engines that can be run. Valkey runs as Redis too: it began as a copy of Redis 7.2 and keeps its protocol."""
    found = [Engine("redis", f"{_REDIS}.0", "redis7")]
    if installation.product == "Valkey":
        version = installation.version
        found.append(Engine("valkey", version, f"valkey{version.partition('.')[0]}"))
    return found


def engine_of(asked: Mapping[str, Any], operation: str, installation: Installation) -> Engine:
    """The engine that a call asks for.

    Raises:
        ApiError: There is no such engine, or not in that version.
    """
    name, version = (asked["engine"] or "redis").lower(), asked["engine_version"]
    found = next((engine for engine in engines(installation) if engine.name == name), None)
    if found is None:
        raise unsupported("elasticache", operation, f"with engine {name} is not supported by the sandbox")
    if version and not f"{found.version}.".startswith(f"{version}."):
        text = f"Cannot find version {version} for {name}: the sandbox runs version {found.version}"
        raise ApiError("InvalidParameterCombination", text)
    return found


def check_group(asked: Mapping[str, Any]) -> None:
    """Raise an ApiError unless a replication group can be made as asked."""
    operation = "CreateReplicationGroup"
    _check_absent(asked, operation)
    _check_node_type(asked)
    if asked["cluster_mode"] in ("enabled", "compatible") or (asked["num_node_groups"] or 1) > 1:
        raise unsupported("elasticache", operation, "with cluster mode enabled is not supported by the sandbox")
    if asked["transit_encryption_mode"] == "preferred":
        raise unsupported("elasticache", operation, "with TransitEncryptionMode preferred is not supported")
    _check_failover(nodes(asked), automatic=asked["automatic_failover_enabled"], multi_az=asked["multi_az_enabled"])
    if asked["auth_token"]:
        check_token(asked["auth_token"], encrypted=bool(asked["transit_encryption_enabled"]))


def check_change(asked: Mapping[str, Any], group: Any) -> None:
    """Raise an ApiError unless a replication group can be changed as the parameters of ModifyReplicationGroup ask."""
    for name in asked.keys() - _CHANGEABLE:
        raise unsupported("elasticache", "ModifyReplicationGroup", f"with {name} is not supported by the sandbox")
    automatic = asked.get("AutomaticFailoverEnabled", group.automatic_failover == "enabled")
    multi_az = asked.get("MultiAZEnabled", group.multi_az == "enabled")
    _check_failover(len(group.member_clusters), automatic=automatic, multi_az=multi_az)
    if automatic != (group.automatic_failover == "enabled"):
        text = "that changes AutomaticFailoverEnabled is not supported by the sandbox: it decides what a node keeps"
        raise unsupported("elasticache", "ModifyReplicationGroup", text)


def tokens(asked: Mapping[str, Any], current: list[str], *, encrypted: bool) -> list[str]:
    """The AUTH tokens that hold after a ModifyReplicationGroup, of those that hold now.

    Raises:
        ApiError: They cannot be changed as asked.
    """
    strategy, token = asked.get("AuthTokenUpdateStrategy", "ROTATE"), asked.get("AuthToken")
    if strategy == "DELETE":
        return []
    if token is None:
        raise ApiError("InvalidParameterCombination", f"AuthTokenUpdateStrategy {strategy} needs an AuthToken.")
    check_token(token, encrypted=encrypted)
    # a rotation lets the last one hold too, until the new one is set
    return [token] if strategy == "SET" else [*current[-1:], token]


def nodes(asked: Mapping[str, Any]) -> int:
    """How many nodes a replication group is to have: one primary, the others replicas."""
    return int(asked["num_cache_clusters"] or (asked["replicas_per_node_group"] or 0) + 1)


def _check_failover(count: int, *, automatic: bool | None, multi_az: bool | None) -> None:
    if automatic and count < 2:
        text = "Automatic failover needs a replication group with at least 2 cache clusters."
        raise ApiError("InvalidParameterCombination", text)
    if multi_az and not automatic:
        raise ApiError("InvalidParameterCombination", "Automatic failover must be enabled for Multi-AZ.")


def check_cluster(asked: Mapping[str, Any]) -> None:
    """Raise an ApiError unless a cache cluster of one node can be made as asked."""
    operation = "CreateCacheCluster"
    if asked["engine"] == "valkey":
        text = "This API makes no Valkey caches: use CreateReplicationGroup."
        raise ApiError("InvalidParameterValue", text)
    _check_absent(asked, operation)
    _check_node_type(asked)
    if (asked["num_cache_nodes"] or 1) != 1:
        raise ApiError("InvalidParameterValue", "NumCacheNodes should be 1 if engine is redis")
    if asked["auth_token"] or asked["transit_encryption_enabled"]:
        text = "Encryption in transit and its AUTH token need a replication group: use CreateReplicationGroup."
        raise ApiError("InvalidParameterCombination", text)


def check_token(token: str, *, encrypted: bool) -> None:
    """Raise an ApiError unless `token` may be the AUTH token of a cache."""
    if not encrypted:
        text = "The AUTH token is only supported when encryption-in-transit is enabled: set TransitEncryptionEnabled."
        raise ApiError("InvalidParameterCombination", text)
    if not _TOKEN.fullmatch(token):
        text = "Invalid AuthToken provided: it must be 16 to 128 letters, digits or characters of !&#$^<>-"
        raise ApiError("InvalidParameterValue", text)


def make_interface(backend: Any, asked: Mapping[str, Any], name: str) -> Any:
    """Make the network interface of a cache: in its subnet group's first subnet, else in the default VPC, with its groups.

    Raises:
        ApiError: There is no such subnet group, security group or free address.
    """
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    subnet = _subnet(ec2, backend, asked["cache_subnet_group_name"])
    groups = security_groups(backend, subnet.vpc_id, asked["security_group_ids"])
    address = free_address(ec2, subnet.id)
    if address is None:
        raise ApiError("InsufficientCacheClusterCapacity", f"The subnet {subnet.id} has no free address.")
    identifiers = [group.id for group in groups]
    interface = ec2.create_network_interface(subnet, address, group_ids=identifiers, description=f"ElastiCache {name}")
    interface.status, interface.requester_managed = "in-use", True
    return interface


def security_groups(backend: Any, vpc: str, identifiers: list[str] | None) -> list[Any]:
    """The security groups with these ids, the VPC's default one when there are none.

    Raises:
        ApiError: One of them is not in the VPC.
    """
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    if not identifiers:
        return [ec2.get_default_security_group(vpc)]
    found = [(one, ec2.get_security_group_from_id(one)) for one in identifiers]
    for identifier, group in found:
        if group is None or group.vpc_id != vpc:
            text = f"Some security groups are invalid, or are not in {vpc}: {identifier}"
            raise ApiError("InvalidParameterValue", text)
    return [group for _, group in found]


def _check_absent(asked: Mapping[str, Any], operation: str) -> None:
    for name in _ABSENT[operation]:
        if asked[name]:
            spelled = "".join(part.capitalize() for part in name.split("_"))
            raise unsupported("elasticache", operation, f"with {spelled} is not supported by the sandbox")


def _check_node_type(asked: Mapping[str, Any]) -> None:
    # moto checks it once half of a replication group is made
    if not asked["cache_node_type"]:
        text = "The parameter CacheNodeType must be provided and must not be null."
        raise ApiError("InvalidParameterValue", text)


def _subnet(ec2: Any, backend: Any, group: str | None) -> Any:
    if group:
        [found] = backend.describe_cache_subnet_groups(group)
        return ec2.get_subnet(found.subnet_ids[0])
    vpcs = {vpc.id for vpc in ec2.vpcs.values() if vpc.is_default == "true" or vpc.is_default is True}
    subnet = next((one for one in ec2.describe_subnets() if one.vpc_id in vpcs), None)
    if subnet is None:
        raise ApiError("InvalidParameterValue", "The account does not have any default subnets.")
    return subnet
