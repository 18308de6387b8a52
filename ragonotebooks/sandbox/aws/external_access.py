"""Who from outside of an account may use its resources, by the policies of buckets, roles, keys, secrets, queues, topics and
repositories.

A statement is closed when its conditions let nobody in who is of another account. Services of AWS are not outside.
Source: IAM user guide, "IAM Access Analyzer resource types" and "findings for external access", read 2026-11.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from moto.backends import get_backend

from ragonotebooks.sandbox.aws import s3
from ragonotebooks.sandbox.aws.conditions import holds
from ragonotebooks.sandbox.aws.patterns import Context
from ragonotebooks.sandbox.aws.policy import as_list

# an account that is nobody's here: who lets it in lets in whoever a statement names
_OUTSIDE: Final = "999999999999"
# the condition keys that tell accounts apart, as somebody from outside has them
_KEYS: Final[Mapping[str, str | list[str] | None]] = {
    "aws:PrincipalAccount": _OUTSIDE,
    "aws:PrincipalArn": f"arn:aws:iam::{_OUTSIDE}:role/somebody",
    "aws:SourceAccount": _OUTSIDE,
    "aws:SourceArn": f"arn:aws:sns:us-east-1:{_OUTSIDE}:something",
    "aws:SourceOwner": _OUTSIDE,
    "kms:CallerAccount": _OUTSIDE,
}
_NAMES: Final = frozenset(name.lower() for name in _KEYS)


@dataclass(frozen=True)
class Grant:
    """Access that a policy gives to somebody outside.

    Attributes:
        resource: The ARN of what may be used.
        kind: Its type, `AWS::S3::Bucket`.
        principal: Who may: `{"AWS": "*"}`.
        actions: What they may do, as the policy spells it.
        condition: Under which conditions, by the condition key.
        is_public: Whether everybody may.
    """

    resource: str
    kind: str
    principal: dict[str, str]
    actions: list[str]
    condition: dict[str, str]
    is_public: bool

    @property
    def id(self) -> str:
        """The same for the same access."""
        told = json.dumps([self.resource, self.principal, self.actions, self.condition], sort_keys=True)
        return str(uuid.uuid5(uuid.NAMESPACE_OID, told))


def grants(account: str, region: str) -> Iterator[Grant]:
    """Yield all access from outside to resources of an account in a region, and to its roles. The caller holds the lock."""
    for arn, kind, document in _policies(account, region):
        for statement in as_list(json.loads(document or "{}").get("Statement", [])):
            if statement["Effect"] == "Allow" and _lets_in(statement.get("Condition", {})):
                yield from _grants(arn, kind, statement, account)


def _grants(arn: str, kind: str, statement: Mapping[str, Any], account: str) -> Iterator[Grant]:
    conditions = statement.get("Condition", {})
    told = {key: ",".join(map(str, as_list(value))) for one in conditions.values() for key, value in one.items()}
    actions = as_list(statement.get("Action", "*"))
    for name, value in _principals(statement):
        everybody = value == "*"
        if everybody and kind == "AWS::S3::Bucket" and _is_restricted(arn, account):
            continue
        if name == "Service" or _account(value) == account or (name == "Federated" and f"::{account}:" in value):
            continue
        yield Grant(arn, kind, {name: value}, actions, told, everybody and not conditions)


def _principals(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    principal = statement.get("Principal", "*" if "NotPrincipal" in statement else {})
    if principal == "*":
        yield "AWS", "*"
        return
    for name, values in principal.items():
        yield from ((name, value) for value in as_list(values))


def _account(principal: str) -> str:
    return principal if re.fullmatch(r"\d{12}", principal) else (principal.split(":") + [""] * 5)[4]


def _lets_in(condition: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether what a condition says of accounts holds for somebody from outside; its other keys may hold or not."""
    known = {
        operator: {key: value for key, value in keys.items() if key.lower() in _NAMES}
        for operator, keys in condition.items()
    }
    return holds({operator: keys for operator, keys in known.items() if keys}, Context(_KEYS), lambda value: value)


def _is_restricted(arn: str, account: str) -> bool:
    bucket = s3.bucket_of(arn, account)
    return bucket is not None and s3.block_of(bucket).restrict and s3.is_public(bucket.policy or b"")


def _policies(account: str, region: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield each policy that is attached to a resource, with the resource's ARN and type."""

    def of(service: str, where: str = region) -> Any:
        return get_backend(service)[account][where]  # type: ignore[call-overload]

    for bucket in of("s3", "aws").buckets.values():
        if bucket.policy and bucket.region_name == region:
            yield f"arn:aws:s3:::{bucket.name}", "AWS::S3::Bucket", bucket.policy.decode()
    for role in of("iam", "aws").roles.values():
        yield role.arn, "AWS::IAM::Role", role.assume_role_policy_document
    for key in of("kms").keys.values():
        yield key.arn, "AWS::KMS::Key", key.policy
    for secret in of("secretsmanager").secrets.values():
        yield secret.arn, "AWS::SecretsManager::Secret", getattr(secret, "policy", None)
    for queue in of("sqs").queues.values():
        yield (
            queue.queue_arn,
            "AWS::SQS::Queue",
            queue.policy if isinstance(queue.policy, str) else json.dumps(queue.policy or {}),
        )
    for topic in of("sns").topics.values():
        yield topic.arn, "AWS::SNS::Topic", topic.policy
    for repository in of("ecr").repositories.values():
        yield repository.arn, "AWS::ECR::Repository", repository.policy
