"""Services and deployments as the ECS API shows them: attributes are named like the members of the API's shapes, in snake case."""

import math
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ragonotebooks.sandbox.aws.ecs_connect import Connect
from ragonotebooks.sandbox.aws.ecs_model import Tags, Task, now

_BEFORE_RUNNING: Final = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})
_MOST_EVENTS: Final = 100
_FEWEST_FAILURES, _MOST_FAILURES = 3, 200


@dataclass(frozen=True)
class Revision:
    """What the tasks of a deployment are made of, in the API's words.

    Attributes:
        definition: The moto task definition.
        connect: What the configuration of Service Connect means.
    """

    definition: Any
    network_configuration: dict[str, Any]
    load_balancers: list[dict[str, Any]]
    launch_type: str | None
    capacity_provider_strategy: list[dict[str, Any]] | None
    platform_version: str
    service_connect_configuration: dict[str, Any] | None
    connect: Connect | None = None


class _Revised:
    """What the API shows of a revision wherever it shows one."""

    revision: Revision

    @property
    def task_definition(self) -> str:
        return str(self.revision.definition.arn)

    @property
    def network_configuration(self) -> dict[str, Any]:
        return self.revision.network_configuration

    @property
    def load_balancers(self) -> list[dict[str, Any]]:
        return self.revision.load_balancers

    @property
    def launch_type(self) -> str | None:
        return self.revision.launch_type

    @property
    def capacity_provider_strategy(self) -> list[dict[str, Any]] | None:
        return self.revision.capacity_provider_strategy

    @property
    def platform_version(self) -> str:
        return self.revision.platform_version

    @property
    def service_connect_configuration(self) -> dict[str, Any] | None:
        return self.revision.service_connect_configuration


@dataclass(eq=False)
class Deployment(_Revised):
    """One deployment of a service.

    Attributes:
        alive: Its tasks that shall run.
        leaving: Its tasks that are on their way to STOPPED.
    """

    revision: Revision
    desired_count: int
    id: str = field(default_factory=lambda: f"ecs-svc/{random.randrange(10**18, 10**19)}")
    status: str = "PRIMARY"
    created_at: datetime = field(default_factory=lambda: now())
    updated_at: datetime = field(default_factory=lambda: now())
    rollout_state: str = "IN_PROGRESS"
    rollout_state_reason: str = ""
    failed_tasks: int = 0
    alive: list[Task] = field(default_factory=list)
    leaving: list[Task] = field(default_factory=list)
    platform_family: str = "Linux"

    def __post_init__(self) -> None:
        self.rollout("IN_PROGRESS", f"ECS deployment {self.id} in progress.")

    def rollout(self, state: str, reason: str) -> None:
        """Show how far it has come."""
        self.rollout_state, self.rollout_state_reason, self.updated_at = state, reason, now()

    @property
    def running_count(self) -> int:
        return sum(task.last_status == "RUNNING" for task in self.alive)

    @property
    def pending_count(self) -> int:
        return sum(task.last_status in _BEFORE_RUNNING for task in self.alive)

    @property
    def connect(self) -> Connect | None:
        """What it has to do with Service Connect."""
        return self.revision.connect

    @property
    def service_connect_resources(self) -> list[dict[str, str]]:
        given = self.revision.service_connect_configuration or {}
        return [{"discoveryName": one.get("discoveryName") or one["portName"]} for one in given.get("services") or []]


@dataclass
class Event:
    """A line of a service's history."""

    message: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: datetime = field(default_factory=lambda: now())


@dataclass(eq=False)
class Service(_Revised):
    """One service. It is changed under the context's lock only.

    Attributes:
        cluster: The moto cluster that it is in.
        steady: Whether it is what it shall be.
        last_good: The deployment that was completed last.
        task_sets: None; moto asks for them.
    """

    cluster: Any
    name: str
    desired_count: int
    deployment_configuration: dict[str, Any]
    health_check_grace_period_seconds: int | None
    tags: Tags
    propagate_tags: str
    enable_ecs_managed_tags: bool
    deployments: list[Deployment]
    status: str = "ACTIVE"
    events: list[Event] = field(default_factory=list)
    created_at: datetime = field(default_factory=lambda: now())
    scheduling_strategy: str = "REPLICA"
    deployment_controller: dict[str, str] = field(default_factory=lambda: {"type": "ECS"})
    platform_family: str = "Linux"
    enable_execute_command: bool = False
    steady: bool = False
    last_good: Deployment | None = None
    revision: Revision = field(init=False)
    task_sets: tuple[()] = ()

    def __post_init__(self) -> None:
        self.revision = self.primary.revision

    @property
    def primary(self) -> Deployment:
        """The deployment that shall be."""
        return self.deployments[0]

    @property
    def arn(self) -> str:
        return f"{self.cluster.arn.replace(':cluster/', ':service/')}/{self.name}"

    physical_resource_id = arn

    @property
    def cluster_arn(self) -> str:
        return str(self.cluster.arn)

    @property
    def cluster_name(self) -> str:
        return str(self.cluster.name)

    @property
    def running_count(self) -> int:
        return sum(deployment.running_count for deployment in self.deployments)

    @property
    def pending_count(self) -> int:
        return sum(deployment.pending_count for deployment in self.deployments)

    @property
    def tasks(self) -> Iterator[Task]:
        """Its tasks that shall run."""
        return (task for deployment in self.deployments for task in deployment.alive)

    @property
    def minimum(self) -> int:
        """How many healthy tasks a deployment leaves."""
        return math.ceil(self.desired_count * int(self.deployment_configuration["minimumHealthyPercent"]) / 100)

    @property
    def maximum(self) -> int:
        """How many tasks a deployment makes at most."""
        return self.desired_count * int(self.deployment_configuration["maximumPercent"]) // 100

    @property
    def failure_limit(self) -> int:
        """How many tasks may fail before the circuit breaker trips."""
        # Amazon ECS developer guide, "How the deployment circuit breaker detects failures", read 2026-11
        return max(_FEWEST_FAILURES, min(_MOST_FAILURES, math.ceil(self.desired_count / 2)))

    def say(self, text: str) -> None:
        """Add a line to its history: what comes after its name."""
        self.events = [Event(f"(service {self.name}) {text}"), *self.events[: _MOST_EVENTS - 1]]
