"""Whether an AWS service may use a resource by the resource's own policy: EventBridge a queue, an alarm a topic."""

from collections.abc import Iterable

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws.patterns import Context
from ragonotebooks.sandbox.aws.policy import evaluate


def require(
    service: str, source: str, action: str, resource: str, policies: Iterable[str], *, owned: bool = False
) -> None:
    """Raise a RagonotebooksError unless one of a resource's policies lets a service act on behalf of something.

    Args:
        service: The service's principal, `events.amazonaws.com`.
        source: The ARN of what the service acts for: a rule, a topic, an alarm.
        action: `sqs:SendMessage`.
        resource: The ARN of the resource.
        policies: The resource's policies, JSON documents.
        owned: Whether the service calls as the account that owns the source, as CloudWatch does.
    """
    account = source.split(":")[4]
    keys: dict[str, str | list[str] | None] = {
        "aws:SourceArn": source,
        "aws:SourceAccount": account,
        "aws:SourceOwner": account if owned else None,
    }
    if not evaluate(policies, action, resource, Context(keys), frozenset({f"Service:{service}"})).allowed:
        raise RagonotebooksError(
            f"{service} may not call {action} on {resource}: allow it in the policy of the resource"
        )
