"""`ragonotebooks sweep` in an account, and in a project, that two people share. One sandbox serves both clouds."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from ragonotebooks.cleanup import aws, gcp
from ragonotebooks.cleanup.aws import access as aws_access
from ragonotebooks.cleanup.aws import data as aws_data
from ragonotebooks.cleanup.aws import network, observation
from ragonotebooks.cleanup.gcp import access as gcp_access
from ragonotebooks.cleanup.gcp import data as gcp_data
from ragonotebooks.cli import app
from tests.cleanup.gcp_deployment import PROJECT, REGION, Deployment, enable
from tests.sandbox.conftest import Sandbox, running_sandbox
from tests.sandbox.gcp.conftest import environment_of

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder that knows nothing of the deployments, and the environment of before afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    # the kinds that are made here: to look for the others loads their services for nothing
    monkeypatch.setattr(aws, "ORDER", (observation.TOPICS, aws_data.BUCKETS, aws_access.ROLES, network.VPCS))
    monkeypatch.setattr(gcp, "ORDER", (gcp_data.BUCKETS, gcp_data.SECRETS, gcp_access.BINDINGS, gcp_access.ACCOUNTS))
    with mock.patch.dict(os.environ):
        os.environ["COLUMNS"] = "200"
        yield


@pytest.fixture(scope="module")
def ann(sandbox: Sandbox) -> Callable[[str], Any]:
    """Clients of somebody who is not the operator."""
    iam = sandbox.client("iam")
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    return Sandbox(replace(sandbox.state, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])).client


def tags(deployment: str, **more: str) -> list[dict[str, str]]:
    wanted = {"deployment": deployment, "managed-by": "ragonotebooks", **more}
    return [{"Key": key, "Value": value} for key, value in wanted.items()]


def make_bucket(client: Callable[[str], Any], name: str, marks: list[dict[str, str]]) -> None:
    client("s3").create_bucket(Bucket=name)
    client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": marks})


def make_role(sandbox: Sandbox, name: str) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    sandbox.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document, Tags=tags(name))


def sweep(sandbox: Sandbox, *words: str) -> Result:
    return CliRunner().invoke(app, ["sweep", "--name", sandbox.state.name, *words], catch_exceptions=False)


def lines(result: Result) -> dict[str, str]:
    """What the table says of each deployment, but for its age."""
    rows = [re.split(r" +\d+ m +", line, maxsplit=1) for line in result.output.splitlines()]
    told = [[*row[0].split(), *row[1].split()] for row in rows if len(row) == 2]
    return {name: " ".join(rest) for name, *rest in told}


def buckets(sandbox: Sandbox) -> set[str]:
    return {bucket["Name"] for bucket in sandbox.client("s3").list_buckets()["Buckets"]}


def test_on_aws_what_is_old_and_ones_own_goes_and_the_rest_stays(sandbox: Sandbox, ann: Callable[[str], Any]) -> None:
    make_bucket(ann, "lab-of-ann", tags("ann-lab"))
    sandbox.client("sns").create_topic(Name="ann-lab", Tags=tags("ann-lab"))
    make_bucket(sandbox.client, "lab-of-bob", tags("bob-lab"))
    make_bucket(ann, "kept-by-ann", tags("ann-keeps", protected="true"))
    make_bucket(ann, "foreign", [{"Key": "deployment", "Value": "ann-lab"}])
    make_role(sandbox, "far")  # of a deployment in another region
    marks = [{"ResourceType": "vpc", "Tags": tags("half-made")}]
    ann("ec2").create_vpc(CidrBlock="10.7.0.0/16", TagSpecifications=marks)  # it has no date of its own

    young = sweep(sandbox, "--older-than", "1d", "--yes")
    assert lines(young) == {
        "ann-keeps": "ann 1 bucket kept-by-ann: it carries protected=true; take that off to have it deleted",
        "ann-lab": "ann 2 it is not that old",
        "bob-lab": "operator 1 it is not that old",
        "far": "operator 1 nothing of it is in this region but what all regions share",
        "half-made": "ann 1 it is not that old",
    }
    assert (young.exit_code, "0 of 5 deleted" in young.output) == (0, True)

    dry = sweep(sandbox, "--older-than", "0m", "--owner", "ann")
    assert lines(dry)["ann-lab"] == "ann 2 goes"
    assert lines(dry)["bob-lab"] == "operator 1 somebody else brought it up"
    assert "2 of 5 to delete; do it with --yes" in dry.output
    assert buckets(sandbox) == {"lab-of-ann", "lab-of-bob", "kept-by-ann", "foreign"}

    done = sweep(sandbox, "--older-than", "0m", "--owner", "ann", "--yes")
    assert done.exit_code == 0
    assert "lab-of-ann: deleted" in done.output
    assert buckets(sandbox) == {"lab-of-bob", "kept-by-ann", "foreign"}
    assert [vpc["IsDefault"] for vpc in sandbox.client("ec2").describe_vpcs()["Vpcs"]] == [True]
    assert sandbox.client("sns").list_topics()["Topics"] == []
    assert [role["RoleName"] for role in sandbox.client("iam").list_roles()["Roles"]] == ["far"]


def test_nothing_goes_as_long_as_something_cannot_be_looked_for(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(client: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not allowed to list"}}, "ListTopics")

    make_bucket(sandbox.client, "seen", tags("seen"))
    monkeypatch.setattr(aws, "ORDER", (aws_data.BUCKETS, replace(observation.TOPICS, find=denied)))
    told = sweep(sandbox, "--older-than", "0m", "--yes")
    assert told.exit_code == 1
    assert lines(told)["seen"] == "operator 1 not everything could be looked for"
    assert "these could not be looked for: AccessDenied: not allowed to list" in told.output
    assert "seen" in buckets(sandbox)


def test_on_google_cloud_the_audit_log_tells_whose_it_is(sandbox: Sandbox) -> None:
    with environment_of(sandbox):
        project = gcp.account(PROJECT, REGION)
        enable(project)
        for name, more in (("gone", {}), ("kept", {"protected": "true"})):
            made = Deployment(project, name, {"deployment": name, "managed-by": "ragonotebooks", **more})
            made.access()
            body = {"name": f"{name}-here", "location": REGION, "labels": made.labels}
            project.clients("storage").call("POST", "storage/v1/b", body, project=PROJECT)
    done = sweep(sandbox, "--cloud", "gcp", "--older-than", "0m", "--owner", "operator@ragonometrics.example", "--yes")
    told = lines(done)
    assert told["gone"] == "operator@ragonometrics.example 4 goes"
    assert told["kept"].startswith("operator@ragonometrics.example 4 ")
    assert told["kept"].endswith("it carries protected=true; take that off to have it deleted")
    assert "1 of 2 deleted" in done.output
    with environment_of(sandbox):
        left = [one["name"] for one in project.clients("storage").each("storage/v1/b", "items", project=PROJECT)]
    assert left == ["kept-here"]
