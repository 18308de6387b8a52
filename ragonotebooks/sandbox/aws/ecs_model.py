"""Tasks and containers as the ECS API shows them: attributes are named like the members of the API's shapes, in snake case."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ragonotebooks.sandbox.aws.ecs_health import read_health_check

Tags = list[dict[str, str]]


@dataclass
class Container:
    """One container of a task."""

    container_arn: str
    task_arn: str
    name: str
    image: str
    cpu: str
    memory: str | None
    essential: bool
    last_status: str = "PENDING"
    image_digest: str | None = None
    runtime_id: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    health_status: str = "UNKNOWN"
    network_interfaces: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Task:
    """One task. It is changed under the context's lock only.

    Attributes:
        definition: The moto task definition that it was made from.
        cluster: The moto cluster that it is in.
        interface: The moto network interface that it has while it lives.
        load_balancers: The target groups that it is in while it runs, as its service names them.
        namespace: The ARN of the Service Connect namespace whose names it knows.
        note: Told, for the history of its service, what happens to it.
    """

    id: str
    region: str
    definition: Any
    cluster: Any
    interface: Any
    overrides: dict[str, Any]
    group: str
    started_by: str | None
    tags: Tags
    launch_type: str | None
    capacity_provider_name: str | None
    load_balancers: list[dict[str, Any]] = field(default_factory=list)
    namespace: str | None = None
    note: Callable[[str], None] = field(default=lambda text: None)
    containers: list[Container] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str | None = None
    stopped_reason: str | None = None
    connectivity: str | None = None
    created_at: datetime = field(default_factory=lambda: now())
    connectivity_at: datetime | None = None
    pull_started_at: datetime | None = None
    pull_stopped_at: datetime | None = None
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    execution_stopped_at: datetime | None = None
    stopped_at: datetime | None = None
    version: int = 1
    enable_execute_command: bool = False
    platform_version: str = "1.4.0"
    platform_family: str = "Linux"
    container_instance_arn: None = None

    @property
    def task_arn(self) -> str:
        prefix = self.cluster.arn.replace(":cluster/", ":task/")
        return f"{prefix}/{self.id}"

    @property
    def cluster_arn(self) -> str:
        return str(self.cluster.arn)

    @property
    def task_definition_arn(self) -> str:
        return str(self.definition.arn)

    @property
    def cpu(self) -> str:
        return str(self.overrides.get("cpu") or self.definition.cpu)

    @property
    def memory(self) -> str:
        return str(self.overrides.get("memory") or self.definition.memory)

    @property
    def ephemeral_storage(self) -> dict[str, int]:
        return dict(self.definition.ephemeral_storage or {"sizeInGiB": 20})

    @property
    def availability_zone(self) -> str:
        return str(self.interface.subnet.availability_zone)

    @property
    def task_role(self) -> str | None:
        """The ARN of the role that the task's own calls are made with."""
        role: str | None = self.overrides.get("taskRoleArn") or self.definition.task_role_arn
        return role

    @property
    def execution_role(self) -> str | None:
        """The ARN of the role that pulls, reads secrets and writes logs for the task."""
        role: str | None = self.overrides.get("executionRoleArn") or self.definition.execution_role_arn
        return role

    @property
    def health_status(self) -> str:
        """The worst of its essential containers' that have a health check."""
        described = self.definition.container_definitions
        pairs = zip(self.containers, described, strict=True)
        states = {one.health_status for one, says in pairs if one.essential and read_health_check(says)}
        return next((state for state in ("UNHEALTHY", "UNKNOWN", "HEALTHY") if state in states), "UNKNOWN")

    @property
    def is_ready(self) -> bool:
        """Whether it runs and shall, and is healthy where anybody asks its containers."""
        asked = any(read_health_check(container) for container in self.definition.container_definitions)
        runs = (self.last_status, self.desired_status) == ("RUNNING", "RUNNING")
        return runs and (not asked or self.health_status == "HEALTHY")

    @property
    def has_stopped(self) -> bool:
        return self.last_status == "STOPPED"

    def override(self, container: str) -> dict[str, Any]:
        """What the caller of RunTask replaces of a container."""
        given = self.overrides.get("containerOverrides") or []
        return next((dict(one) for one in given if one.get("name") == container), {})


def make_task(region: str, definition: Any, cluster: Any, interface: Any, request: dict[str, Any]) -> Task:
    """Make a task with its containers and the attachment of its network interface; `request` is that of RunTask."""
    task = Task(
        id=uuid.uuid4().hex,
        region=region,
        definition=definition,
        cluster=cluster,
        interface=interface,
        overrides={"containerOverrides": [], "inferenceAcceleratorOverrides": [], **(request.get("overrides") or {})},
        group=request.get("group") or f"family:{definition.family}",
        started_by=request.get("startedBy"),
        tags=_tags(definition, request),
        launch_type=request.get("launchType"),
        capacity_provider_name=next(
            (one["capacityProvider"] for one in request.get("capacityProviderStrategy") or []), None
        ),
    )
    attachment = str(uuid.uuid4())
    task.attachments = [_attachment(attachment, interface)]
    task.containers = [_container(task, described, attachment) for described in definition.container_definitions]
    return task


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _container(task: Task, described: dict[str, Any], attachment: str) -> Container:
    memory = described.get("memory")
    return Container(
        container_arn=f"{task.task_arn.replace(':task/', ':container/')}/{uuid.uuid4()}",
        task_arn=task.task_arn,
        name=described["name"],
        image=described["image"],
        cpu=str(described.get("cpu", 0)),
        memory=str(memory) if memory else None,
        essential=described.get("essential", True),
        network_interfaces=[{"attachmentId": attachment, "privateIpv4Address": task.interface.private_ip_address}],
    )


def _attachment(identifier: str, interface: Any) -> dict[str, Any]:
    details = {
        "subnetId": interface.subnet.id,
        "networkInterfaceId": interface.id,
        "macAddress": interface.mac_address,
        "privateDnsName": getattr(interface, "private_dns_name", None),
        "privateIPv4Address": interface.private_ip_address,
    }
    shown = [{"name": name, "value": value} for name, value in details.items() if value]
    return {"id": identifier, "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": shown}


def _tags(definition: Any, request: dict[str, Any]) -> Tags:
    given: Tags = list(request.get("tags") or [])
    if request.get("propagateTags") == "TASK_DEFINITION":
        named = {tag["key"] for tag in given}
        given += [tag for tag in definition.tags if tag["key"] not in named]
    return given
