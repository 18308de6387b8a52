"""ECS services: the controller that makes them real, and the actions of the API."""

from collections.abc import Callable
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ECSException, InvalidParameterException, ServiceNotFoundException
from moto.ecs.models import ecs_backends
from moto.ecs.responses import DESCRIBE_SERVICES_TAGS
from moto.ecs.responses import EC2ContainerServiceResponse as Response

from ragonotebooks.sandbox.aws.ecs_events import announce_deployment, announce_service
from ragonotebooks.sandbox.aws.ecs_keeper import Keeper, Stop
from ragonotebooks.sandbox.aws.ecs_model import Tags, Task, make_task
from ragonotebooks.sandbox.aws.ecs_request import active_cluster, check_placement, is_waiter, make_interface
from ragonotebooks.sandbox.aws.ecs_service_model import Deployment, Service
from ragonotebooks.sandbox.aws.ecs_service_request import (
    changed_revision,
    check_counts,
    check_name,
    deployment_configuration,
    make_revision,
    placement,
)
from ragonotebooks.sandbox.context import Context

Begin = Callable[[Any, Task], None]

_SIMPLE: Final = {
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "propagateTags": "propagate_tags",
    "enableECSManagedTags": "enable_ecs_managed_tags",
}
_PATIENCE: Final = 45.0  # seconds; a client gives an answer a minute


class Services:
    """The controller: makes services real.

    Args:
        context: The daemon's shared parts.
        begin: Lets a task that was just made begin.
        stop: Lets a task end.
        learn: Is told the names that services give themselves.
    """

    def __init__(self, context: Context, begin: Begin, stop: Stop, learn: Callable[[set[str]], None]) -> None:
        self._context, self._begin, self._stop, self._learn = context, begin, stop, learn
        self._keepers: dict[str, Keeper] = {}

    def create(self, backend: Any, request: dict[str, Any]) -> Service:
        """Make the service that a CreateService asks for. The caller holds the lock, here and below."""
        cluster, name = active_cluster(backend, request.get("cluster")), request["serviceName"]
        check_name(name)
        check_counts(request, lambda: bool(request.get("loadBalancers")))
        if request.get("desiredCount") is None:
            raise InvalidParameterException("The desired count of a service with the strategy REPLICA must be given.")
        _check_free(backend.services.get(f"{cluster.name}:{name}"))
        configuration = deployment_configuration(request.get("deploymentConfiguration") or {})
        service = Service(
            cluster=cluster,
            name=name,
            desired_count=int(request["desiredCount"]),
            deployment_configuration=configuration,
            health_check_grace_period_seconds=request.get("healthCheckGracePeriodSeconds"),
            tags=request.get("tags") or [],
            propagate_tags=request.get("propagateTags") or "NONE",
            enable_ecs_managed_tags=bool(request.get("enableECSManagedTags")),
            deployments=[Deployment(make_revision(backend, cluster, request), int(request["desiredCount"]))],
        )
        backend.services[f"{cluster.name}:{name}"] = service
        self._keepers[service.arn] = Keeper(self._context, service, self._launch, self._stop)
        self._keepers[service.arn].start()
        self._begin_deployment(service)
        return service

    def update(self, backend: Any, request: dict[str, Any]) -> Service:
        """Make a service what an UpdateService asks for: other tasks make a deployment, another count does not."""
        cluster = active_cluster(backend, request.get("cluster"))
        service = _find_active(backend, cluster, request["service"])
        revision = changed_revision(backend, cluster, service.revision, request)
        check_counts(request, lambda: bool(revision.load_balancers))
        given = request.get("deploymentConfiguration") or {}
        service.deployment_configuration = deployment_configuration(given, service.deployment_configuration)
        for name, attribute in _SIMPLE.items():
            if request.get(name) is not None:
                setattr(service, attribute, request[name])
        if request.get("desiredCount") is not None:
            self._scale(service, int(request["desiredCount"]))
        if revision != service.revision or request.get("forceNewDeployment"):
            self._keepers[service.arn].make_primary(Deployment(revision, service.desired_count))
            self._begin_deployment(service)
        self._context.changed.notify_all()
        return service

    def set_desired(self, region: str, cluster: str, service: str, count: int) -> None:
        """Let a service, named as the API names it, have so many tasks.

        Raises:
            ServiceException: There is no such active service.
        """
        with self._context.changed:
            backend = ecs_backends[self._context.state.account][region]
            self._scale(_find_active(backend, active_cluster(backend, cluster), service), count)
            self._context.changed.notify_all()

    def delete(self, backend: Any, request: dict[str, Any]) -> Service:
        """Let a service end with all its tasks."""
        service = _find(backend, active_cluster(backend, request.get("cluster")), request["service"])
        if service.status == "INACTIVE":
            raise ServiceNotFoundException
        if service.desired_count > 0 and not request.get("force"):
            raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
        self._scale(service, 0)
        service.status = "DRAINING"
        self._context.changed.notify_all()
        return service

    def wait_for(self, services: list[Service]) -> None:
        """Let go of the lock until the services are what they shall be, are gone or have failed, within limits."""
        self._context.wait_until(lambda: all(map(_is_settled, services)), _PATIENCE)

    def _begin_deployment(self, service: Service) -> None:
        if connect := service.primary.connect:
            self._learn({host for host, _ in connect.names})
        announce_deployment(self._context, service, service.primary)

    def _scale(self, service: Service, count: int) -> None:
        if count != service.desired_count:
            service.desired_count = service.primary.desired_count = count
            service.steady = False
            announce_service(self._context, service, "INFO", "SERVICE_DESIRED_COUNT_UPDATED", desiredCount=count)

    def _launch(self, service: Service, deployment: Deployment) -> Task:
        revision, region = deployment.revision, service.cluster.region_name
        backend = ecs_backends[self._context.state.account][region]
        wanted = _spread(service, placement(revision))
        network = check_placement(backend, service.cluster, revision.definition, wanted)
        request = {
            **wanted,
            "group": f"service:{service.name}",
            "startedBy": deployment.id,
            "tags": _tags(service),
            "propagateTags": service.propagate_tags,
        }
        interface = make_interface(backend, network)
        task = make_task(region, revision.definition, service.cluster, interface, request)
        task.load_balancers, task.note = revision.load_balancers, service.say
        task.namespace = revision.connect.namespace if revision.connect else None
        self._begin(backend, task)
        return task


def actions(services: Services) -> dict[str, Any]:
    """The actions of the API, for moto's response class."""
    return {
        "create_service": lambda self: ActionResult({"service": services.create(self.ecs_backend, self.params)}),
        "update_service": lambda self: ActionResult({"service": services.update(self.ecs_backend, self.params)}),
        "delete_service": lambda self: ActionResult({"service": services.delete(self.ecs_backend, self.params)}),
        "describe_services": lambda self: _describe(self, services),
        "list_services": _list,
    }


def _describe(self: Response, services: Services) -> ActionResult:
    cluster, wanted = self._get_param("cluster", "default"), self._get_param("services", [])
    if not wanted:
        raise InvalidParameterException("Services cannot be empty.")
    found: Any
    found, failures = self.ecs_backend.describe_services(cluster, wanted)
    if is_waiter(self):
        services.wait_for(found)
    show = self._include_in_response if "TAGS" in self._get_param("include", []) else self._exclude_from_response
    show(DESCRIBE_SERVICES_TAGS)
    return ActionResult({"services": found, "failures": failures})


def _list(self: Response) -> ActionResult:
    cluster = self.ecs_backend._get_cluster(self._get_param("cluster", "default"))
    wanted = {
        "launch_type": self._get_param("launchType"),
        "scheduling_strategy": self._get_param("schedulingStrategy"),
    }
    known: Any = self.ecs_backend.services.values()
    found = [
        service.arn
        for service in known
        if service.cluster is cluster
        and service.status != "INACTIVE"
        and all(value is None or getattr(service, name) == value for name, value in wanted.items())
    ]
    return ActionResult({"serviceArns": sorted(found)})


def _check_free(existing: Service | None) -> None:
    if existing and existing.status == "ACTIVE":
        raise InvalidParameterException("Creation of service was not idempotent.")
    if existing and existing.status == "DRAINING":
        raise InvalidParameterException("Unable to Start a service that is still Draining.")


def _find(backend: Any, cluster: Any, name: str) -> Service:
    service: Service | None = backend.services.get(f"{cluster.name}:{name.rpartition('/')[2]}")
    if service is None:
        raise ServiceNotFoundException
    return service


def _find_active(backend: Any, cluster: Any, name: str) -> Service:
    service = _find(backend, cluster, name)
    if service.status != "ACTIVE":
        raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
    return service


def _is_settled(service: Service) -> bool:
    if service.status == "ACTIVE":
        return service.steady or service.primary.rollout_state == "FAILED"
    return service.status == "INACTIVE"


def _spread(service: Service, wanted: dict[str, Any]) -> dict[str, Any]:
    """Let the subnet with the fewest of a service's tasks be the first of those that are wanted."""
    network = wanted["networkConfiguration"]["awsvpcConfiguration"]
    taken = [task.interface.subnet.id for task in service.tasks]
    network = {**network, "subnets": sorted(network["subnets"], key=taken.count)}
    return {**wanted, "networkConfiguration": {"awsvpcConfiguration": network}}


def _tags(service: Service) -> Tags:
    own = service.tags if service.propagate_tags == "SERVICE" else []
    managed = {"aws:ecs:clusterName": service.cluster.name, "aws:ecs:serviceName": service.name}
    shown = managed if service.enable_ecs_managed_tags else {}
    return [*own, *({"key": key, "value": value} for key, value in shown.items())]
