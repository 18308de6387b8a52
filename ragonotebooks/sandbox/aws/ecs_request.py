"""What a RunTask asks for, checked as ECS checks it, and the network interface that a task gets."""

from dataclasses import dataclass
from typing import Any, Final

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ecs.exceptions import ClusterNotFoundException, EcsClientException, InvalidParameterException

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws import identity
from ragonotebooks.sandbox.aws.ec2_addresses import free_address
from ragonotebooks.sandbox.aws.ecs_agent import SERVICE

_MOST_TASKS: Final = 10  # of one RunTask; Amazon ECS API reference, read 2026-11
_FARGATE: Final = frozenset({"FARGATE", "FARGATE_SPOT"})
_UNSUPPORTED: Final = ("enableExecuteCommand", "volumeConfigurations", "placementConstraints", "placementStrategy")


@dataclass(frozen=True)
class Network:
    """Where a task shall be.

    Attributes:
        subnet: The moto subnet.
        groups: The ids of its security groups.
        public: Whether it gets a public address.
    """

    subnet: Any
    groups: list[str]
    public: bool


def check_run(backend: Any, request: dict[str, Any]) -> tuple[Any, Any, Network]:
    """Return the cluster, the task definition and the network that a RunTask names.

    Raises:
        ServiceException: As ECS refuses it; or the sandbox does not support what is asked for.
    """
    cluster = active_cluster(backend, request.get("cluster"))
    if not 1 <= int(request.get("count") or 1) <= _MOST_TASKS:
        raise InvalidParameterException(f"count should be between 1 and {_MOST_TASKS}.")
    for name in _UNSUPPORTED:
        if request.get(name):
            raise EcsClientException(f"{name} (ecs:RunTask) is not supported by the sandbox.")
    definition = active_definition(backend, request["taskDefinition"])
    _check_overrides(definition, request.get("overrides") or {})
    return cluster, definition, check_placement(backend, cluster, definition, request)


def active_cluster(backend: Any, name: str | None) -> Any:
    """Return a cluster by its name or ARN.

    Raises:
        ServiceException: There is none, or it is deleted.
    """
    cluster = backend._get_cluster(name or "default")
    if cluster.status != "ACTIVE":
        raise ClusterNotFoundException
    return cluster


def active_definition(backend: Any, name: str) -> Any:
    """Return a task definition by its family, revision or ARN.

    Raises:
        ServiceException: There is none, or it is deregistered.
    """
    definition = backend.describe_task_definition(name)
    if definition.status != "ACTIVE":
        raise EcsClientException("TaskDefinition is inactive")
    return definition


def check_placement(backend: Any, cluster: Any, definition: Any, request: dict[str, Any]) -> Network:
    """Return the network of the tasks that a request places; their launch type and their roles are as they have to be.

    Raises:
        ServiceException: As ECS refuses it.
    """
    _check_launch_type(cluster, request)
    network = _network(backend, request)
    _check_roles(definition, request.get("overrides") or {})
    return network


def make_interface(backend: Any, network: Network) -> Any:
    """Make a network interface with a free address of the subnet.

    Raises:
        ServiceException: There is none.
    """
    ec2, subnet = ec2_backends[backend.account_id][backend.region_name], network.subnet
    free = free_address(ec2, subnet.id)
    if free is None:
        raise EcsClientException(f"The subnet {subnet.id} has no free address.")
    interface = ec2.create_network_interface(
        subnet, free, group_ids=network.groups, description="ECS task", public_ip_auto_assign=network.public
    )
    interface.status = "in-use"
    return interface


def is_waiter(response: Any) -> bool:
    """Whether a botocore waiter asks: it says so among the features of its user agent, as `B`."""
    words = str(response.headers.get("User-Agent", "")).split()
    return any(word.startswith("m/") and "B" in word[2:].split(",") for word in words)


def _check_launch_type(cluster: Any, request: dict[str, Any]) -> None:
    launch_type, strategy = request.get("launchType"), request.get("capacityProviderStrategy")
    if launch_type and strategy:
        raise InvalidParameterException("Specify either Launch Type or Capacity Provider Strategy, but not both.")
    if not launch_type:
        strategy = strategy or cluster.default_capacity_provider_strategy
    chosen = launch_type or (strategy[0]["capacityProvider"] if strategy else "EC2")
    if chosen not in _FARGATE:
        message = "No Container Instances were found in your cluster"
        raise InvalidParameterException(f"{message}: the sandbox has no {chosen}, only Fargate.")


def _check_overrides(definition: Any, overrides: dict[str, Any]) -> None:
    names = {container["name"] for container in definition.container_definitions}
    for override in overrides.get("containerOverrides") or []:
        if override.get("name") not in names:
            raise InvalidParameterException(
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            )


def _network(backend: Any, request: dict[str, Any]) -> Network:
    given = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if not given:
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if not given.get("subnets"):
        raise InvalidParameterException("subnets can not be empty.")
    ec2: Any = ec2_backends[backend.account_id][backend.region_name]
    subnets = [_subnet(ec2, name) for name in given["subnets"]]
    vpc = subnets[0].vpc_id
    groups = given.get("securityGroups") or [ec2.get_default_security_group(vpc).id]
    for name in groups:
        _check_group(ec2, name, vpc)
    return Network(subnets[0], groups, given.get("assignPublicIp") == "ENABLED")


def _subnet(ec2: Any, name: str) -> Any:
    try:
        return ec2.get_subnet(name)
    except EC2ClientError:
        raise InvalidParameterException(
            f"Error retrieving subnet information for [{name}]: "
            f"The subnet ID '{name}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
        ) from None


def _check_group(ec2: Any, name: str, vpc: str) -> None:
    group = ec2.get_security_group_from_id(name)
    if group is None:
        raise InvalidParameterException(
            f"Error retrieving security group information for [{name}]: "
            f"The security group '{name}' does not exist (ErrorCode: InvalidGroup.NotFound)"
        )
    if group.vpc_id != vpc:
        raise InvalidParameterException(
            f"Security group {name} does not appear to belong to the same VPC as the input subnets."
        )


def _check_roles(definition: Any, overrides: dict[str, Any]) -> None:
    for key, attribute in (("taskRoleArn", "task_role_arn"), ("executionRoleArn", "execution_role_arn")):
        role = overrides.get(key) or getattr(definition, attribute)
        try:
            if role:
                identity.assume_role_for_service(role, SERVICE, "check")
        except RagonotebooksError as error:
            raise EcsClientException(
                f"ECS was unable to assume the role '{role}' that was provided for this task. "
                "Please verify that the role being passed has the proper trust relationship and permissions "
                f"and that your IAM user has permissions to pass this role: {error}."
            ) from error
