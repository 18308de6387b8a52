"""Elastic Load Balancing and Cloud Map: how callers find what runs."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from ragonotebooks.cleanup.aws.listing import pages, tagged
from ragonotebooks.cleanup.kind import DELETION_PROTECTION, Found, Kind, belonging
from ragonotebooks.cleanup.ownership import deployment_of, plain

_CHUNK: Final = 20  # as many as DescribeTags takes


def _find_balancers(balancing: Any) -> Iterator[Found]:
    made = {
        one["LoadBalancerArn"]: one.get("CreatedTime")
        for one in pages(balancing, "describe_load_balancers", "LoadBalancers")
    }
    for arn, tags in _tags(balancing, list(made)):
        for found in belonging(tags, arn, made=made[arn]):
            yield replace(found, protected=found.protected or _protection(balancing, arn))


def _protection(balancing: Any, arn: str) -> str:
    attributes = balancing.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    protected = {"Key": "deletion_protection.enabled", "Value": "true"} in attributes
    return DELETION_PROTECTION if protected else ""


def _find_groups(balancing: Any) -> Iterator[Found]:
    groups = pages(balancing, "describe_target_groups", "TargetGroups")
    for arn, tags in _tags(balancing, [group["TargetGroupArn"] for group in groups]):
        yield from belonging(tags, arn)


def _tags(balancing: Any, arns: list[str]) -> Iterator[tuple[str, Any]]:
    for start in range(0, len(arns), _CHUNK):
        answer = balancing.describe_tags(ResourceArns=arns[start : start + _CHUNK])
        yield from ((about["ResourceArn"], about["Tags"]) for about in answer["TagDescriptions"])


def _delete_balancer(balancing: Any, arn: str) -> None:
    balancing.delete_load_balancer(LoadBalancerArn=arn)  # its listeners and their rules go with it


def _find_names(discovery: Any) -> Iterator[Found]:
    spaces = {space["Id"]: space for space in pages(discovery, "list_namespaces", "Namespaces")}
    for service in pages(discovery, "list_services", "Services"):
        # whatever is in a namespace of a deployment belongs to it, also what ECS has made there
        space = spaces[discovery.get_service(Id=service["Id"])["Service"]["NamespaceId"]]
        tags = _tags_of(discovery, space)
        if not deployment_of(plain(tags)):
            tags = _tags_of(discovery, service)
        yield from belonging(tags, service["Id"], made=service.get("CreateDate"))


def _tags_of(discovery: Any, item: Any) -> Any:
    return discovery.list_tags_for_resource(ResourceARN=item["Arn"])["Tags"]


def _delete_name(discovery: Any, service: str) -> None:
    for instance in list(pages(discovery, "list_instances", "Instances", ServiceId=service)):
        discovery.deregister_instance(ServiceId=service, InstanceId=instance["Id"])
    discovery.delete_service(Id=service)


BALANCERS: Final = Kind(
    "elbv2",
    "load balancer",
    _find_balancers,
    _delete_balancer,
)
TARGET_GROUPS: Final = Kind(
    "elbv2",
    "target group",
    _find_groups,
    lambda balancing, arn: balancing.delete_target_group(TargetGroupArn=arn),
)
NAMES: Final = Kind("servicediscovery", "discovery service", _find_names, _delete_name)
NAMESPACES: Final = tagged(
    "servicediscovery",
    "namespace",
    lambda discovery: pages(discovery, "list_namespaces", "Namespaces"),
    lambda space: str(space["Id"]),
    _tags_of,
    lambda discovery, space: discovery.delete_namespace(Id=space),
    made="CreateDate",
)
