"""ValidatePolicy: what is wrong with the text of a policy, by a few of AWS's checks and under AWS's own issue codes.

Source: IAM user guide, "Access Analyzer policy check reference", read 2026-11. Whether an action exists is told by botocore.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from botocore.exceptions import UnknownServiceError
from moto.core.utils import get_service_model

from ragonotebooks.sandbox.aws.actions import action_of
from ragonotebooks.sandbox.aws.errors import unsupported
from ragonotebooks.sandbox.aws.incoming import botocore_name
from ragonotebooks.sandbox.aws.patterns import like
from ragonotebooks.sandbox.aws.policy import as_list

_REFERENCE: Final = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html"
_TYPES: Final = ("IDENTITY_POLICY", "RESOURCE_POLICY")
# permissions without an operation of their own
_PERMISSIONS: Final = {
    "iam": ("PassRole",),
    "s3": (
        "BypassGovernanceRetention",
        "DeleteObjectVersion",
        "GetObjectVersionForReplication",
        "ListBucketVersions",
        "ObjectOwnerOverrideToBucketOwner",
        "PutAccountPublicAccessBlock",
        "ReplicateDelete",
        "ReplicateObject",
        "ReplicateTags",
    ),
    "kms": ("ReEncryptFrom", "ReEncryptTo"),
}
Path = list[dict[str, Any]]


def validate(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ValidatePolicy. Raises an ApiError for a type of policy that is not checked."""
    if asked["policyType"] not in _TYPES:
        why = f"is not supported by the sandbox but for {' and '.join(_TYPES)}"
        raise unsupported("access-analyzer", "ValidatePolicy", why)
    return {"findings": list(_findings(asked["policyDocument"], asked["policyType"]))}


def _findings(document: str, kind: str) -> Iterator[dict[str, Any]]:
    try:
        policy = json.loads(document)
    except ValueError as error:
        yield _finding("ERROR", "JSON_SYNTAX_ERROR", f"Fix the JSON syntax error: {error}.", [])
        return
    if not isinstance(policy, dict) or "Statement" not in policy:
        yield _finding("ERROR", "MISSING_STATEMENT", "Add a Statement element to the policy.", [])
        return
    if "Version" not in policy:
        yield _finding(
            "WARNING", "MISSING_VERSION", 'Add "Version": "2012-10-17": without it, variables are not replaced.', []
        )
    for number, statement in enumerate(as_list(policy["Statement"])):
        path: Path = [{"value": "Statement"}, {"index": number}]
        yield from _in_statement(statement, kind, path)


def _in_statement(statement: Mapping[str, Any], kind: str, path: Path) -> Iterator[dict[str, Any]]:
    needed = ("Effect", "Principal") if kind == "RESOURCE_POLICY" else ("Effect",)
    for name in (one for one in needed if one not in statement and f"Not{one}" not in statement):
        yield _finding("ERROR", f"MISSING_{name.upper()}", f"Add the element {name} to the statement.", path)
    if kind == "IDENTITY_POLICY" and "Principal" in statement:
        yield _finding("ERROR", "UNSUPPORTED_PRINCIPAL", "An identity policy names no principal.", path)
    if "Action" not in statement and "NotAction" not in statement:
        yield _finding("ERROR", "MISSING_ACTION", "Add the element Action or NotAction to the statement.", path)
    for name in ("Action", "NotAction"):
        for number, action in enumerate(as_list(statement.get(name, []))):
            if code := _problem(action):
                text = f"The action {action} does not exist."
                yield _finding("ERROR", code, text, [*path, {"value": name}, {"index": number}])
    if code := _passes_any_role(statement):
        text = "Using a wildcard with iam:PassRole lets the holder hand any role to a service. Name the roles."
        yield _finding("SECURITY_WARNING", code, text, path)


def _problem(action: str) -> str:
    """The code of what is wrong with an action; empty when nothing is, or when nobody can tell."""
    prefix, colon, name = action.partition(":")
    if action == "*":
        return ""
    if not colon or not name:
        return "INVALID_ACTION"
    known = _actions(prefix.lower())
    if known is None:
        return "INVALID_SERVICE_IN_ACTION"
    return "" if any(like(one.lower(), name.lower()) for one in known) else "INVALID_ACTION"


@cache
def _actions(prefix: str) -> frozenset[str] | None:
    """The names of a service's actions, None when there is no such service."""
    try:
        model = get_service_model(botocore_name(prefix))
    except UnknownServiceError:
        return None
    operations = [
        action_of(prefix, operation, versioned=versioned)
        for operation in model.operation_names
        for versioned in (False, True)
    ]
    return frozenset({one.partition(":")[2] for one in operations} | set(_PERMISSIONS.get(prefix, ())))


def _passes_any_role(statement: Mapping[str, Any]) -> str:
    actions = [one.lower() for one in as_list(statement.get("Action", []))]
    anywhere = "*" in as_list(statement.get("Resource", []))
    passing = [one for one in actions if like("iam:passrole", one)]
    if statement.get("Effect") != "Allow" or not anywhere or not passing:
        return ""
    narrow = any("iam:passedtoservice" in map(str.lower, keys) for keys in statement.get("Condition", {}).values())
    if narrow:
        return ""
    return (
        "PASS_ROLE_WITH_STAR_IN_RESOURCE" if "iam:passrole" in passing else "PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE"
    )


def _finding(kind: str, code: str, text: str, path: Path) -> dict[str, Any]:
    return {
        "findingType": kind,
        "issueCode": code,
        "findingDetails": text,
        "learnMoreLink": _REFERENCE,
        "locations": [{"path": path}] if path else [],
    }
