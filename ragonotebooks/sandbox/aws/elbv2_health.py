"""The states of targets as the API shows them, and who knows them.

Source: Elastic Load Balancing API reference 2015-12-01, TargetHealth, read 2026-11.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol


@dataclass(frozen=True)
class Health:
    """A target's state, with the reason and what a person reads."""

    state: str
    reason: str | None = None
    description: str | None = None


REGISTERING: Final = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
DRAINING: Final = Health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
NOT_USED: Final = Health(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)
NOT_REGISTERED: Final = Health("unused", "Target.NotRegistered", "Target is not registered to the target group")

#: A target's place: the target group's ARN, and the target's address and port.
Key = tuple[str, str]


class Controller(Protocol):
    """What makes load balancers real."""

    def sync(self) -> None:
        """Something has changed."""

    def register(self, key: Key) -> None:
        """A target is new, or again in its group."""

    def deregister(self, key: Key, seconds: float) -> None:
        """A target leaves its group when it has finished its requests, or after so many seconds."""

    def health(self, group: str, target: str) -> Health | None:
        """What the checks have found of a target, None while they have found nothing."""

    def draining(self, group: str) -> dict[str, dict[str, Any]]:
        """The targets that were deregistered and have requests left, as the API describes them."""
