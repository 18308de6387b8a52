"""Elastic Load Balancing and Cloud Map: how callers find what runs."""

from collections.abc import Iterator
from typing import Any, Final

from ragonotebooks.cleanup.aws.listing import pages, tagged
from ragonotebooks.cleanup.kind import Found, Kind
from ragonotebooks.cleanup.ownership import Ownership

_CHUNK: Final = 20  # as many as DescribeTags takes


def _find_balanced(describe: str, items: str, arn: str) -> Any:
    """A finder for what Elastic Load Balancing tells the tags of in a call of its own."""

    def find(balancing: Any, owner: Ownership) -> Iterator[Found]:
        arns = [item[arn] for item in pages(balancing, describe, items)]
        for start in range(0, len(arns), _CHUNK):
            answer = balancing.describe_tags(ResourceArns=arns[start : start + _CHUNK])
            for about in answer["TagDescriptions"]:
                if owner.covers(about["Tags"]):
                    yield Found(about["ResourceArn"])

    return find


def _delete_balancer(balancing: Any, arn: str) -> None:
    # its listeners and their rules go with it
    protection = {"Key": "deletion_protection.enabled", "Value": "false"}
    balancing.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[protection])
    balancing.delete_load_balancer(LoadBalancerArn=arn)


def _find_names(discovery: Any, owner: Ownership) -> Iterator[Found]:
    ours = {
        space["Id"] for space in pages(discovery, "list_namespaces", "Namespaces") if _is_ours(discovery, owner, space)
    }
    for service in pages(discovery, "list_services", "Services"):
        # whatever is in a namespace of the deployment belongs to it, also what ECS has made there
        namespace = discovery.get_service(Id=service["Id"])["Service"]["NamespaceId"]
        if namespace in ours or _is_ours(discovery, owner, service):
            yield Found(service["Id"])


def _is_ours(discovery: Any, owner: Ownership, item: Any) -> bool:
    return owner.covers(discovery.list_tags_for_resource(ResourceARN=item["Arn"])["Tags"])


def _delete_name(discovery: Any, service: str) -> None:
    for instance in list(pages(discovery, "list_instances", "Instances", ServiceId=service)):
        discovery.deregister_instance(ServiceId=service, InstanceId=instance["Id"])
    discovery.delete_service(Id=service)


BALANCERS: Final = Kind(
    "elbv2",
    "load balancer",
    _find_balanced("describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    _delete_balancer,
)
TARGET_GROUPS: Final = Kind(
    "elbv2",
    "target group",
    _find_balanced("describe_target_groups", "TargetGroups", "TargetGroupArn"),
    lambda balancing, arn: balancing.delete_target_group(TargetGroupArn=arn),
)
NAMES: Final = Kind("servicediscovery", "discovery service", _find_names, _delete_name)
NAMESPACES: Final = tagged(
    "servicediscovery",
    "namespace",
    lambda discovery: pages(discovery, "list_namespaces", "Namespaces"),
    lambda space: str(space["Id"]),
    lambda discovery, space: discovery.list_tags_for_resource(ResourceARN=space["Arn"])["Tags"],
    lambda discovery, space: discovery.delete_namespace(Id=space),
)
