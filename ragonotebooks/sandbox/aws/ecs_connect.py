"""Names between tasks: ECS Service Connect.

A service gives a port of its tasks a name in a namespace, and tasks of services that are in the same namespace call it by that
name: `http://api:8000`. On AWS a proxy beside each task knows the names; here the gateway is that proxy. It looks a name up when it
is called, so a client that was deployed before its server finds it too, which on AWS it would not.
Source: Amazon ECS developer guide, "Use Service Connect to connect Amazon ECS services with short names", read 2026-11.
"""

from dataclasses import dataclass
from typing import Any, Final

from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException
from moto.ecs.models import ecs_backends

from ragonotebooks.sandbox.aws.ecs_model import Task
from ragonotebooks.sandbox.context import Context, Place

Configuration = dict[str, Any]

_UNSUPPORTED: Final = ("logConfiguration", "accessLogConfiguration", "containerConfigurations")
_UNSUPPORTED_OF_A_SERVICE: Final = ("ingressPortOverride", "timeout", "tls")


@dataclass(frozen=True)
class Connect:
    """What a service has to do with Service Connect.

    Attributes:
        namespace: The ARN of the namespace that it is in.
        names: The names that it gives: host and port that clients use, and the name of the port mapping that they lead to.
    """

    namespace: str
    names: dict[tuple[str, int], str]


@dataclass(frozen=True)
class Endpoint:
    """Where a task listens.

    Attributes:
        place: Where the task is.
        port: The port of its container.
    """

    place: Place
    port: int


def read_connect(backend: Any, cluster: Any, definition: Any, given: Configuration | None) -> Connect | None:
    """Return what a `serviceConnectConfiguration` means; None when it is not enabled.

    Raises:
        ServiceException: ECS does not accept it, or the sandbox does not do what it asks for.
    """
    if not given or not given.get("enabled"):
        return None
    _refuse(given, _UNSUPPORTED)
    namespace, names = _find_namespace(backend, cluster, given), {}
    ports = {port.get("name") for container in definition.container_definitions for port in container["portMappings"]}
    for service in given.get("services") or []:
        _refuse(service, _UNSUPPORTED_OF_A_SERVICE)
        if service["portName"] not in ports:
            raise InvalidParameterException(
                f"portName({service['portName']}) does not refer to any named PortMapping in the task definition."
            )
        names[_name(service, namespace.name)] = service["portName"]
    return Connect(namespace.arn, names)


def endpoints(context: Context, caller: Task, host: str, port: int) -> list[Endpoint] | None:
    """Return where the ready tasks are that answer to a name; None when no service in the caller's namespace has it."""
    services: Any = ecs_backends[context.state.account][caller.region].services.values()
    deployments = [deployment for service in services for deployment in service.deployments]
    named = [one for one in deployments if one.connect and one.connect.namespace == caller.namespace]
    named = [one for one in named if (host, port) in one.connect.names]
    tasks = [(task, one.connect.names[host, port]) for one in named for task in one.alive if task.is_ready]
    found = [
        Endpoint(context.places[task.task_arn], _port(task, name))
        for task, name in tasks
        if task.task_arn in context.places
    ]
    return found if named else None


def _name(service: Configuration, namespace: str) -> tuple[str, int]:
    aliases = service.get("clientAliases") or []
    if len(aliases) != 1:
        raise InvalidParameterException(f"The Service Connect service {service['portName']} needs one client alias.")
    usual = f"{service.get('discoveryName') or service['portName']}.{namespace}"
    return (aliases[0].get("dnsName") or usual).lower(), int(aliases[0]["port"])


def _port(task: Task, name: str) -> int:
    described = task.definition.container_definitions
    mappings = (mapping for container in described for mapping in container["portMappings"])
    return int(next(mapping["containerPort"] for mapping in mappings if mapping.get("name") == name))


def _find_namespace(backend: Any, cluster: Any, given: Configuration) -> Any:
    """Return the moto namespace that a configuration, or else its cluster, names by its name or ARN."""
    from moto.servicediscovery.models import servicediscovery_backends

    name = given.get("namespace") or (cluster.service_connect_defaults or {}).get("namespace")
    known: Any = servicediscovery_backends[backend.account_id][backend.region_name]
    found = next((one for one in known.namespaces.values() if name in (one.name, one.arn)), None)
    if found is None:
        raise ECSException("NamespaceNotFoundException", f"The specified namespace {name} was not found.")
    return found


def _refuse(given: Configuration, names: tuple[str, ...]) -> None:
    for name in names:
        if given.get(name):
            raise EcsClientException(f"{name} (serviceConnectConfiguration) is not supported by the sandbox.")
