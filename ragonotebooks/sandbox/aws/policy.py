"""Evaluates IAM policy documents: pure functions from documents and a request to a decision.

Rules: AWS IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements", read 2026-11. Here is nothing about
who calls or where policies are kept.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ragonotebooks.sandbox.aws.conditions import holds
from ragonotebooks.sandbox.aws.patterns import Context, expand, like

Statement = Mapping[str, Any]
ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicit deny", "implicit deny"
IDENTITY_BASED = "identity-based policy"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policies say about one request.

    Attributes:
        effect: `allowed`, `explicit deny` or `implicit deny`.
        statement: The statement that decided; None when none matched.
        kind: The kind of policy that decided, in the words of AWS's messages: `identity-based policy`.
    """

    effect: str
    statement: Statement | None = None
    kind: str = IDENTITY_BASED

    @property
    def allowed(self) -> bool:
        return self.effect == ALLOWED


@dataclass(frozen=True, slots=True)
class Policies:
    """All documents that bear on one request in one account.

    Attributes:
        identity: Of the caller and its groups.
        boundary: The permissions boundary, None when the caller has none.
        session: The session policy, None when the session was opened without one.
        resource: Those of the resource that is addressed.
    """

    identity: list[str] = field(default_factory=list)
    boundary: str | None = None
    session: str | None = None
    resource: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Principals:
    """The names by which resource policies know a caller, each as `kind:value`, such as `AWS:arn:aws:iam::1…:role/web`.

    Attributes:
        direct: A statement that names one of these grants by itself.
        lasting: The direct ones that stay under a permissions boundary: the role of a session.
        account: A statement that names one of these leaves the decision to identity policies.
    """

    direct: frozenset[str]
    lasting: frozenset[str] = frozenset()
    account: frozenset[str] = frozenset()


ANYBODY = Principals(direct=frozenset())


def evaluate(
    policies: Iterable[str], action: str, resource: str, context: Context, principals: frozenset[str] | None = None
) -> Decision:
    """Judge a request by `policies` alone, JSON documents of one kind.

    `principals` are those that a `Principal` element may name; None for policies without that element. Raises
    ValueError for a condition operator that does not exist.
    """
    allow = None
    for document in policies:
        variables, statements = _statements(document)
        for statement in statements:
            if not _applies(statement, action, resource, context, principals, variables):
                continue
            if statement["Effect"] == "Deny":
                return Decision(EXPLICIT_DENY, statement)
            allow = allow or statement
    return Decision(ALLOWED, allow) if allow else Decision(IMPLICIT_DENY)


def decide(
    policies: Policies,
    action: str,
    resource: str,
    context: Context,
    principals: Principals = ANYBODY,
    *,
    resource_must_allow: bool = False,
) -> Decision:
    """Combine all kinds of policies as AWS does for a caller in the account of the resource.

    An explicit deny anywhere wins. Then a resource policy that names the caller allows by itself; otherwise an identity
    policy has to, within the boundary and the session policy. `resource_must_allow`: the service (KMS, a role's trust
    policy) also needs a resource policy that names the caller or its account.
    """

    def judge(documents: list[str], names: frozenset[str] | None, kind: str) -> Decision:
        decision = evaluate(documents, action, resource, context, names)
        return Decision(decision.effect, decision.statement, kind)

    everyone = principals.direct | principals.lasting | principals.account
    identity = judge(policies.identity, None, IDENTITY_BASED)
    by_resource = judge(policies.resource, everyone, "resource-based policy")
    limits = [
        judge([document], None, kind)
        for document, kind in ((policies.boundary, "permissions boundary"), (policies.session, "session policy"))
        if document is not None
    ]
    for decision in (identity, by_resource, *limits):
        if decision.effect == EXPLICIT_DENY:
            return decision
    named = judge(policies.resource, principals.direct, "resource-based policy")
    if named.allowed:
        return named
    if resource_must_allow and not by_resource.allowed:
        return by_resource
    named = judge(policies.resource, principals.direct | principals.lasting, "resource-based policy")
    for limit in limits:
        if not limit.allowed:
            return limit
    return named if named.allowed else identity


def _applies(
    statement: Statement,
    action: str,
    resource: str,
    context: Context,
    principals: frozenset[str] | None,
    variables: bool,
) -> bool:
    known = context if variables else None

    def names_resource(pattern: str) -> bool:
        expanded = expand(pattern, known)
        return expanded is not None and like(resource, expanded)

    return (
        _element(statement, "Action", lambda pattern: like(action.lower(), pattern.lower()))
        and _element(statement, "Resource", names_resource)
        and (principals is None or _names(statement, principals))
        and holds(statement.get("Condition", {}), context, lambda value: expand(value, known))
    )


def _element(statement: Statement, name: str, matches: Callable[[str], bool]) -> bool:
    """Judge `Action` or `NotAction` and the like. A statement without either (a trust policy's resource) applies."""
    if name in statement:
        return any(matches(value) for value in as_list(statement[name]))
    if f"Not{name}" in statement:
        return not any(matches(value) for value in as_list(statement[f"Not{name}"]))
    return True


def _names(statement: Statement, principals: frozenset[str]) -> bool:
    if "NotPrincipal" in statement:
        return not _listed(statement["NotPrincipal"], principals)
    return _listed(statement.get("Principal", {}), principals)


def _listed(element: Any, principals: frozenset[str]) -> bool:
    if element == "*":
        return True
    for kind, values in element.items():
        for value in as_list(values):
            account = re.fullmatch(r"\d{12}", value)
            name = f"arn:aws:iam::{value}:root" if account else value
            if (kind == "AWS" and value == "*") or f"{kind}:{name}" in principals:
                return True
    return False


def as_list(value: Any) -> list[Any]:
    """Return a value that policies may write alone or as a list, as a list."""
    return value if isinstance(value, list) else [value]


@lru_cache(maxsize=512)
def _statements(document: str) -> tuple[bool, list[Statement]]:
    """Return whether the document knows policy variables (version 2012-10-17 and later), and its statements."""
    policy = json.loads(document)
    return policy.get("Version", "2008-10-17") >= "2012-10-17", as_list(policy.get("Statement", []))
