"""ElastiCache for Valkey and Redis: moto keeps what the API says, the controller keeps a server and a relay for each cache.

A replication group has one node group; its primary is run, its replicas are only written down. Cache clusters have one node.
Parameter groups reach the servers. Memcached, serverless caches, cluster mode, users and snapshots are refused by name.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.elasticache import models
from moto.elasticache.exceptions import CacheClusterAlreadyExists, ReplicationGroupAlreadyExists

from ragonotebooks.sandbox.aws import elasticache_actions as actions
from ragonotebooks.sandbox.aws import elasticache_request as request
from ragonotebooks.sandbox.aws import elasticache_shown as shown
from ragonotebooks.sandbox.aws.elasticache_caches import Cache, Caches
from ragonotebooks.sandbox.aws.elasticache_parameters import Group, Groups
from ragonotebooks.sandbox.aws.errors import ApiError, unsupported
from ragonotebooks.sandbox.context import Context

# moto's lacks parameter groups
_TAGGED: Final = re.compile(r"arn:aws:elasticache:[^:]*:\d*:(cluster|parametergroup|replicationgroup|subnetgroup):.+")
_CLUSTER_ARGUMENTS: Final = tuple(inspect.signature(models.ElastiCacheBackend.create_cache_cluster).parameters)[1:]


def install(context: Context) -> Caches:
    """Put the controller behind moto's ElastiCache and return it."""
    caches = Caches(context)
    # the tagging API may have looked, and made moto's own; nobody has called ElastiCache yet, so they are empty
    models.elasticache_backends.clear()
    models.elasticache_backends.backend = _backend(caches)
    shown.install()
    actions.install(caches)
    return caches


def _backend(caches: Caches) -> type[models.ElastiCacheBackend]:
    class Backend(models.ElastiCacheBackend):
        # moto derives an API's URLs from the module that its backend is defined in
        __module__ = "moto.elasticache.models"

        def __init__(self, region_name: str, account_id: str) -> None:
            super().__init__(region_name, account_id)
            self.arn_regex = _TAGGED

        @cached_property
        def parameter_groups(self) -> Groups:
            """Made when they are first asked for: without Valkey on this machine, the rest of the API still answers."""
            families = [engine.family for engine in request.engines(caches.installation)]
            prefix = f"arn:aws:elasticache:{self.region_name}:{self.account_id}:parametergroup:"
            return Groups(prefix.__add__, families)

        def create_cache_subnet_group(self, *args: Any, **kwargs: Any) -> Any:
            ec2 = ec2_backends[self.account_id][self.region_name]
            # moto makes up those that do not exist
            for subnet in set(kwargs["subnet_ids"]) - {one.id for one in ec2.describe_subnets()}:
                raise ApiError("InvalidSubnet", f"The subnet ID '{subnet}' does not exist")
            group = super().create_cache_subnet_group(*args, **kwargs)
            for subnet in group.subnets:
                subnet["subnet_availability_zone"] = {"name": subnet["subnet_availability_zone"]}
            return group

        def delete_cache_subnet_group(self, name: str) -> None:
            [group] = self.describe_cache_subnet_groups(name)
            if any(one.cache_subnet_group_name == name for one in self.cache_clusters.values()):
                raise ApiError("CacheSubnetGroupInUse", f"Cache subnet group {name} is in use by a cache cluster.")
            del self.cache_subnet_groups[name]
            self.tagging_service.delete_all_tags_for_resource(group.arn)

        def create_replication_group(self, **asked: Any) -> Any:  # type: ignore[override]  # moto names them all
            name, count = asked["replication_group_id"], request.nodes(asked)
            if name in self.replication_groups:
                raise ReplicationGroupAlreadyExists(name)
            request.check_group(asked)
            engine, parameters = self._engine(asked, "CreateReplicationGroup")
            interface = request.make_interface(self, asked, name)
            # moto counts replicas only
            shape = {"replicas_per_node_group": count - 1, "num_node_groups": 1, "engine": engine.name}
            group = super().create_replication_group(**{**asked, **shape})
            asked_of_members = {**asked, **shape, "engine_version": engine.version, "num_cache_nodes": 1}
            members = [self._cluster(one, asked_of_members, parameters, interface) for one in group.member_clusters]
            group.cache_parameter_group_name = parameters.cache_parameter_group_name
            if group.transit_encryption_enabled:
                group.transit_encryption_mode = "required"
            self._provision(group, members, interface, parameters, asked["auth_token"])
            return group

        def create_cache_cluster(self, **asked: Any) -> Any:  # type: ignore[override]  # moto names them all
            request.check_cluster(asked)
            engine, parameters = self._engine(asked, "CreateCacheCluster")
            name = asked["cache_cluster_id"]
            if name in self.cache_clusters:
                raise CacheClusterAlreadyExists(name)
            interface = request.make_interface(self, asked, name)
            shape = {"engine": engine.name, "engine_version": engine.version, "num_cache_nodes": 1}
            cluster = self._cluster(name, {**asked, **shape}, parameters, interface)
            self._provision(cluster, [cluster], interface, parameters)
            return cluster

        def delete_cache_cluster(self, cache_cluster_id: str) -> Any:
            [cluster] = self.describe_cache_clusters(cache_cluster_id)
            if cluster.replication_group_id:
                text = f"Cache cluster {cache_cluster_id} is a part of {cluster.replication_group_id}: delete that"
                raise ApiError("InvalidCacheClusterState", text)
            self._delete(cluster, lambda: self._forget(cluster))
            return cluster

        def delete_replication_group(self, replication_group_id: str, retain_primary_cluster: bool | None) -> Any:
            if retain_primary_cluster:
                raise unsupported("elasticache", "DeleteReplicationGroup", "with RetainPrimaryCluster is not supported")
            [group] = self.describe_replication_groups(replication_group_id)

            def gone() -> None:
                for member in group.member_clusters:
                    self._forget(self.cache_clusters[member])
                del self.replication_groups[replication_group_id]
                self.tagging_service.delete_all_tags_for_resource(group.arn)

            self._delete(group, gone)
            return group

        def change_replication_group(self, asked: Mapping[str, Any]) -> Any:
            """Change a replication group as the parameters of ModifyReplicationGroup say."""
            group: Any = self.describe_replication_groups(asked["ReplicationGroupId"])[0]
            request.check_change(asked, group)
            cache = self._settled(group, "available")
            if groups := asked.get("SecurityGroupIds"):
                cache.interface._group_set = request.security_groups(self, cache.interface.subnet.vpc_id, groups)
            if name := asked.get("CacheParameterGroupName"):
                caches.configure(cache, self.parameter_groups.find(name).values())
                group.cache_parameter_group_name = name
            if "AuthToken" in asked or "AuthTokenUpdateStrategy" in asked:
                tokens = request.tokens(asked, cache.tokens, encrypted=cache.encrypted)
                caches.set_tokens(cache, tokens)
                group.auth_token_enabled, group.auth_token_last_modified_date = bool(tokens), utcnow()
            for member in group.member_clusters:
                shown.show_settings(self.cache_clusters[member], group.cache_parameter_group_name, cache.interface)
            group.description = asked.get("ReplicationGroupDescription", group.description)
            group.cache_node_type = asked.get("CacheNodeType", group.cache_node_type)
            group.multi_az = "enabled" if asked.get("MultiAZEnabled", group.multi_az == "enabled") else "disabled"
            return group

        def change_parameters(self, group: Group) -> None:
            """Let the values of a parameter group hold for the caches that have it."""
            for one in self._having(group):
                if one.status == "available":
                    caches.configure(caches.find(one.arn), group.values())

        def delete_parameter_group(self, name: str) -> None:
            """Forget a parameter group that no cache has."""
            group = self.parameter_groups.find(name)
            if used := self._having(group):
                text = f"The cache parameter group {name} is in use by {used[0].arn}."
                raise ApiError("InvalidCacheParameterGroupState", text)
            self.parameter_groups.delete(name)
            self.tagging_service.delete_all_tags_for_resource(group.arn)

        def _having(self, group: Group) -> list[Any]:
            alone = [one for one in self.cache_clusters.values() if not one.replication_group_id]
            name = group.cache_parameter_group_name
            every = [*self.replication_groups.values(), *alone]
            return [one for one in every if one.cache_parameter_group_name == name]

        def _engine(self, asked: Mapping[str, Any], operation: str) -> tuple[request.Engine, Group]:
            engine = request.engine_of(asked, operation, caches.installation)
            parameters = self.parameter_groups.find(asked["cache_parameter_group_name"] or f"default.{engine.family}")
            if parameters.cache_parameter_group_family != engine.family:
                text = f"Expected a parameter group of family {engine.family} but found one of family "
                raise ApiError("InvalidParameterCombination", text + parameters.cache_parameter_group_family)
            return engine, parameters

        def _cluster(self, name: str, asked: Mapping[str, Any], parameters: Group, interface: Any) -> Any:
            known = {argument: asked.get(argument) for argument in _CLUSTER_ARGUMENTS}
            known |= {"cache_cluster_id": name, "auth_token": asked.get("auth_token")}
            create: Any = super().create_cache_cluster
            cluster = create(**known)
            # moto keeps these for some engines only
            cluster.num_cache_nodes = 1
            cluster.replication_group_id = asked.get("replication_group_id")
            cluster.preferred_availability_zone = interface.subnet.availability_zone
            shown.show_settings(cluster, parameters.cache_parameter_group_name, interface)
            return cluster

        def _provision(
            self, what: Any, nodes: list[Any], interface: Any, parameters: Group, token: str | None = None
        ) -> None:
            hidden = what.node_groups if what not in nodes else []
            what.node_groups = []

            def reached(address: str) -> None:
                what.node_groups = [shown.with_endpoints(one, address, what.port) for one in hidden]
                for node in nodes:
                    shown.show_node(node, address)

            cache = Cache(
                arn=what.arn,
                id=what.replication_group_id if hidden else what.cache_cluster_id,
                shown=[what, *nodes],
                interface=interface,
                port=what.port,
                encrypted=bool(what.transit_encryption_enabled),
                # where a replica is promoted by itself, nothing is lost with a node
                durable=getattr(what, "automatic_failover", "disabled") == "enabled",
                tokens=[token] if token else [],
                parameters=parameters.values(),
            )
            caches.provision(cache, reached)

        def _delete(self, what: Any, gone: Callable[[], None]) -> None:
            cache = self._settled(what, "available", "create-failed")

            def all_gone() -> None:
                ec2_backends[self.account_id][self.region_name].delete_network_interface(cache.interface.id)
                gone()

            caches.delete(cache, all_gone)

        def _forget(self, cluster: Any) -> None:
            del self.cache_clusters[cluster.cache_cluster_id]
            self.tagging_service.delete_all_tags_for_resource(cluster.arn)

        def _settled(self, what: Any, *states: str) -> Cache:
            if what.status not in states:
                kind = "ReplicationGroup" if isinstance(what, models.ReplicationGroup) else "CacheCluster"
                raise ApiError(f"Invalid{kind}State", f"{what.arn} is not in available state: it is {what.status}.")
            return caches.find(what.arn)

    return Backend
