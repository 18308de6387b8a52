"""Conditions of IAM bindings: they hold, and what the sandbox does not understand is refused."""

import pytest
from google.iam.v1 import policy_pb2

from ragonotebooks.sandbox.gcp import conditions
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.gcp.policies import Policies

HOST = "storage.googleapis.com"
BUCKET = "projects/_/buckets/papers"
CORPUS = f'resource.name.startsWith("{BUCKET}/objects/corpus/")'
JOB = Caller("job@p.iam.gserviceaccount.com", "serviceAccount")


def binding(role: str, expression: str = "") -> dict[str, object]:
    bound: dict[str, object] = {"role": role, "members": [JOB.member]}
    return {**bound, "condition": {"title": "one", "expression": expression}} if expression else bound


def policies(*bindings: dict[str, object], version: int = 3, host: str = HOST, name: str = BUCKET) -> Policies:
    made = Policies("projects/p", lambda role: None)
    made.set(host, name, policy_pb2.Policy(version=version, bindings=bindings))
    return made


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        (f'resource.name == "{BUCKET}/objects/corpus/a"', True),
        ("resource.name.startsWith('projects/_/buckets/papers/objects/corpus/')", True),
        ('resource.name.endsWith("/b") || resource.name.endsWith("/a")', True),
        ('resource.type == "storage.googleapis.com/Object" && resource.name.endsWith("/b")', False),
        ('!(resource.type != "storage.googleapis.com/Object") && !resource.name.endsWith("&& !")', True),
        ('request.time < timestamp("2020-01-01T00:00:00Z")', False),
        ('request.time >= timestamp("2020-01-01T00:00:00Z")', True),
        ("true", True),
    ],
)
def test_a_condition_holds_as_it_reads(expression: str, holds: bool) -> None:
    conditions.check(expression)
    assert conditions.holds(expression, HOST, f"{BUCKET}/objects/corpus/a") is holds


@pytest.mark.parametrize(
    ("expression", "status", "problem"),
    [
        ("resource.name.startsWith(", "INVALID_ARGUMENT", "is no expression"),
        ('resource.name < timestamp("2020-01-01T00:00:00Z")', "INVALID_ARGUMENT", "compares"),
        ('timestamp("soon") < request.time', "INVALID_ARGUMENT", "no RFC 3339 time"),
        ('resource.matchTag("env", "prod")', "UNIMPLEMENTED", "resource.matchTag"),
        ('true || request.host == "example.com"', "UNIMPLEMENTED", "request.host"),
        ('__import__("os").getcwd()', "UNIMPLEMENTED", "__import__"),
    ],
)
def test_a_condition_that_is_wrong_or_unknown_is_refused(expression: str, status: str, problem: str) -> None:
    with pytest.raises(ApiError, match=problem) as refusal:
        policies(binding("roles/storage.objectUser", expression))
    assert refusal.value.code == status


def test_a_role_under_a_condition_permits_where_the_condition_holds() -> None:
    made = policies(
        binding("roles/storage.objectUser", CORPUS),
        binding("roles/storage.objectUser", f'resource.name.startsWith("{BUCKET}/objects/runs/")'),
    )
    allowed = [
        key
        for key in ("corpus/a", "runs/a", "index/a")
        if made.allows(JOB, "storage.objects.delete", HOST, f"{BUCKET}/objects/{key}")
    ]
    assert allowed == ["corpus/a", "runs/a"]
    assert not made.allows(JOB, "storage.objects.list", HOST, BUCKET)
    assert len(made.get(HOST, BUCKET).bindings) == 2


def test_a_policy_with_conditions_has_version_3() -> None:
    with pytest.raises(ApiError, match="has the version 3, this one has 1"):
        policies(binding("roles/storage.objectUser", CORPUS), version=1)


def test_conditions_on_other_services_and_of_basic_roles_are_refused() -> None:
    with pytest.raises(ApiError, match=r"on a resource of secretmanager\.googleapis\.com is not supported"):
        policies(binding("roles/secretmanager.admin", CORPUS), host="secretmanager.googleapis.com")
    with pytest.raises(ApiError, match="basic role roles/editor"):
        policies(binding("roles/editor", CORPUS))
