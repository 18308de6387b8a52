"""What a task finds at the gateway's own address: the credentials of its role, and what ECS knows of it (metadata, version 4)."""

import secrets
from dataclasses import dataclass
from typing import Any

from ragonotebooks.sandbox.aws import identity
from ragonotebooks.sandbox.aws.ecs_agent import SERVICE
from ragonotebooks.sandbox.aws.ecs_model import Container, Task
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.local import Local

Answer = tuple[str, object]
_CREDENTIALS, _METADATA = "/task-credentials/", "/v4/"
_NOT_FOUND: Answer = ("404 Not Found", {"message": "there is no such task"})


@dataclass(frozen=True)
class _Known:
    task: Task
    container: Container
    token: str


class Endpoints:
    """Serves the containers that run. Paths and tokens cannot be guessed, so one task does not get another's role."""

    def __init__(self, context: Context, local: Local) -> None:
        self._context = context
        self._known: dict[str, _Known] = {}
        local.serve(_CREDENTIALS, self._credentials)
        local.serve(_METADATA, self._metadata)

    def open(self, task: Task, container: Container) -> dict[str, str]:
        """Serve a container from now on, and return the variables that lead there."""
        key, token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._known[key] = _Known(task, container, token)
        url = f"http://127.0.0.1:{self._context.state.port}"
        variables = {"ECS_CONTAINER_METADATA_URI_V4": f"{url}{_METADATA}{key}"}
        if task.task_role:
            variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}{_CREDENTIALS}{key}"
            variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
        return variables

    def close(self, task: Task) -> None:
        """Serve a task no more."""
        for key in [key for key, known in self._known.items() if known.task is task]:
            del self._known[key]

    def _credentials(self, environ: dict[str, Any]) -> Answer:
        known = self._known.get(environ["PATH_INFO"].removeprefix(_CREDENTIALS))
        if known is None or known.task.task_role is None:
            return _NOT_FOUND
        if not secrets.compare_digest(environ.get("HTTP_AUTHORIZATION", ""), known.token):
            return "401 Unauthorized", {"message": "the authorization token is wrong"}
        with self._context.lock:
            return "200 OK", identity.assume_role_for_service(known.task.task_role, SERVICE, known.task.id)

    def _metadata(self, environ: dict[str, Any]) -> Answer:
        key, _, rest = environ["PATH_INFO"].removeprefix(_METADATA).partition("/")
        known = self._known.get(key)
        if known is None or rest not in ("", "task"):
            return _NOT_FOUND
        with self._context.lock:
            return "200 OK", _describe(known.task) if rest else _describe_container(known.task, known.container)


def _describe(task: Task) -> dict[str, object]:
    return {
        "Cluster": task.cluster_arn,
        "TaskARN": task.task_arn,
        "Family": task.definition.family,
        "Revision": str(task.definition.revision),
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "Limits": {"CPU": int(task.cpu) / 1024, "Memory": int(task.memory)},
        "AvailabilityZone": task.availability_zone,
        "LaunchType": "FARGATE",
        "Containers": [_describe_container(task, container) for container in task.containers],
    }


def _describe_container(task: Task, container: Container) -> dict[str, object]:
    network = {"NetworkMode": "awsvpc", "IPv4Addresses": [task.interface.private_ip_address]}
    prefix = "com.amazonaws.ecs."
    return {
        "DockerId": container.runtime_id,
        "Name": container.name,
        "Image": container.image,
        "ImageID": container.image_digest,
        "Labels": {
            f"{prefix}cluster": task.cluster_arn,
            f"{prefix}container-name": container.name,
            f"{prefix}task-arn": task.task_arn,
            f"{prefix}task-definition-family": task.definition.family,
            f"{prefix}task-definition-version": str(task.definition.revision),
        },
        "DesiredStatus": task.desired_status,
        "KnownStatus": container.last_status,
        "Type": "NORMAL",
        "ContainerARN": container.container_arn,
        "Networks": [network],
    }
