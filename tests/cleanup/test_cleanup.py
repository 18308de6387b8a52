"""A cleanup removes what carries both tags of a deployment, and nothing else."""

from itertools import count

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.cleanup.aws import DATA, ORDER, account
from ragonotebooks.cleanup.engine import Patience, Row, clean, plan
from ragonotebooks.cleanup.kind import Clients
from tests.cleanup.conftest import Deployment

OURS = {"deployment": "tested", "managed-by": "ragonotebooks"}
# moto's lacks them, or their tags: they are in tests of their own
ELSEWHERE = {
    ("accessanalyzer", "analyzer"),
    ("application-autoscaling", "scaling target"),
    ("cloudwatch", "dashboard"),
    ("ecs", "task"),
    ("elasticache", "cache parameter group"),
    ("elasticache", "cache subnet group"),
    ("elasticache", "replication group"),
}


def cleaned(clients: Clients) -> list[Row]:
    return list(clean(account(clients), "tested", Patience(pause=0.05, limit=0.5)))


def planned(clients: Clients, deployment: str = "tested") -> list[Row]:
    return list(plan(account(clients), deployment))


def test_dry_run_names_every_kind_and_changes_nothing(clients: Clients) -> None:
    Deployment(clients, "ours", OURS).everything()
    first = planned(clients)
    assert {(row.service, row.kind) for row in first} | ELSEWHERE == {(kind.service, kind.name) for kind in ORDER}
    assert {row.action for row in first} == {"would delete"}
    assert planned(clients) == first


def test_everything_of_the_deployment_goes_and_the_second_run_finds_nothing(clients: Clients) -> None:
    Deployment(clients, "ours", OURS).everything()
    expected = {(row.kind, row.id) for row in planned(clients)}
    rows = cleaned(clients)
    assert [row for row in rows if row.action != "deleted"] == []
    assert {(row.kind, row.id) for row in rows} == expected
    assert planned(clients) == []
    assert cleaned(clients) == []


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param({}, id="no tags"),
        pytest.param({"deployment": "tested"}, id="only the deployment"),
        pytest.param({"managed-by": "ragonotebooks"}, id="only the manager"),
        pytest.param({"deployment": "tested", "managed-by": "terraform"}, id="another manager"),
        pytest.param({"deployment": "other", "managed-by": "ragonotebooks"}, id="another deployment"),
    ],
)
def test_what_lacks_one_of_the_tags_survives(clients: Clients, tags: dict[str, str]) -> None:
    Deployment(clients, "theirs", tags).everything()
    Deployment(clients, "ours", OURS).bucket()
    assert [(row.kind, row.id, row.action) for row in cleaned(clients)] == [("bucket", "ours", "deleted")]
    assert [bucket["Name"] for bucket in clients("s3").list_buckets()["Buckets"]] == ["theirs"]
    groups = clients("ec2").describe_security_groups()["SecurityGroups"]
    assert sum(bool(group["GroupName"].startswith("theirs") and group["IpPermissions"]) for group in groups) == 2
    assert clients("s3").list_object_versions(Bucket="theirs")["Versions"] != []
    assert clients("rds").describe_db_instances()["DBInstances"] != []


def test_tasks_in_a_cluster_of_the_deployment_are_stopped_before_it_goes(clients: Clients) -> None:
    Deployment(clients, "ours", OURS).compute()
    task = running_task(clients, "ours")
    rows = cleaned(clients)
    kinds = [row.kind for row in rows]
    assert task in [row.id for row in rows]
    assert {row.action for row in rows} == {"deleted"}
    assert kinds.index("task") < kinds.index("cluster")


def test_a_bucket_in_another_region_is_left_to_that_region(clients: Clients) -> None:
    s3 = clients("s3")
    s3.create_bucket(Bucket="abroad", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_tagging(Bucket="abroad", Tagging={"TagSet": Deployment(clients, "ours", OURS).tags})
    assert planned(clients) == []


def test_a_resource_that_something_foreign_needs_is_left_and_explained(clients: Clients) -> None:
    ours = Deployment(clients, "ours", OURS)
    ours.network()
    ec2 = clients("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "tag:deployment", "Values": ["tested"]}])["Vpcs"][0]["VpcId"]
    foreign = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"]
    left = [row for row in cleaned(clients) if row.action == "left"]
    assert [(row.kind, row.id) for row in left] == [("VPC", vpc)]
    assert left[0].why.startswith("DependencyViolation: ")
    assert ec2.describe_subnets(SubnetIds=[foreign])["Subnets"] != []

    ec2.delete_subnet(SubnetId=foreign)
    assert [row.action for row in cleaned(clients)] == ["deleted"]


def test_a_kind_that_may_not_be_listed_is_told_and_the_others_go(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    Deployment(clients, "ours", OURS).bucket()

    def denied(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not allowed to list"}}, "ListSecrets")

    monkeypatch.setattr(clients("secretsmanager"), "_make_api_call", denied)
    rows = cleaned(clients)
    assert [(row.kind, row.id, row.action) for row in rows] == [("bucket", "ours", "deleted"), ("secret", "*", "left")]
    assert rows[1].why == "these could not be looked for: AccessDenied: not allowed to list"


def test_what_is_protected_from_deletion_is_left_with_what_it_needs_and_the_rest_goes(clients: Clients) -> None:
    ours = Deployment(clients, "ours", OURS)
    ours.everything()
    ours.protect()
    would_stay = {(row.kind, row.why) for row in planned(clients) if row.action == "left"}
    rows = cleaned(clients)
    left = {row.kind: row.why for row in rows if row.action == "left"}
    assert {"database instance", "load balancer", "key"} == {kind for kind, _ in would_stay}
    assert would_stay <= set(left.items())
    assert "deletion protection is on" in left["database instance"]
    assert "deletion protection is on" in left["load balancer"]
    assert left["key"] == "what is protected may be encrypted with it"
    assert {"bucket", "secret", "service", "topic"} <= {row.kind for row in rows if row.action == "deleted"}


def test_a_tag_protects_a_resource(clients: Clients) -> None:
    Deployment(clients, "ours", {**OURS, "protected": "true"}).bucket()
    Deployment(clients, "ours-too", {**OURS, "protected": "false"}).bucket()
    told = {row.id: (row.action, row.why) for row in cleaned(clients)}
    assert told["ours"] == ("left", "it carries protected=true; take that off to have it deleted")
    assert told["ours-too"] == ("deleted", "")


class Killed(BaseException):
    """A run that was killed."""


@pytest.mark.parametrize("calls", [20, 40, 55])
def test_nothing_is_left_of_a_deployment_whose_making_was_killed(clients: Clients, calls: int) -> None:
    left = count(calls, -1)

    def die(**_: object) -> None:
        if next(left) == 0:
            raise Killed

    for kind in ORDER:
        if kind.service != "accessanalyzer":
            clients(kind.service).meta.events.register_first("before-call", die, unique_id="die")
    with pytest.raises(Killed):
        Deployment(clients, "ours", OURS).everything()
    rows = cleaned(clients)
    assert [row for row in rows if row.action != "deleted"] == []
    assert planned(clients) == []


def running_task(clients: Clients, cluster: str) -> str:
    subnet = clients("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}}
    answer = clients("ecs").run_task(
        cluster=cluster, taskDefinition=cluster, launchType="FARGATE", networkConfiguration=network
    )
    return str(answer["tasks"][0]["taskArn"])


def test_what_holds_data_is_kept_when_asked_and_the_rest_goes(clients: Clients) -> None:
    Deployment(clients, "ours", OURS).everything()
    holding = {kind.name for kind in DATA}
    assert {row.kind for row in plan(account(clients), "tested", DATA) if row.action == "kept"} == holding
    rows = list(clean(account(clients), "tested", Patience(pause=0.05, limit=0.5), DATA))
    assert {row.action for row in rows} == {"deleted", "kept"}
    assert {row.kind for row in planned(clients)} == holding
