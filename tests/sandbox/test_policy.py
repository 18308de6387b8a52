"""Policy evaluation: cases are data, from AWS's documented rules; a few lines run them."""

import json
from typing import Any

import pytest

from ragonotebooks.sandbox.aws.patterns import Context
from ragonotebooks.sandbox.aws.policy import Policies, Principals, decide, evaluate

KEY = "arn:aws:s3:::papers/raw/a.json"
ROLE, SESSION = "arn:aws:iam::111122223333:role/job", "arn:aws:sts::111122223333:assumed-role/job/run"
ROOT = "arn:aws:iam::111122223333:root"
CALLER = Principals(
    direct=frozenset({f"AWS:{SESSION}"}), lasting=frozenset({f"AWS:{ROLE}"}), account=frozenset({f"AWS:{ROOT}"})
)


def policy(effect: str = "Allow", **parts: Any) -> str:
    statement = {"Effect": effect, "Action": "s3:GetObject", "Resource": "*", **parts}
    statement = {name: value for name, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# one statement's parts, the request's keys, whether it lets s3:GetObject on KEY through
STATEMENTS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True),
    ({"Action": "s3:*"}, {}, True),
    ({"Action": "S3:getobject"}, {}, True),
    ({"Action": ["s3:PutObject", "s3:Get*"]}, {}, True),
    ({"Action": "s3:GetObjectVersion"}, {}, False),
    ({"Action": "s3:GetObjec?"}, {}, True),
    ({"Action": None, "NotAction": "s3:Put*"}, {}, True),
    ({"Action": None, "NotAction": "s3:Get*"}, {}, False),
    ({"Resource": "arn:aws:s3:::papers/*"}, {}, True),
    ({"Resource": "arn:aws:s3:::papers"}, {}, False),
    ({"Resource": "arn:aws:s3:::PAPERS/*"}, {}, False),
    ({"Resource": "arn:aws:s3:::papers/raw/?.json"}, {}, True),
    ({"Resource": "arn:aws:s3:::papers/raw/?json"}, {}, False),
    ({"Resource": None, "NotResource": "arn:aws:s3:::secret/*"}, {}, True),
    ({"Resource": None, "NotResource": "arn:aws:s3:::papers/*"}, {}, False),
    ({"Resource": "arn:aws:s3:::papers/${aws:username}/*"}, {"aws:username": "raw"}, True),
    ({"Resource": "arn:aws:s3:::papers/${aws:username}/*"}, {"aws:username": "*"}, False),
    ({"Resource": "arn:aws:s3:::papers/${aws:username}/*"}, {}, False),
    ({"Resource": "arn:aws:s3:::papers/${aws:username, 'raw'}/*"}, {}, True),
    ({"Resource": "arn:aws:s3:::papers/raw/a.json${*}"}, {}, False),
]
# an operator, its key's wanted value, the values in the request (None: no such key), whether it holds
CONDITIONS: list[tuple[str, Any, Any, bool]] = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "a", None, False),
    ("StringEquals", "a*", "ab", False),
    ("StringEqualsIgnoreCase", "a", "A", True),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIfExists", "a", "b", False),
    ("StringNotEquals", "a", "b", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", "a", None, True),
    ("StringNotEqualsIgnoreCase", "a", "A", False),
    ("StringLike", "raw/*", "raw/a/b", True),
    ("StringLike", "[ab]", "a", False),
    ("StringNotLike", "raw/*", "other", True),
    ("ArnLike", "arn:aws:iam::*:role/*", ROLE, True),
    ("ArnEquals", "arn:aws:*", ROLE, False),
    ("ArnNotLike", "arn:aws:iam::*:role/*", ROLE, False),
    ("Bool", "false", "false", True),
    ("Bool", False, "false", True),
    ("Bool", "true", None, False),
    ("BoolIfExists", "true", None, True),
    ("NumericLessThanEquals", "10", "9", True),
    ("NumericLessThan", 10, "10", False),
    ("NumericNotEquals", "1", "2", True),
    ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-11-24T00:00:00Z", True),
    ("DateLessThan", "2026-01-01T00:00:00Z", "1767225599", True),
    ("IpAddress", "203.0.113.0/24", "203.0.113.10", True),
    ("IpAddress", "2001:db8::/32", "203.0.113.10", False),
    ("NotIpAddress", ["10.0.0.0/8", "203.0.113.0/24"], "203.0.113.10", False),
    ("Null", "true", None, True),
    ("Null", "true", "a", False),
    ("Null", "false", "a", True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["b", "c"], True),
    ("ForAnyValue:StringEquals", "a", [], False),
    ("ForAllValues:StringEquals", ["a", "b"], ["b", "a"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["b", "c"], False),
    ("ForAllValues:StringEquals", "a", None, True),
    ("ForAllValues:StringNotEquals", "a", ["b", "c"], True),
    ("ForAnyValue:StringNotEquals", "a", ["a", "c"], True),
]
ALLOW, DENY, OTHER = policy(), policy("Deny"), policy(Action="s3:PutObject")


def by(principal: Any, effect: str = "Allow") -> str:
    return policy(effect, Principal=principal)


# identity, boundary, session, resource policies → what is decided, and by which kind of policy
COMBINATIONS: dict[str, tuple[Policies, str, str]] = {
    "nothing": (Policies(), "implicit deny", "identity-based policy"),
    "identity": (Policies([ALLOW]), "allowed", "identity-based policy"),
    "a deny wins over any order": (Policies([DENY, ALLOW]), "explicit deny", "identity-based policy"),
    "boundary allows too": (Policies([ALLOW], boundary=ALLOW), "allowed", "identity-based policy"),
    "boundary alone grants nothing": (Policies([], boundary=ALLOW), "implicit deny", "identity-based policy"),
    "boundary limits": (Policies([ALLOW], boundary=OTHER), "implicit deny", "permissions boundary"),
    "boundary denies": (Policies([ALLOW], boundary=DENY), "explicit deny", "permissions boundary"),
    "session policy limits": (Policies([ALLOW], session=OTHER), "implicit deny", "session policy"),
    "resource names the session": (Policies(resource=[by({"AWS": SESSION})]), "allowed", "resource-based policy"),
    "session passes a boundary": (
        Policies(boundary=OTHER, resource=[by({"AWS": SESSION})]),
        "allowed",
        "resource-based policy",
    ),
    "resource names the role": (Policies(resource=[by({"AWS": [ROLE]})]), "allowed", "resource-based policy"),
    "role stays in its boundary": (
        Policies(boundary=OTHER, resource=[by({"AWS": ROLE})]),
        "implicit deny",
        "permissions boundary",
    ),
    "everybody": (Policies(resource=[by("*")]), "allowed", "resource-based policy"),
    "everybody on AWS": (Policies(resource=[by({"AWS": "*"})]), "allowed", "resource-based policy"),
    "the account leaves it to identity": (
        Policies(resource=[by({"AWS": "111122223333"})]),
        "implicit deny",
        "identity-based policy",
    ),
    "another role": (
        Policies(resource=[by({"AWS": ROLE + "2"})]),
        "implicit deny",
        "identity-based policy",
    ),
    "a service": (Policies(resource=[by({"Service": "s3.amazonaws.com"})]), "implicit deny", "identity-based policy"),
    "resource denies the account": (
        Policies([ALLOW], resource=[by({"AWS": ROOT}, "Deny")]),
        "explicit deny",
        "resource-based policy",
    ),
    "resource denies all but the role": (
        Policies([ALLOW], resource=[policy("Deny", NotPrincipal={"AWS": [ROLE]})]),
        "allowed",
        "identity-based policy",
    ),
}


@pytest.mark.parametrize(("parts", "keys", "allowed"), STATEMENTS)
def test_statement_applies_to_what_it_names(parts: dict[str, Any], keys: dict[str, Any], allowed: bool) -> None:
    assert evaluate([policy(**parts)], "s3:GetObject", KEY, Context(keys)).allowed == allowed


@pytest.mark.parametrize(("operator", "wanted", "actual", "holds"), CONDITIONS)
def test_condition_holds_as_documented(operator: str, wanted: Any, actual: Any, holds: bool) -> None:
    document = policy(Condition={operator: {"aws:SomeKey": wanted}})
    assert evaluate([document], "s3:GetObject", KEY, Context({"AWS:someKEY": actual})).allowed == holds


@pytest.mark.parametrize("name", COMBINATIONS)
def test_kinds_of_policies_combine_as_documented(name: str) -> None:
    policies, effect, kind = COMBINATIONS[name]
    decision = decide(policies, "s3:GetObject", KEY, Context({}), CALLER)
    assert (decision.effect, decision.kind) == (effect, kind)


def test_all_conditions_of_a_statement_have_to_hold() -> None:
    document = policy(Condition={"StringEquals": {"a": "1", "b": "2"}, "Bool": {"c": "true"}})
    request = {"a": "1", "b": "2", "c": "true"}
    assert evaluate([document], "s3:GetObject", KEY, Context(request)).allowed
    for missing in request:
        assert not evaluate([document], "s3:GetObject", KEY, Context({**request, missing: "other"})).allowed


def test_resource_policy_has_to_agree_where_the_service_says_so() -> None:
    silent = Policies([ALLOW], resource=[by({"AWS": ROLE + "2"})])
    delegating = Policies([ALLOW], resource=[by({"AWS": ROOT})])
    for policies, effect in ((silent, "implicit deny"), (delegating, "allowed")):
        decision = decide(policies, "s3:GetObject", KEY, Context({}), CALLER, resource_must_allow=True)
        assert decision.effect == effect


def test_variables_mean_nothing_in_old_policy_versions() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::papers/${aws:username}/*"}
    old = json.dumps({"Version": "2008-10-17", "Statement": statement})
    assert not evaluate([old], "s3:GetObject", KEY, Context({"aws:username": "raw"})).allowed


def test_unknown_operator_is_named() -> None:
    document = policy(Condition={"StringSounds": {"a": "b"}})
    with pytest.raises(ValueError, match="StringSounds does not exist"):
        evaluate([document], "s3:GetObject", KEY, Context({"a": "b"}))
