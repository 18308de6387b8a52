"""How ElastiCache shows its caches: endpoints, nodes and settings on moto's objects, in the shapes of the API."""

import copy
from typing import Any

from moto.elasticache import models


def install() -> None:
    """Let a cluster have one state: moto has two names for it."""
    models.CacheCluster.cache_cluster_status = property(
        lambda cluster: cluster.status, lambda cluster, state: setattr(cluster, "status", state)
    )


def with_endpoints(node_group: dict[str, Any], address: str, port: int) -> dict[str, Any]:
    """A node group whose endpoints are all at `address`: replicas are not run, the primary answers for them."""
    endpoint = {"address": address, "port": port}
    members = [{**member, "read_endpoint": endpoint} for member in node_group["node_group_members"]]
    return {
        "node_group_id": node_group["node_group_id"],
        "status": "available",
        "primary_endpoint": endpoint,
        "reader_endpoint": endpoint,
        "node_group_members": members,
    }


def show_node(cluster: Any, address: str) -> None:
    """Let a cluster show its only node, at `address`."""
    cluster.cache_nodes = [
        {
            "cache_node_id": "0001",
            "cache_node_status": "available",
            "cache_node_create_time": cluster.cache_cluster_create_time,
            "endpoint": {"address": address, "port": cluster.port},
            "parameter_group_status": "in-sync",
            "customer_availability_zone": cluster.preferred_availability_zone,
        }
    ]


def show_settings(cluster: Any, parameter_group: str, interface: Any) -> None:
    """Let a cluster show its parameter group and the security groups of its interface."""
    cluster.cache_parameter_group_name = parameter_group
    cluster.cache_parameter_group = {
        "cache_parameter_group_name": parameter_group,
        "parameter_apply_status": "in-sync",
        "cache_node_ids_to_reboot": [],
    }
    cluster.security_groups = [{"security_group_id": one.id, "status": "active"} for one in interface.group_set]


def without_nodes(cluster: Any) -> Any:
    """A cluster as it is described to those who did not ask for its nodes."""
    shown = copy.copy(cluster)
    shown.cache_nodes = []
    return shown
