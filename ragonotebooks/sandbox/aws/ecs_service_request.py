"""What CreateService and UpdateService ask for, checked as ECS checks it.

What the sandbox does not run is refused by name: other schedulers and deployment strategies, service registries (tasks find each
other with Service Connect), ECS Exec, volumes and placement on instances. Source: Amazon ECS API reference, read 2026-11.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from moto.ecs.exceptions import EcsClientException, InvalidParameterException

from ragonotebooks.sandbox.aws import ecs_targets
from ragonotebooks.sandbox.aws.ecs_connect import read_connect
from ragonotebooks.sandbox.aws.ecs_request import active_definition, check_placement
from ragonotebooks.sandbox.aws.ecs_service_model import Revision

Request = dict[str, Any]

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,255}")
_UNSUPPORTED: Final = (
    "serviceRegistries",
    "placementConstraints",
    "placementStrategy",
    "enableExecuteCommand",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
)
_ONLY: Final = {"schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"}}
_DEPLOYMENT: Final = {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING"}
_LONGEST_GRACE: Final = 2_147_483_647
# what makes an update a new deployment
_REVISION: Final = (
    "taskDefinition",
    "networkConfiguration",
    "loadBalancers",
    "capacityProviderStrategy",
    "platformVersion",
    "serviceConnectConfiguration",
)


def check_name(name: str) -> None:
    """Raise an error unless a service may have this name."""
    if not _NAME.fullmatch(name):
        raise InvalidParameterException(
            "The service name can only contain letters, digits, hyphens and underscores, 255 at most."
        )


def check_counts(request: Request, has_load_balancer: Callable[[], bool]) -> None:
    """Raise an error unless the sandbox supports what a request asks for, and its numbers are possible."""
    for name in _UNSUPPORTED:
        if request.get(name):
            raise EcsClientException(f"{name} (ECS service) is not supported by the sandbox.")
    for name, only in _ONLY.items():
        if request.get(name, only) != only:
            raise EcsClientException(f"{name} {request[name]} is not supported by the sandbox, only {only}.")
    if int(request.get("desiredCount") or 0) < 0:
        raise InvalidParameterException("The desired count must not be negative.")
    grace = request.get("healthCheckGracePeriodSeconds")
    if grace is not None and not has_load_balancer():
        raise InvalidParameterException(
            "Health check grace period is only valid for services configured to use load balancers"
        )
    if grace is not None and not 0 <= int(grace) <= _LONGEST_GRACE:
        raise InvalidParameterException(f"The health check grace period must be between 0 and {_LONGEST_GRACE}.")


def deployment_configuration(given: Request, before: Request | None = None) -> Request:
    """Return a deployment configuration with what was not given as it was before, or as it is usually.

    Raises:
        ServiceException: ECS does not accept it, or the sandbox does not do what it asks for.
    """
    for name in ("alarms", "lifecycleHooks", "bakeTimeInMinutes", "linearConfiguration", "canaryConfiguration"):
        if given.get(name):
            raise EcsClientException(f"{name} (deploymentConfiguration) is not supported by the sandbox.")
    whole = {**_DEPLOYMENT, **(before or {}), **given}
    breaker = whole.setdefault("deploymentCircuitBreaker", {"enable": False, "rollback": False})
    if whole["strategy"] != "ROLLING":
        raise EcsClientException(f"The strategy {whole['strategy']} is not supported by the sandbox, only ROLLING.")
    if "thresholdConfiguration" in breaker or not breaker.get("resetOnHealthyTask", True):
        raise EcsClientException("A threshold for the deployment circuit breaker is not supported by the sandbox.")
    least, most = int(whole["minimumHealthyPercent"]), int(whole["maximumPercent"])
    if not 0 <= least <= 100 <= most:
        raise InvalidParameterException(
            "minimumHealthyPercent must be between 0 and 100, and maximumPercent must be 100 at least."
        )
    if least == most:
        raise InvalidParameterException(
            "With both minimumHealthyPercent and maximumPercent at 100, no task could ever be replaced."
        )
    return whole


def make_revision(backend: Any, cluster: Any, request: Request) -> Revision:
    """Return what the tasks of a new service are made of.

    Raises:
        ServiceException: As ECS refuses it.
    """
    if not request.get("taskDefinition"):
        raise InvalidParameterException("TaskDefinition can not be blank.")
    revision = Revision(
        definition=active_definition(backend, request["taskDefinition"]),
        network_configuration=request.get("networkConfiguration") or {},
        load_balancers=request.get("loadBalancers") or [],
        launch_type=request.get("launchType"),
        capacity_provider_strategy=request.get("capacityProviderStrategy"),
        platform_version=request.get("platformVersion") or "LATEST",
        service_connect_configuration=request.get("serviceConnectConfiguration"),
    )
    return _checked(backend, cluster, revision)


def changed_revision(backend: Any, cluster: Any, before: Revision, request: Request) -> Revision:
    """Return what the tasks are made of after an update; equal to `before` when it says nothing of them.

    Raises:
        ServiceException: As ECS refuses it.
    """
    given = {name: request[name] for name in _REVISION if request.get(name) is not None}
    changes = {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name): value for name, value in given.items()}
    name = changes.pop("task_definition", None)
    if name:
        changes["definition"] = active_definition(backend, name)
    if "capacity_provider_strategy" in changes:
        changes["launch_type"] = None
    return _checked(backend, cluster, replace(before, **changes)) if changes else before


def placement(revision: Revision) -> Request:
    """Return the part of a RunTask's request that says where tasks are placed."""
    return {
        "launchType": revision.launch_type,
        "capacityProviderStrategy": revision.capacity_provider_strategy,
        "networkConfiguration": revision.network_configuration,
    }


def _checked(backend: Any, cluster: Any, revision: Revision) -> Revision:
    check_placement(backend, cluster, revision.definition, placement(revision))
    for given in revision.load_balancers:
        _check_load_balancer(backend, revision.definition, given)
    connect = read_connect(backend, cluster, revision.definition, revision.service_connect_configuration)
    return replace(revision, connect=connect)


def _check_load_balancer(backend: Any, definition: Any, given: Request) -> None:
    arn = given.get("targetGroupArn")
    if not arn:
        raise InvalidParameterException("A load balancer of a service on Fargate is named by its targetGroupArn.")
    group = ecs_targets.find_group(backend.region_name, arn)
    if group is None:
        raise InvalidParameterException(f"The specified target group does not exist: {arn}.")
    if group.target_type != "ip":
        raise InvalidParameterException(
            f"The provided target group {arn} has target type {group.target_type}, "
            "which is incompatible with the awsvpc network mode specified in the task definition."
        )
    if not group.load_balancer_arns:
        raise InvalidParameterException(
            f"The target group with targetGroupArn {arn} does not have an associated load balancer."
        )
    _check_port(definition, given.get("containerName"), given.get("containerPort"))


def _check_port(definition: Any, name: str | None, port: int | None) -> None:
    container = next((one for one in definition.container_definitions if one["name"] == name), None)
    if container is None:
        raise InvalidParameterException(f"The container {name} does not exist in the task definition.")
    if port not in [mapping["containerPort"] for mapping in container["portMappings"]]:
        raise InvalidParameterException(f"The container {name} did not have a container port {port} defined.")
