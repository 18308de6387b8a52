"""What ECS tells EventBridge: tasks that change their state, deployments and services that reach or miss what they were for.

Source: Amazon ECS developer guide, "Amazon ECS task state change events", "… service action events" and "… service deployment
state change events", read 2026-11.
"""

from datetime import datetime
from typing import Any, Final, Literal

from ragonotebooks.sandbox.aws.ecs_model import Container, Task, now
from ragonotebooks.sandbox.aws.ecs_service_model import Deployment, Service
from ragonotebooks.sandbox.context import Context

_SOURCE: Final = "aws.ecs"
_TASK: Final = (
    "attachments",
    "availability_zone",
    "capacity_provider_name",
    "cluster_arn",
    "connectivity",
    "connectivity_at",
    "containers",
    "cpu",
    "created_at",
    "desired_status",
    "enable_execute_command",
    "ephemeral_storage",
    "execution_stopped_at",
    "group",
    "health_status",
    "last_status",
    "launch_type",
    "memory",
    "overrides",
    "platform_version",
    "pull_started_at",
    "pull_stopped_at",
    "started_at",
    "started_by",
    "stop_code",
    "stopped_at",
    "stopped_reason",
    "stopping_at",
    "task_arn",
    "task_definition_arn",
    "version",
)

Kind = Literal["INFO", "WARN", "ERROR"]


def announce_task(context: Context, task: Task) -> None:
    """Tell that a task has changed."""
    detail = {_camel(name): _plain(getattr(task, name)) for name in _TASK if getattr(task, name) is not None}
    context.announce(_SOURCE, "ECS Task State Change", [task.task_arn], {**detail, "updatedAt": _plain(now())})


def announce_deployment(context: Context, service: Service, deployment: Deployment) -> None:
    """Tell that a deployment has begun, is complete or has failed."""
    state = deployment.rollout_state
    detail = {
        "eventType": "ERROR" if state == "FAILED" else "INFO",
        "eventName": f"SERVICE_DEPLOYMENT_{state}",
        "deploymentId": deployment.id,
        "updatedAt": _plain(now()),
        "reason": deployment.rollout_state_reason,
    }
    context.announce(_SOURCE, "ECS Deployment State Change", [service.arn], detail)


def announce_service(context: Context, service: Service, kind: Kind, name: str, **more: Any) -> None:
    """Tell what a service has come to: `SERVICE_STEADY_STATE` and the like."""
    detail = {
        "eventType": kind,
        "eventName": name,
        "clusterArn": service.cluster_arn,
        "createdAt": _plain(now()),
        **more,
    }
    context.announce(_SOURCE, "ECS Service Action", [service.arn], detail)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Container):
        return {_camel(name): one for name, one in vars(value).items() if one is not None}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
