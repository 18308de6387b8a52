"""ECS with its scaling, ECR and CloudWatch Logs: what runs, what it runs, and what it said."""

from collections.abc import Iterator
from typing import Any, Final

from ragonotebooks.cleanup.aws.listing import pages, tagged
from ragonotebooks.cleanup.kind import Found, Kind
from ragonotebooks.cleanup.ownership import Ownership

_CHUNK: Final = 100  # as many as DescribeClusters and DescribeTasks take
_FEW: Final = 10  # as many as DescribeServices takes
_DESIRED_COUNT: Final = "ecs:service:DesiredCount"


def _clusters(ecs: Any) -> Iterator[Any]:
    arns = list(pages(ecs, "list_clusters", "clusterArns"))
    for start in range(0, len(arns), _CHUNK):
        yield from ecs.describe_clusters(clusters=arns[start : start + _CHUNK], include=["TAGS"])["clusters"]


def _find_clusters(ecs: Any, owner: Ownership) -> Iterator[Found]:
    for cluster in _clusters(ecs):
        # a deleted cluster stays visible for a while as INACTIVE
        if cluster["status"] != "INACTIVE" and owner.covers(cluster.get("tags")):
            yield Found(cluster["clusterArn"], leaving=cluster["status"] == "DEPROVISIONING")


def _find_services(ecs: Any, owner: Ownership) -> Iterator[Found]:
    for cluster in _clusters(ecs):
        # every service in a cluster of the deployment belongs to it, else it would hold the cluster
        contained = owner.covers(cluster.get("tags"))
        for service in _services(ecs, cluster["clusterArn"]):
            if service["status"] != "INACTIVE" and (contained or owner.covers(service.get("tags"))):
                yield Found(service["serviceArn"], leaving=service["status"] == "DRAINING")


def _services(ecs: Any, cluster: str) -> Iterator[Any]:
    arns = list(pages(ecs, "list_services", "serviceArns", cluster=cluster))
    for start in range(0, len(arns), _FEW):
        few = arns[start : start + _FEW]
        yield from ecs.describe_services(cluster=cluster, services=few, include=["TAGS"])["services"]


def _delete_service(ecs: Any, arn: str) -> None:
    cluster = arn.split("/")[-2]
    ecs.update_service(cluster=cluster, service=arn, desiredCount=0)
    ecs.delete_service(cluster=cluster, service=arn, force=True)


def _deregister_target(scaling: Any, service: str) -> None:
    scaling.deregister_scalable_target(ServiceNamespace="ecs", ResourceId=service, ScalableDimension=_DESIRED_COUNT)


def _find_tasks(ecs: Any, owner: Ownership) -> Iterator[Found]:
    for cluster in _clusters(ecs):
        # every task in a cluster of the deployment belongs to it, as objects belong to their bucket
        contained = owner.covers(cluster.get("tags"))
        for task in _tasks(ecs, cluster["clusterArn"]):
            if task["lastStatus"] != "STOPPED" and (contained or owner.covers(task.get("tags"))):
                yield Found(task["taskArn"], leaving=task["desiredStatus"] == "STOPPED")


def _tasks(ecs: Any, cluster: str) -> Iterator[Any]:
    arns = list(pages(ecs, "list_tasks", "taskArns", cluster=cluster))
    for start in range(0, len(arns), _CHUNK):
        yield from ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + _CHUNK], include=["TAGS"])["tasks"]


def _stop_task(ecs: Any, arn: str) -> None:
    ecs.stop_task(cluster=arn.split("/")[-2], task=arn, reason="ragonotebooks cleanup")


def _find_definitions(ecs: Any, owner: Ownership) -> Iterator[Found]:
    for status in ("ACTIVE", "INACTIVE"):
        for arn in pages(ecs, "list_task_definitions", "taskDefinitionArns", status=status):
            if owner.covers(ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"]).get("tags")):
                yield Found(arn)


def _delete_definition(ecs: Any, arn: str) -> None:
    ecs.deregister_task_definition(taskDefinition=arn)
    ecs.delete_task_definitions(taskDefinitions=[arn])


def _find_repositories(ecr: Any, owner: Ownership) -> Iterator[Found]:
    for repository in pages(ecr, "describe_repositories", "repositories"):
        if owner.covers(ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]):
            yield Found(repository["repositoryName"])


def _delete_repository(ecr: Any, name: str) -> None:
    ecr.delete_repository(repositoryName=name, force=True)


def _find_log_groups(logs: Any, owner: Ownership) -> Iterator[Found]:
    for group in pages(logs, "describe_log_groups", "logGroups"):
        # some answers end a log group's ARN in ":*", which names its streams
        arn = group["arn"].removesuffix(":*")
        if owner.covers(logs.list_tags_for_resource(resourceArn=arn)["tags"]):
            yield Found(group["logGroupName"])


def _delete_log_group(logs: Any, name: str) -> None:
    logs.delete_log_group(logGroupName=name)


SCALING_TARGETS: Final = tagged(
    "application-autoscaling",
    "scaling target",
    lambda scaling: pages(scaling, "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs"),
    lambda target: str(target["ResourceId"]),
    lambda scaling, target: scaling.list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])["Tags"],
    _deregister_target,
)
SERVICES: Final = Kind("ecs", "service", _find_services, _delete_service)
TASKS: Final = Kind("ecs", "task", _find_tasks, _stop_task)
CLUSTERS: Final = Kind("ecs", "cluster", _find_clusters, lambda ecs, arn: ecs.delete_cluster(cluster=arn))
TASK_DEFINITIONS: Final = Kind("ecs", "task definition", _find_definitions, _delete_definition)
REPOSITORIES: Final = Kind("ecr", "repository", _find_repositories, _delete_repository)
LOG_GROUPS: Final = Kind("logs", "log group", _find_log_groups, _delete_log_group)
