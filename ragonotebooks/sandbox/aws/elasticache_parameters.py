"""ElastiCache's parameter groups: settings of caches by name. Those that stand here reach the servers, others are refused."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ragonotebooks.sandbox.aws.errors import ApiError

_EVICTION: Final = (
    "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction"
)


@dataclass(frozen=True)
class Parameter:
    """A setting of the engine.

    Attributes:
        name: As the engine spells it.
        default: The value that ElastiCache gives it.
        allowed: What it may be, as the API shows it: words with commas between them, or a range of numbers.
        description: What it does.
        kind: The data type.
    """

    name: str
    default: str
    allowed: str
    description: str
    kind: str = "integer"

    def admits(self, value: str) -> bool:
        """Whether it may be `value`."""
        if self.kind == "string":
            return (
                re.fullmatch(self.allowed, value) is not None
                if "[" in self.allowed
                else value in self.allowed.split(",")
            )
        low, _, high = self.allowed.partition("-")
        return value.isdigit() and int(low) <= int(value) <= int(high)


# Defaults: "Valkey and Redis OSS parameters", ElastiCache user guide, read 2026-11
PARAMETERS: Final = {
    parameter.name: parameter
    for parameter in (
        Parameter("maxmemory-policy", "volatile-lru", _EVICTION, "What is evicted when the memory is full", "string"),
        Parameter("maxmemory-samples", "3", "1-1000", "How many keys are compared for eviction"),
        Parameter(
            "notify-keyspace-events", "", "[KEg$lshzxetdmnA]*", "Which events clients can subscribe to", "string"
        ),
        Parameter(
            "slowlog-log-slower-than", "10000", "0-2147483647", "Microseconds from which a command is logged as slow"
        ),
        Parameter("slowlog-max-len", "128", "0-2147483647", "How many entries the slow log keeps"),
        Parameter("tcp-keepalive", "300", "0-2147483647", "Seconds between two probes of an idle connection"),
        Parameter("timeout", "0", "0-2147483647", "Seconds after which an idle client is disconnected"),
    )
}


@dataclass
class Group:
    """A parameter group.

    Attributes:
        cache_parameter_group_name: Its name.
        cache_parameter_group_family: The engine that it is for: valkey8.
        description: For people.
        arn: Its ARN.
        is_global: Whether a global datastore uses it.
        changed: The values that are not the engine's default.
    """

    cache_parameter_group_name: str
    cache_parameter_group_family: str
    description: str
    arn: str
    is_global: bool = False
    changed: dict[str, str] = field(default_factory=dict)

    @property
    def default(self) -> bool:
        """Whether it is one of AWS's own."""
        return self.cache_parameter_group_name.startswith("default.")

    def values(self) -> dict[str, str]:
        """All values by name."""
        return {name: self.changed.get(name, parameter.default) for name, parameter in PARAMETERS.items()}

    def described(self, source: str | None) -> list[dict[str, Any]]:
        """The parameters as the API shows them; of one `source`, `user` or `system`, if it is given."""
        return [
            shown
            for name, parameter in PARAMETERS.items()
            for shown in [_described(parameter, self.changed.get(name))]
            if source in (None, shown["Source"])
        ]


class Groups:
    """The parameter groups of one account in one region.

    Args:
        arn: Makes a group's ARN of its name.
        families: Of the engines that can be run; each has a default group.
    """

    def __init__(self, arn: Callable[[str], str], families: Iterable[str]) -> None:
        self._arn = arn
        self._families = tuple(families)
        self._groups: dict[str, Group] = {}
        for family in self._families:
            self._add(f"default.{family}", family, f"Default parameter group for {family}")

    def create(self, name: str, family: str, description: str) -> Group:
        """Make a group whose parameters have the engine's defaults."""
        if name in self._groups:
            raise ApiError("CacheParameterGroupAlreadyExists", f"Cache parameter group {name} already exists.")
        if family not in self._families:
            known = ", ".join(self._families)
            text = f"CacheParameterGroupFamily {family} is not a valid parameter group family: the sandbox runs {known}"
            raise ApiError("InvalidParameterValue", text)
        return self._add(name, family, description)

    def find(self, name: str) -> Group:
        """The group of this name."""
        if name not in self._groups:
            raise ApiError("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.", 404)
        return self._groups[name]

    def all(self) -> list[Group]:
        """Every group."""
        return list(self._groups.values())

    def change(self, name: str, values: dict[str, str]) -> Group:
        """Give parameters of a group other values."""
        group = self._own(name)
        for parameter, value in values.items():
            known = PARAMETERS.get(parameter)
            if known is None:
                text = f"The parameter {parameter} is not supported by the sandbox, which knows {', '.join(PARAMETERS)}"
                raise ApiError("InvalidParameterValue", text)
            if not known.admits(value):
                text = f"The value {value} of the parameter {parameter} is invalid: allowed is {known.allowed}"
                raise ApiError("InvalidParameterValue", text)
        group.changed.update(values)
        return group

    def reset(self, name: str, parameters: Iterable[str] | None) -> Group:
        """Give parameters of a group, or all of them, the engine's defaults again."""
        group = self._own(name)
        for parameter in list(group.changed) if parameters is None else parameters:
            group.changed.pop(parameter, None)
        return group

    def delete(self, name: str) -> None:
        """Forget a group that no cache uses any more."""
        self._own(name)
        del self._groups[name]

    def _own(self, name: str) -> Group:
        group = self.find(name)
        if group.default:
            text = f"The default parameter group {name} cannot be changed: make one of your own"
            raise ApiError("InvalidCacheParameterGroupState", text)
        return group

    def _add(self, name: str, family: str, description: str) -> Group:
        self._groups[name] = Group(name, family, description, self._arn(name))
        return self._groups[name]


def _described(parameter: Parameter, changed: str | None) -> dict[str, Any]:
    return {
        "ParameterName": parameter.name,
        "ParameterValue": parameter.default if changed is None else changed,
        "Description": parameter.description,
        "Source": "system" if changed is None else "user",
        "DataType": parameter.kind,
        "AllowedValues": parameter.allowed,
        "IsModifiable": True,
        "ChangeType": "immediate",
    }
