"""Names between tasks: ECS Service Connect.

A service gives a port of its tasks a name in a namespace, and tasks of services that are in the same namespace call it by that
name: `http://api:8000`. On AWS a proxy beside each task knows the names; here the gateway is that proxy. It looks a name up when it
is called, so a client that was deployed before its server finds it too, which on AWS it would not.
Source: Amazon ECS developer guide, "Use Service Connect to connect Amazon ECS services with short names", read 2026-11.
"""

from typing import Any, Final

from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException

Configuration = dict[str, Any]

_UNSUPPORTED: Final = ("logConfiguration", "accessLogConfiguration", "containerConfigurations")
_UNSUPPORTED_OF_A_SERVICE: Final = ("ingressPortOverride", "timeout", "tls")


def check_connect(backend: Any, cluster: Any, definition: Any, given: Configuration) -> None:
    """Raise an error unless a service may have this `serviceConnectConfiguration`.

    Raises:
        ServiceException: ECS does not accept it, or the sandbox does not do what it asks for.
    """
    if not given.get("enabled"):
        return
    _refuse(given, _UNSUPPORTED)
    find_namespace(backend, cluster, given)
    ports = {port.get("name") for container in definition.container_definitions for port in container["portMappings"]}
    for service in given.get("services") or []:
        _refuse(service, _UNSUPPORTED_OF_A_SERVICE)
        if service["portName"] not in ports:
            raise InvalidParameterException(
                f"portName({service['portName']}) does not refer to any named PortMapping in the task definition."
            )
        if len(service.get("clientAliases") or []) != 1:
            raise InvalidParameterException(
                f"The Service Connect service {service['portName']} needs one client alias."
            )


def find_namespace(backend: Any, cluster: Any, given: Configuration) -> Any:
    """Return the moto namespace that a configuration, or else its cluster, names by its name or ARN.

    Raises:
        ServiceException: There is none.
    """
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
