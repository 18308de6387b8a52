"""ECS, ECR and CloudWatch Logs: what runs, what it runs, and what it said."""

from collections.abc import Iterator
from typing import Any, Final

from ragonotebooks.cleanup.kind import Found, Kind, pages
from ragonotebooks.cleanup.ownership import Ownership

_CHUNK: Final = 100  # as many as DescribeClusters and DescribeTasks take


def _clusters(ecs: Any) -> Iterator[Any]:
    arns = list(pages(ecs, "list_clusters", "clusterArns"))
    for start in range(0, len(arns), _CHUNK):
        yield from ecs.describe_clusters(clusters=arns[start : start + _CHUNK], include=["TAGS"])["clusters"]


def _find_clusters(ecs: Any, owner: Ownership) -> Iterator[Found]:
    for cluster in _clusters(ecs):
        # a deleted cluster stays visible for a while as INACTIVE
        if cluster["status"] != "INACTIVE" and owner.covers(cluster.get("tags")):
            yield Found(cluster["clusterArn"], leaving=cluster["status"] == "DEPROVISIONING")


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


TASKS: Final = Kind("ecs", "task", _find_tasks, _stop_task)
CLUSTERS: Final = Kind("ecs", "cluster", _find_clusters, lambda ecs, arn: ecs.delete_cluster(cluster=arn))
TASK_DEFINITIONS: Final = Kind("ecs", "task definition", _find_definitions, _delete_definition)
REPOSITORIES: Final = Kind("ecr", "repository", _find_repositories, _delete_repository)
LOG_GROUPS: Final = Kind("logs", "log group", _find_log_groups, _delete_log_group)
