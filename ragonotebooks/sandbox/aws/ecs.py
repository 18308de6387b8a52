"""ECS on Fargate: moto keeps clusters and task definitions; here tasks are processes.

An image is pulled from its registry, its program runs as a process with the environment, the secrets, the role and the network
place that the task definition says, its output is in CloudWatch Logs, and states and exit codes are those of the process.
Other launch types and ECS Exec are refused by name.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.ecs import models
from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException
from moto.ecs.responses import DESCRIBE_TASKS_TAGS
from moto.ecs.responses import EC2ContainerServiceResponse as Response

from ragonotebooks.sandbox.aws.ecs_endpoints import Endpoints
from ragonotebooks.sandbox.aws.ecs_life import Life
from ragonotebooks.sandbox.aws.ecs_model import Task, make_task, now
from ragonotebooks.sandbox.aws.ecs_proxy import Play, Proxy
from ragonotebooks.sandbox.aws.ecs_request import check_run, is_waiter, make_interface
from ragonotebooks.sandbox.aws.ecs_services import Services, actions
from ragonotebooks.sandbox.aws.fargate import check_definition, completed
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.local import Local
from ragonotebooks.sandbox.parts.task import ImageStore
from ragonotebooks.sandbox.status import Server

_START_PATIENCE, _END_PATIENCE = 15.0, 10.0  # seconds
_BEFORE_RUNNING: Final = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})
_UNSUPPORTED: Final = (
    "create_capacity_provider",
    "create_task_set",
    "execute_command",
    "register_container_instance",
    "start_task",
)


class Tasks:
    """The controller: makes tasks real.

    Args:
        context: The daemon's shared parts.
        local: Where tasks find their credentials.
    """

    def __init__(self, context: Context, local: Local) -> None:
        self._context = context
        self._images = ImageStore(context.folder / "images")
        self._endpoints = Endpoints(context, local)
        self._lives: dict[str, Life] = {}

    def run(self, backend: Any, request: dict[str, Any]) -> list[Task]:
        """Make the tasks that a RunTask asks for, and let them begin. The caller holds the lock."""
        cluster, definition, network = check_run(backend, request)
        made = []
        for _ in range(int(request.get("count") or 1)):
            interface = make_interface(backend, network)
            made.append(make_task(backend.region_name, definition, cluster, interface, request))
        for task in made:
            self.begin(backend, task)
        return made

    def begin(self, backend: Any, task: Task) -> None:
        """Let a task that was just made begin. The caller holds the lock."""
        backend.tasks.setdefault(task.cluster.name, {})[task.task_arn] = task
        self._lives[task.task_arn] = Life(self._context, self._images, self._endpoints, task)
        self._lives[task.task_arn].begin()

    def stop(self, task: Task, code: str, reason: str) -> None:
        """Let a task end; one that has stopped stays as it is."""
        if not task.has_stopped:
            self._lives[task.task_arn].stop(code, reason)

    def find(self, arn: str) -> Task | None:
        """Return a task by its ARN."""
        life = self._lives.get(arn)
        return life.task if life else None

    def servers(self) -> Iterator[Server]:
        """The tasks that have not stopped, as `sandbox status` shows them."""
        with self._context.lock:
            living = [life for life in self._lives.values() if not life.task.has_stopped]
            yield from [life.server() for life in living]

    def wait_for(self, tasks: list[Task]) -> None:
        """Let go of the lock until the tasks have started, and then for a while until they have stopped.

        A waiter does not say which of both it waits for. What runs for long is waited for in turns.
        """
        self._context.wait_until(
            lambda: all(task.last_status not in _BEFORE_RUNNING for task in tasks), _START_PATIENCE
        )
        self._context.wait_until(lambda: all(task.has_stopped for task in tasks), _END_PATIENCE)


def install(context: Context, local: Local, play: Play) -> Tasks:
    """Put the controller behind moto's ECS and return it; `play` registers hosts with the gateway."""
    tasks = Tasks(context, local)
    learn = Proxy(context, tasks.find, play).learn
    services = context.part(Services, lambda: Services(context, tasks.begin, tasks.stop, learn))
    models.ecs_backends.backend = Backend
    answers = {
        "register_task_definition": _register,
        "run_task": lambda self: ActionResult({"tasks": tasks.run(self.ecs_backend, self.params), "failures": []}),
        "describe_tasks": lambda self: _describe(self, tasks),
        "list_tasks": _list,
        "list_task_definitions": _list_definitions,
        "stop_task": lambda self: _stop(self, tasks),
        **actions(services),
        **{name: _refusal(name) for name in _UNSUPPORTED},
    }
    for name, action in answers.items():
        setattr(Response, name, action)
    return tasks


class Backend(models.EC2ContainerServiceBackend):
    """moto's backend, with revisions and clusters that end, and tasks that do not change by being looked at."""

    # moto derives an API's URLs from the module that its backend is defined in
    __module__ = "moto.ecs.models"

    def describe_task_definition(self, task_definition_str: str) -> Any:
        """Return a revision; of a family, the latest that is active."""
        name = task_definition_str.rpartition("/")[2]
        if ":" in name:
            return super().describe_task_definition(name)
        active = [one for one in self.task_definitions.get(name, {}).values() if one.status == "ACTIVE"]
        if not active:
            raise EcsClientException("Unable to describe task definition.")
        return active[-1]

    def deregister_task_definition(self, task_definition_str: str) -> Any:
        """Make a revision inactive; tasks that run go on."""
        definition: Any = super().deregister_task_definition(task_definition_str)
        definition.deregistered_at = now()
        return definition

    def delete_cluster(self, cluster_str: str) -> Any:
        """Delete a cluster in which no service and no task lives."""
        if any(service.status != "INACTIVE" for service in _services(self, cluster_str)):
            raise ECSException(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if not all(task.has_stopped for task in _tasks(self, cluster_str)):
            raise ECSException("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        return super().delete_cluster(cluster_str)

    def describe_clusters(self, *args: Any, **kwargs: Any) -> Any:
        """Return clusters with the numbers of their tasks as they are now."""
        for cluster in self.clusters.values():
            states = [task.last_status for task in _tasks(self, cluster.name)]
            cluster.active_services_count = sum(one.status == "ACTIVE" for one in _services(self, cluster.name))
            cluster.running_tasks_count = states.count("RUNNING")
            cluster.pending_tasks_count = sum(state in _BEFORE_RUNNING for state in states)
        return super().describe_clusters(*args, **kwargs)


def _list_definitions(self: Response) -> ActionResult:
    asked = self.params
    arns = self.ecs_backend.list_task_definitions(asked.get("familyPrefix"), asked.get("status", "ACTIVE"))

    def age(arn: str) -> tuple[str, int]:
        family, _, revision = arn.rpartition("/")[2].rpartition(":")
        return family, int(revision)

    return ActionResult({"taskDefinitionArns": sorted(arns, key=age, reverse=asked.get("sort") == "DESC")})


def _register(self: Response) -> ActionResult:
    request = dict(self.params)
    if "FARGATE" not in (request.get("requiresCompatibilities") or []):
        raise EcsClientException("The sandbox runs tasks on Fargate only: set requiresCompatibilities to FARGATE.")
    request["cpu"], request["memory"] = check_definition(request)
    account = self.current_account
    for name in ("taskRoleArn", "executionRoleArn"):
        if (role := request.get(name)) and not role.startswith("arn:"):
            request[name] = f"arn:aws:iam::{account}:role/{role}"
    definition: Any = self.ecs_backend.register_task_definition(
        request["family"],
        [completed(container) for container in request["containerDefinitions"]],
        network_mode=request["networkMode"],
        tags=request.get("tags"),
        requires_compatibilities=request["requiresCompatibilities"],
        cpu=request["cpu"],
        memory=request["memory"],
        runtime_platform=request.get("runtimePlatform"),
        pid_mode=request.get("pidMode"),
        ephemeral_storage=request.get("ephemeralStorage"),
    )
    definition.registered_at = now()
    # moto leaves out what was not given
    definition.task_role_arn, definition.execution_role_arn = (
        request.get("taskRoleArn"),
        request.get("executionRoleArn"),
    )
    return ActionResult({"taskDefinition": definition, "tags": definition.tags})


def _describe(self: Response, tasks: Tasks) -> ActionResult:
    wanted = self._get_param("tasks", [])
    if not wanted:
        raise InvalidParameterException("Tasks cannot be empty.")
    found = {name: _find(self, name) for name in wanted}
    there = [task for task in found.values() if task]
    if is_waiter(self):
        tasks.wait_for(there)
    show = self._include_in_response if "TAGS" in self._get_param("include", []) else self._exclude_from_response
    show(DESCRIBE_TASKS_TAGS)
    failures = [{"arn": _arn(self, name), "reason": "MISSING"} for name, task in found.items() if task is None]
    return ActionResult({"tasks": there, "failures": failures})


def _list(self: Response) -> ActionResult:
    wanted = {
        "desired_status": self._get_param("desiredStatus", "RUNNING"),
        "started_by": self._get_param("startedBy"),
        "launch_type": self._get_param("launchType"),
    }
    family, service = self._get_param("family"), self._get_param("serviceName")
    if service:
        wanted["group"] = f"service:{service.rpartition('/')[2]}"
    found = [
        task.task_arn
        for task in _tasks(self.ecs_backend, self._get_param("cluster", "default"))
        if all(value is None or getattr(task, name) == value for name, value in wanted.items())
        and family in (None, task.definition.family)
        and self._get_param("containerInstance") is None
    ]
    return ActionResult({"taskArns": found})


def _stop(self: Response, tasks: Tasks) -> ActionResult:
    task = _find(self, self._get_param("task"))
    if task is None:
        raise InvalidParameterException("The referenced task was not found.")
    tasks.stop(task, "UserInitiated", self._get_param("reason") or "Task stopped by user")
    return ActionResult({"task": task})


def _find(self: Response, name: str) -> Task | None:
    """Return a task of the cluster that the request names, by its id or ARN."""
    tasks = _tasks(self.ecs_backend, self._get_param("cluster", "default"))
    return next((task for task in tasks if task.task_arn == _arn(self, name)), None)


def _tasks(backend: Any, cluster: str) -> list[Task]:
    return list(backend.tasks.get(backend._get_cluster(cluster).name, {}).values())


def _services(backend: Any, cluster: str) -> list[Any]:
    found = backend._get_cluster(cluster)
    return [service for service in backend.services.values() if service.cluster is found]


def _arn(self: Response, name: str) -> str:
    if name.startswith("arn:"):
        return name
    cluster = self.ecs_backend._get_cluster(self._get_param("cluster", "default"))
    return f"{cluster.arn.replace(':cluster/', ':task/')}/{name}"


def _refusal(name: str) -> Callable[[Response], ActionResult]:
    operation = "".join(word.capitalize() for word in name.split("_"))

    def refuse(self: Response) -> ActionResult:
        message = f"ecs:{operation} is not supported by the sandbox; it runs tasks with RunTask."
        raise ECSException("UnsupportedFeatureException", message)

    return refuse
