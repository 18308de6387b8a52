"""A task's places in the target groups of its service. The caller holds the lock.

The load balancer's own backend keeps the targets and knows their health; it is loaded when the first service has a load balancer.
"""

import contextlib
from dataclasses import dataclass
from typing import Any, Final

from ragonotebooks.sandbox.aws.ecs_model import Task

_DELAY: Final = "deregistration_delay.timeout_seconds"


@dataclass(frozen=True)
class Place:
    """A task's place in one target group.

    Attributes:
        group: The target group's ARN.
        port: The port that the task is registered with.
        state: As ELBv2 calls it: `initial`, `healthy`, `unhealthy`, `draining`, `unused`.
        description: Why.
    """

    group: str
    port: int
    state: str
    description: str


def find_group(region: str, arn: str) -> Any:
    """Return the moto target group that has an ARN in a region, None when there is none."""
    from moto.elbv2.models import elbv2_backends

    # a backend that is asked for is made, and before the load balancers' controller is loaded it would be moto's own
    there: Any = [backend for _, name, backend in elbv2_backends.iter_backends() if name == region]
    return next((one.target_groups[arn] for one in there if arn in one.target_groups), None)


def register(task: Task) -> list[str]:
    """Register a task with its service's target groups and return their ARNs."""
    for group, target in _wanted(task):
        _backend(task).register_targets(group, [target])
    return [group for group, _ in _wanted(task)]


def deregister(task: Task) -> list[str]:
    """Take a task out of its service's target groups and return the ARNs of those that are still there."""
    there = []
    for group, target in _wanted(task):
        with contextlib.suppress(_errors().TargetGroupNotFoundError, _errors().InvalidTargetError):
            _backend(task).deregister_targets(group, [target])
            there.append(group)
    return there


def places(task: Task) -> list[Place]:
    """Return the places of a task in the target groups that are still there."""
    found = []
    for group, target in _wanted(task):
        with contextlib.suppress(_errors().TargetGroupNotFoundError):
            [health] = _backend(task).describe_target_health(group, [target])
            found.append(Place(group, target["Port"], health.status, health.description or ""))
    return found


def patience(task: Task) -> float:
    """Return how many seconds the requests of a task that leaves may take."""
    groups = _backend(task).target_groups
    return max((float(groups[one].attributes[_DELAY]) for one, _ in _wanted(task) if one in groups), default=0.0)


def _wanted(task: Task) -> list[tuple[str, dict[str, Any]]]:
    address = task.interface.private_ip_address
    return [(one["targetGroupArn"], {"Id": address, "Port": int(one["containerPort"])}) for one in task.load_balancers]


def _backend(task: Task) -> Any:
    from moto.elbv2.models import elbv2_backends

    account = task.cluster_arn.split(":")[4]
    return elbv2_backends[account][task.region]


def _errors() -> Any:
    from moto.elbv2 import exceptions

    return exceptions
