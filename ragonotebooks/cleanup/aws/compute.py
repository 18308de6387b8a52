"""ECS with its scaling, ECR and CloudWatch Logs: what runs, what it runs, and what it said."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from ragonotebooks.cleanup.aws.listing import pages, tagged
from ragonotebooks.cleanup.kind import Found, Kind, belonging
from ragonotebooks.cleanup.ownership import deployment_of, plain

_CHUNK: Final = 100  # as many as DescribeClusters and DescribeTasks take
_FEW: Final = 10  # as many as DescribeServices takes
_DESIRED_COUNT: Final = "ecs:service:DesiredCount"


def _clusters(ecs: Any) -> Iterator[Any]:
    arns = list(pages(ecs, "list_clusters", "clusterArns"))
    for start in range(0, len(arns), _CHUNK):
        yield from ecs.describe_clusters(clusters=arns[start : start + _CHUNK], include=["TAGS"])["clusters"]


def _find_clusters(ecs: Any) -> Iterator[Found]:
    for cluster in _clusters(ecs):
        # a deleted cluster stays visible for a while as INACTIVE
        if cluster["status"] != "INACTIVE":
            leaving = cluster["status"] == "DEPROVISIONING"
            yield from belonging(cluster.get("tags"), cluster["clusterArn"], leaving=leaving)


def _find_services(ecs: Any) -> Iterator[Found]:
    for cluster in _clusters(ecs):
        for service in _services(ecs, cluster["clusterArn"]):
            if service["status"] != "INACTIVE":
                leaving = service["status"] == "DRAINING"
                made = service.get("createdAt")
                yield from belonging(_inside(cluster, service), service["serviceArn"], made=made, leaving=leaving)


def _inside(cluster: Any, item: Any) -> Any:
    """The tags that count: whatever is in a cluster of a deployment belongs to it, else it would hold the cluster."""
    tags = cluster.get("tags")
    return tags if deployment_of(plain(tags)) else item.get("tags")


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


def _find_tasks(ecs: Any) -> Iterator[Found]:
    for cluster in _clusters(ecs):
        for task in _tasks(ecs, cluster["clusterArn"]):
            if task["lastStatus"] != "STOPPED":
                # it has no date here: its service makes tasks without anybody's doing
                leaving = task["desiredStatus"] == "STOPPED"
                yield from belonging(_inside(cluster, task), task["taskArn"], leaving=leaving)


def _tasks(ecs: Any, cluster: str) -> Iterator[Any]:
    arns = list(pages(ecs, "list_tasks", "taskArns", cluster=cluster))
    for start in range(0, len(arns), _CHUNK):
        yield from ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + _CHUNK], include=["TAGS"])["tasks"]


def _stop_task(ecs: Any, arn: str) -> None:
    ecs.stop_task(cluster=arn.split("/")[-2], task=arn, reason="ragonotebooks cleanup")


def _find_definitions(ecs: Any) -> Iterator[Found]:
    for status in ("ACTIVE", "INACTIVE"):
        for arn in pages(ecs, "list_task_definitions", "taskDefinitionArns", status=status):
            about = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            yield from belonging(about.get("tags"), arn, made=about.get("taskDefinition").get("registeredAt"))


def _delete_definition(ecs: Any, arn: str) -> None:
    ecs.deregister_task_definition(taskDefinition=arn)
    ecs.delete_task_definitions(taskDefinitions=[arn])


def _find_repositories(ecr: Any) -> Iterator[Found]:
    for repository in pages(ecr, "describe_repositories", "repositories"):
        tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
        yield from belonging(tags, repository["repositoryName"], made=repository.get("createdAt"))


def _delete_repository(ecr: Any, name: str) -> None:
    ecr.delete_repository(repositoryName=name, force=True)


def _find_log_groups(logs: Any) -> Iterator[Found]:
    for group in pages(logs, "describe_log_groups", "logGroups"):
        # some answers end a log group's ARN in ":*", which names its streams
        arn = group["arn"].removesuffix(":*")
        made = datetime.fromtimestamp(group["creationTime"] / 1000, UTC)
        yield from belonging(logs.list_tags_for_resource(resourceArn=arn)["tags"], group["logGroupName"], made=made)


def _delete_log_group(logs: Any, name: str) -> None:
    logs.delete_log_group(logGroupName=name)


SCALING_TARGETS: Final = tagged(
    "application-autoscaling",
    "scaling target",
    lambda scaling: pages(scaling, "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs"),
    lambda target: str(target["ResourceId"]),
    lambda scaling, target: scaling.list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])["Tags"],
    _deregister_target,
    made="CreationTime",
)
SERVICES: Final = Kind("ecs", "service", _find_services, _delete_service)
TASKS: Final = Kind("ecs", "task", _find_tasks, _stop_task)
CLUSTERS: Final = Kind("ecs", "cluster", _find_clusters, lambda ecs, arn: ecs.delete_cluster(cluster=arn))
TASK_DEFINITIONS: Final = Kind("ecs", "task definition", _find_definitions, _delete_definition)
REPOSITORIES: Final = Kind("ecr", "repository", _find_repositories, _delete_repository)
LOG_GROUPS: Final = Kind("logs", "log group", _find_log_groups, _delete_log_group)
