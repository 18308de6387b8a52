"""What Fargate accepts: the rules for a task definition, each with the message that ECS gives, and what the sandbox does not run.

Source: Amazon ECS developer guide, "Task definition parameters for Fargate" and "Task definition differences for Fargate", read
2026-11. Accepted but not enforced: the sizes, `user`, `ulimits`, `linuxParameters`, `readonlyRootFilesystem`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from moto.ecs.exceptions import EcsClientException

from ragonotebooks.images import host_architecture
from ragonotebooks.sandbox.aws.ecs_health import read_health_check

Parameters = Mapping[str, Any]

# CPU units and the MiB of memory that go with them
_SIZES: Final[dict[int, tuple[int, ...]]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
_UNSUPPORTED: Final = ("volumes", "proxyConfiguration", "inferenceAccelerators", "placementConstraints", "ipcMode")
_UNSUPPORTED_IN_CONTAINER: Final = (
    "dependsOn",
    "environmentFiles",
    "firelensConfiguration",
    "mountPoints",
    "repositoryCredentials",
    "restartPolicy",
    "volumesFrom",
)
_LOG_OPTIONS: Final = ("awslogs-region", "awslogs-group", "awslogs-stream-prefix")
_OTHER_LOG_OPTIONS: Final = ("awslogs-create-group", "mode", "max-buffer-size")
_PRIVATE_REGISTRY: Final = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/")
_PORT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LAST_PORT: Final = 65535
_PROTOCOLS: Final = ("tcp", "udp")
_APP_PROTOCOLS: Final = ("http", "http2", "grpc")
_ARCHITECTURES: Final = {"amd64": "X86_64", "arm64": "ARM64"}


def check_definition(parameters: Parameters) -> tuple[str, str]:
    """Return the CPU units and the MiB of a task definition for Fargate.

    Raises:
        EcsClientException: Fargate does not accept it, or the sandbox does not run what it asks for.
    """
    if parameters.get("networkMode") != "awsvpc":
        raise EcsClientException("Fargate only supports network mode ‘awsvpc’.")
    size = _size(parameters)
    containers = parameters.get("containerDefinitions") or []
    names = [container.get("name") for container in containers]
    if len(set(names)) < len(names):
        raise EcsClientException("Container names in a task definition must be unique.")
    if not any(container.get("essential", True) for container in containers):
        raise EcsClientException("A task definition must have at least one essential container.")
    _refuse("containerDefinitions", _UNSUPPORTED, parameters)
    _check_platform(parameters.get("runtimePlatform") or {})
    for container in containers:
        _check_container(container, parameters.get("executionRoleArn"))
    _check_ports([mapping for container in containers for mapping in container.get("portMappings") or []])
    return size


def completed(container: Parameters) -> dict[str, Any]:
    """Return a container definition with what Fargate adds to its port mappings and its health check."""
    ports = [
        {"protocol": "tcp", **mapping, "hostPort": mapping["containerPort"]}
        for mapping in container.get("portMappings") or []
    ]
    given = container.get("healthCheck")
    check = {"healthCheck": {"interval": 30, "timeout": 5, "retries": 3, **given}} if given else {}
    return {**container, "portMappings": ports, **check}


def _size(parameters: Parameters) -> tuple[str, str]:
    for name in ("cpu", "memory"):
        if not parameters.get(name):
            raise EcsClientException(f"Fargate requires that '{name}' be defined at the task level.")
    cpu = _units(str(parameters["cpu"]), "vcpu", "cpu")
    memory = _units(str(parameters["memory"]), "gb", "memory")
    if memory not in _SIZES.get(cpu, ()):
        possible = ", ".join(map(str, _SIZES[cpu])) if cpu in _SIZES else "none"
        raise EcsClientException(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            f"Memory in MiB that goes with this CPU: {possible}."
        )
    return str(cpu), str(memory)


def _units(value: str, unit: str, name: str) -> int:
    """Read `512` or `0.5 GB`, `256` or `.25 vCPU`."""
    found = re.fullmatch(rf"(\d*\.?\d+)\s*({unit})?", value.strip().lower())
    if found is None:
        raise EcsClientException(f"Invalid '{name}' setting for task.")
    return round(float(found[1]) * (1024 if found[2] else 1))


def _check_platform(platform: Parameters) -> None:
    family, here = platform.get("operatingSystemFamily", "LINUX"), _ARCHITECTURES[host_architecture()]
    architecture = platform.get("cpuArchitecture", here)
    if family != "LINUX" or architecture != here:
        raise EcsClientException(
            f"The sandbox runs tasks on this machine, which is LINUX {here}: it does not support {family} {architecture}."
        )


def _check_container(container: Parameters, execution_role: str | None) -> None:
    name = container.get("name")
    _refuse(f"container {name}", _UNSUPPORTED_IN_CONTAINER, container)
    read_health_check(dict(container))
    reasons = {
        "ECR images": _PRIVATE_REGISTRY.match(container.get("image", "")),
        "log driver awslogs": container.get("logConfiguration"),
        "container secrets": container.get("secrets"),
    }
    for reason, given in reasons.items():
        if given and not execution_role:
            raise EcsClientException(
                f"Fargate requires task definition to have execution role ARN to support {reason}."
            )
    if log := container.get("logConfiguration"):
        _check_log(log)


def _check_ports(mappings: list[Parameters]) -> None:
    taken: set[object] = set()
    for mapping in mappings:
        _check_port(mapping)
        port, name = (mapping["containerPort"], mapping.get("protocol", "tcp")), mapping.get("name")
        if port in taken:
            raise EcsClientException(
                f"The container port {port[0]}/{port[1]} is mapped twice; a task's containers share its ports."
            )
        if name in taken:
            raise EcsClientException(
                f"The port mapping name {name} is used twice; it must be unique in a task definition."
            )
        taken |= {port, name} if name else {port}


def _check_port(mapping: Parameters) -> None:
    _refuse("portMappings", ("containerPortRange",), mapping)
    port = mapping.get("containerPort")
    if not isinstance(port, int) or not 1 <= port <= _LAST_PORT:
        raise EcsClientException(f"Invalid setting for container port: {port} is not between 1 and {_LAST_PORT}.")
    if mapping.get("hostPort", port) not in (0, port):
        raise EcsClientException(
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
        )
    if mapping.get("protocol", "tcp") not in _PROTOCOLS:
        raise EcsClientException(f"The protocol of port {port} must be one of {', '.join(_PROTOCOLS)}.")
    if mapping.get("appProtocol", "http") not in _APP_PROTOCOLS:
        raise EcsClientException(f"The appProtocol of port {port} must be one of {', '.join(_APP_PROTOCOLS)}.")
    if not _PORT_NAME.fullmatch(mapping.get("name", "port")):
        raise EcsClientException(
            f"The name of port {port} may have lowercase letters, digits, hyphens and underscores, and begins with no hyphen."
        )


def _check_log(log: Parameters) -> None:
    driver, options = log.get("logDriver"), log.get("options") or {}
    if driver != "awslogs":
        raise EcsClientException(f"The log driver {driver} is not supported by the sandbox, only awslogs.")
    if any(not options.get(option) for option in _LOG_OPTIONS):
        raise EcsClientException(f"Log driver awslogs requires options: {', '.join(_LOG_OPTIONS)}")
    if unknown := [option for option in options if option not in (*_LOG_OPTIONS, *_OTHER_LOG_OPTIONS)]:
        raise EcsClientException(f"The awslogs option {unknown[0]} is not supported by the sandbox.")
    if log.get("secretOptions"):
        raise EcsClientException("Log driver awslogs has no secret options.")


def _refuse(where: str, names: tuple[str, ...], given: Parameters) -> None:
    for name in names:
        if given.get(name):
            raise EcsClientException(f"{name} ({where}) is not supported by the sandbox.")
