"""The least that IAM has to allow for a run on AWS, as policies: from the permissions that its calls needed.

Source: AWS service authorization reference and "IAM and AWS STS quotas", read 2026-11.
"""

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from ragonotebooks.rehearse.calls import Need
from ragonotebooks.rehearse.names import arns

LONGEST: Final = 6144
"""How many characters, not counting white space, a managed policy may have."""

Policy = dict[str, Any]
_Key = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]

# What AWS judges an action on, where that is more or less than the resource that a call names. The first that fits counts.
_INSTEAD: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("ec2:Describe*", "ec2:Get*", "s3:ListAllMyBuckets"), "*"),
    (("ec2:*",), "arn:aws:ec2:{region}:*:*/*"),
    (("ecs:List*", "ecs:DescribeTaskDefinition", "ecs:DeregisterTaskDefinition"), "*"),
)
_BESIDES: Final = (
    (("ecs:TagResource",), ("task/*",)),
    (("kms:*Alias",), ("alias/*",)),
    (("elasticache:Create*", "elasticache:Modify*"), ("parametergroup:*", "subnetgroup:*")),
    (
        ("rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:RestoreDBInstance*"),
        ("og:*", "pg:*", "secgrp:*", "subgrp:*"),
    ),
)


def policies(needs: Iterable[Need], account: str) -> list[Policy]:
    """The policy that allows what is needed and nothing else, in as many documents as its length demands.

    Args:
        needs: What the calls needed.
        account: The id of the account that they were made in; in the policy any account stands in its place.
    """
    wanted: dict[str, dict[tuple[tuple[str, str], ...], set[str]]] = {}
    for need in needs:
        conditions = tuple(sorted(need.conditions.items()))
        found = wanted.setdefault(need.permission, {}).setdefault(conditions, set())
        found.update(_resources(need.permission, need.resource, account))
    grouped: dict[_Key, list[str]] = {}
    for permission, ways in sorted(wanted.items()):
        for conditions, resources in ways.items():
            key = permission.partition(":")[0], tuple(_least(resources)), conditions
            grouped.setdefault(key, []).append(permission)
    return _documents(_statements(grouped))


def _resources(permission: str, resource: str, account: str) -> list[str]:
    if resource == "*":
        return ["*"]
    region = resource.split(":")[3]
    for patterns, instead in _INSTEAD:
        if _fits(permission, patterns):
            return [instead.format(region=region)]
    found = arns(resource, account)
    service = permission.partition(":")[0]
    for patterns, others in _BESIDES:
        if _fits(permission, patterns):
            found += [f"arn:aws:{service}:{region}:*:{other}" for other in others]
    return found


def _fits(permission: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(permission, pattern) for pattern in patterns)


def _least(resources: set[str]) -> list[str]:
    """Without what another of them covers."""
    return sorted(
        one for one in resources if not any(other != one and _covers(other, one) for other in resources if "*" in other)
    )


def _covers(pattern: str, resource: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), resource) is not None


def _statements(grouped: Mapping[_Key, list[str]]) -> list[dict[str, Any]]:
    statements = []
    for (_, resources, conditions), actions in grouped.items():
        statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": list(resources)}
        if conditions:
            statement["Condition"] = {"StringEquals": dict(conditions)}
        statements.append(statement)
    return statements


def _documents(statements: Iterable[dict[str, Any]]) -> list[Policy]:
    documents: list[Policy] = []
    for statement in statements:
        if not documents or _length(_policy([*documents[-1]["Statement"], statement])) > LONGEST:
            documents.append(_policy([]))
        documents[-1]["Statement"].append(statement)
    return documents


def _policy(statements: list[dict[str, Any]]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}


def _length(policy: Policy) -> int:
    return len(json.dumps(policy, separators=(",", ":")))
