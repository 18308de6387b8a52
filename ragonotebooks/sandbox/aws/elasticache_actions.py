"""API actions of ElastiCache that moto lacks, or answers without waiting for what stands behind a cache."""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult, PaginatedResult
from moto.elasticache.responses import ElastiCacheResponse

from ragonotebooks.sandbox.aws import elasticache_shown as shown
from ragonotebooks.sandbox.aws.elasticache_caches import Caches
from ragonotebooks.sandbox.aws.elasticache_request import engines
from ragonotebooks.sandbox.aws.errors import unsupported


def install(caches: Caches) -> None:
    """Give the actions to moto's ElastiCache."""
    for action in (*_describing(caches), *_CHANGING, *_PARAMETERS):
        setattr(ElastiCacheResponse, action.__name__, action)


def _describing(caches: Caches) -> tuple[Callable[[Any], ActionResult], ...]:
    def describe_replication_groups(self: Any) -> ActionResult:
        name, backend = self._get_param("ReplicationGroupId"), self.elasticache_backend
        caches.wait_for(backend.describe_replication_groups(name))
        return PaginatedResult({"ReplicationGroups": backend.describe_replication_groups(name)})

    def describe_cache_clusters(self: Any) -> ActionResult:
        name, backend = self._get_param("CacheClusterId"), self.elasticache_backend
        caches.wait_for(backend.describe_cache_clusters(name))
        found = backend.describe_cache_clusters(name)
        if self._get_bool_param("ShowCacheClustersNotInReplicationGroups"):
            found = [one for one in found if not one.replication_group_id]
        if not self._get_bool_param("ShowCacheNodeInfo"):
            found = [shown.without_nodes(one) for one in found]
        return PaginatedResult({"CacheClusters": found})

    def describe_cache_engine_versions(self: Any) -> ActionResult:
        engine, family = self._get_param("Engine"), self._get_param("CacheParameterGroupFamily")
        found = [
            {
                "Engine": one.name,
                "EngineVersion": one.version,
                "CacheParameterGroupFamily": one.family,
                "CacheEngineDescription": one.name.capitalize(),
                "CacheEngineVersionDescription": f"{one.name} version {one.version}",
            }
            for one in engines(caches.installation)
            if engine in (None, one.name) and family in (None, one.family)
        ]
        return ActionResult({"CacheEngineVersions": found})

    return describe_replication_groups, describe_cache_clusters, describe_cache_engine_versions


def modify_replication_group(self: Any) -> ActionResult:
    return ActionResult({"ReplicationGroup": self.elasticache_backend.change_replication_group(self.params)})


def delete_replication_group(self: Any) -> ActionResult:
    if self._get_param("FinalSnapshotIdentifier"):
        raise unsupported("elasticache", "DeleteReplicationGroup", "with FinalSnapshotIdentifier is not supported")
    name, retain = self._get_param("ReplicationGroupId"), self._get_bool_param("RetainPrimaryCluster")
    return ActionResult({"ReplicationGroup": self.elasticache_backend.delete_replication_group(name, retain)})


def delete_cache_cluster(self: Any) -> ActionResult:
    if self._get_param("FinalSnapshotIdentifier"):
        raise unsupported("elasticache", "DeleteCacheCluster", "with FinalSnapshotIdentifier is not supported")
    return ActionResult(
        {"CacheCluster": self.elasticache_backend.delete_cache_cluster(self._get_param("CacheClusterId"))}
    )


def delete_cache_subnet_group(self: Any) -> ActionResult:
    self.elasticache_backend.delete_cache_subnet_group(self._get_param("CacheSubnetGroupName"))
    return EmptyResult()


def add_tags_to_resource(self: Any) -> ActionResult:
    name, backend = self._get_param("ResourceName"), self.elasticache_backend
    backend.list_tags_for_resource(name)  # refuses what is no ARN of a resource with tags
    backend.add_tags_to_resource(name, self._get_param("Tags", []))
    return ActionResult({"TagList": backend.list_tags_for_resource(name)["Tags"]})


def remove_tags_from_resource(self: Any) -> ActionResult:
    name, backend = self._get_param("ResourceName"), self.elasticache_backend
    backend.remove_tags_from_resource(name, self._get_param("TagKeys", []))
    return ActionResult({"TagList": backend.list_tags_for_resource(name)["Tags"]})


def create_cache_parameter_group(self: Any) -> ActionResult:
    backend, name = self.elasticache_backend, self._get_param("CacheParameterGroupName")
    family, description = self._get_param("CacheParameterGroupFamily"), self._get_param("Description")
    group = backend.parameter_groups.create(name, family, description)
    backend.add_tags_to_resource(group.arn, self._get_param("Tags", []))
    return ActionResult({"CacheParameterGroup": group})


def describe_cache_parameter_groups(self: Any) -> ActionResult:
    groups, name = self.elasticache_backend.parameter_groups, self._get_param("CacheParameterGroupName")
    return PaginatedResult({"CacheParameterGroups": [groups.find(name)] if name else groups.all()})


def describe_cache_parameters(self: Any) -> ActionResult:
    group = self.elasticache_backend.parameter_groups.find(self._get_param("CacheParameterGroupName"))
    return PaginatedResult({"Parameters": group.described(self._get_param("Source"))})


def modify_cache_parameter_group(self: Any) -> ActionResult:
    backend, name = self.elasticache_backend, self._get_param("CacheParameterGroupName")
    given = self._get_param("ParameterNameValues", [])
    values = {one["ParameterName"]: one["ParameterValue"] for one in given}
    backend.change_parameters(backend.parameter_groups.change(name, values))
    return ActionResult({"CacheParameterGroupName": name})


def reset_cache_parameter_group(self: Any) -> ActionResult:
    backend, name = self.elasticache_backend, self._get_param("CacheParameterGroupName")
    every, given = self._get_bool_param("ResetAllParameters"), self._get_param("ParameterNameValues", [])
    names = None if every else [one["ParameterName"] for one in given]
    backend.change_parameters(backend.parameter_groups.reset(name, names))
    return ActionResult({"CacheParameterGroupName": name})


def delete_cache_parameter_group(self: Any) -> ActionResult:
    self.elasticache_backend.delete_parameter_group(self._get_param("CacheParameterGroupName"))
    return EmptyResult()


_CHANGING = (
    modify_replication_group,
    delete_replication_group,
    delete_cache_cluster,
    delete_cache_subnet_group,
    add_tags_to_resource,
    remove_tags_from_resource,
)
_PARAMETERS = (
    create_cache_parameter_group,
    describe_cache_parameter_groups,
    describe_cache_parameters,
    modify_cache_parameter_group,
    reset_cache_parameter_group,
    delete_cache_parameter_group,
)
