"""A cleanup of Google Cloud removes what carries a deployment's labels, or says in its description whose it is.

One sandbox serves all tests: each has deployments of its own.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from ragonotebooks.cleanup.engine import Patience, Row, clean, plan
from ragonotebooks.cleanup.gcp import DATA, ORDER, account
from ragonotebooks.cleanup.gcp.rest import Api
from ragonotebooks.cleanup.kind import Account
from tests.cleanup.gcp_deployment import PROJECT, REGION, Deployment, enable
from tests.sandbox.conftest import running_sandbox
from tests.sandbox.gcp.conftest import environment_of

# no sandbox plays them yet
ELSEWHERE = {
    ("logging", "log bucket"),
}
PATIENCE = Patience(pause=0.1, limit=0.5)


@pytest.fixture(scope="module")
def project() -> Iterator[Account]:
    """A project with its APIs enabled; this process is in its environment."""
    with running_sandbox() as sandbox, environment_of(sandbox):
        where = account(PROJECT, REGION)
        enable(where)
        yield where


def labels(deployment: str) -> dict[str, str]:
    return {"deployment": deployment, "managed-by": "ragonotebooks"}


def made(project: Account, name: str, net: int = 20) -> Deployment:
    return Deployment(project, name, labels(name), net)


def planned(project: Account, name: str) -> list[Row]:
    return list(plan(project, name))


def cleaned(project: Account, name: str) -> list[Row]:
    return list(clean(project, name, PATIENCE))


@pytest.fixture(scope="module")
def whole(project: Account) -> Deployment:
    """A deployment of everything."""
    deployment = made(project, "whole")
    deployment.everything()
    return deployment


@pytest.fixture(scope="module")
def theirs(project: Account) -> Deployment:
    """Networks, accounts, buckets and secrets of another deployment."""
    another = made(project, "other", 30)
    another.network()
    another.bucket()
    another.access()
    return another


def test_dry_run_names_every_kind_and_changes_nothing(project: Account, whole: Deployment) -> None:
    first = planned(project, "whole")
    assert {(row.service, row.kind) for row in first} | ELSEWHERE == {(kind.service, kind.name) for kind in ORDER}
    assert {row.action for row in first} == {"would delete"}
    assert planned(project, "whole") == first


def test_what_holds_data_is_kept_when_asked(project: Account, whole: Deployment) -> None:
    rows = [row for row in plan(project, "whole", DATA) if row.action == "kept"]
    assert [(row.kind, row.id) for row in rows] == [("bucket", "whole-artifacts")]


def test_everything_of_the_deployment_goes_and_the_second_run_finds_nothing(
    project: Account, whole: Deployment, theirs: Deployment
) -> None:
    before = planned(project, "other")
    expected = {(row.kind, row.id) for row in planned(project, "whole")}
    rows = cleaned(project, "whole")
    assert [row for row in rows if row.action != "deleted"] == []
    assert {(row.kind, row.id) for row in rows} == expected
    assert cleaned(project, "whole") == []
    assert planned(project, "other") == before != []


def test_what_only_one_of_name_and_description_claims_survives(project: Account) -> None:
    Deployment(project, "claimed-by-name", {"deployment": "claimed"}, 40).network()
    Deployment(project, "by-description", labels("claimed"), 41).network()
    Deployment(project, "claimed-too", {**labels("claimed"), "managed-by": "terraform"}, 42).access()
    assert planned(project, "claimed") == []


def test_a_binding_of_the_project_goes_with_its_account_and_others_stay(project: Account) -> None:
    ours, another = made(project, "bound"), made(project, "unbound")
    for deployment in (ours, another):
        deployment.access()
    ours.bind("roles/logging.viewer", another.email)
    cleaned(project, "bound")
    policy = project.clients("cloudresourcemanager").call("POST", "v3/{project}:getIamPolicy", {})
    members = [member for binding in policy["bindings"] for member in binding["members"]]
    assert f"serviceAccount:{ours.email}" not in members
    assert f"serviceAccount:{another.email}" in members
    assert "user:operator@ragonometrics.example" in members


def test_a_network_with_a_foreign_subnet_is_left_and_explained(project: Account) -> None:
    ours = made(project, "shared", 50)
    ours.network()
    foreign = {"name": "of-somebody-else", "ipCidrRange": "10.50.9.0/24", "network": "global/networks/shared"}
    ours.make("compute", f"compute/v1/{{project}}/regions/{REGION}/subnetworks", foreign)
    left = [row for row in cleaned(project, "shared") if row.action == "left"]
    assert [(row.kind, row.id) for row in left] == [("network", "global/networks/shared")]
    assert "of-somebody-else" in left[0].why

    project.clients("compute").start("DELETE", f"compute/v1/{{project}}/regions/{REGION}/subnetworks/of-somebody-else")
    assert [row.action for row in cleaned(project, "shared")] == ["deleted"]


def test_a_protected_database_is_left_with_what_it_stands_on_and_the_rest_goes(project: Account) -> None:
    guarded = made(project, "guarded", 60)
    guarded.network()
    guarded.private_services()
    guarded.database(deletionProtectionEnabled=True)
    guarded.bucket()
    rows = cleaned(project, "guarded")
    left = {row.kind: row.why for row in rows if row.action == "left"}
    assert set(left) == {"database instance", "private services access", "global address", "network"}
    assert "deletion protection is on" in left["database instance"]
    assert ("bucket", "deleted") in [(row.kind, row.action) for row in rows]


def test_a_kind_that_may_not_be_listed_is_told_and_the_others_go(project: Account) -> None:
    made(project, "half").bucket()
    clients = {"secretmanager": replace(project.clients("secretmanager"), project="of-somebody-else")}
    partly = replace(project, clients=lambda service: clients.get(service) or project.clients(service))
    bucket, secret = clean(partly, "half", PATIENCE)
    assert (bucket.kind, bucket.action) == ("bucket", "deleted")
    assert (secret.kind, secret.id, secret.action) == ("secret", "*", "left")
    assert secret.why.startswith("these could not be looked for: PERMISSION_DENIED: ")


class Killed(BaseException):
    """A run that was killed."""


def test_nothing_is_left_of_a_deployment_whose_making_was_killed(
    project: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, call = count(16, -1), Api.call

    def dying(*arguments: Any, **query: Any) -> Any:
        if next(left) == 0:
            raise Killed
        return call(*arguments, **query)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Api, "call", dying)
        with pytest.raises(Killed):
            made(project, "killed", 70).everything()
    assert {row.action for row in cleaned(project, "killed")} == {"deleted"}
    assert planned(project, "killed") == []


def test_a_label_protects_a_resource(project: Account) -> None:
    Deployment(project, "guarded-by-label", {**labels("guarded-by-label"), "protected": "true"}).bucket()
    [row] = cleaned(project, "guarded-by-label")
    assert (row.action, row.why) == ("left", "it carries protected=true; take that off to have it deleted")
