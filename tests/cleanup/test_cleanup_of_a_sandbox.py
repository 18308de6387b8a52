"""A cleanup of a sandbox, where what it deletes runs: every kind can be looked for, and processes go with their resources."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragonotebooks.cleanup.aws import account
from ragonotebooks.cleanup.engine import Patience, Row, clean
from ragonotebooks.sandbox.status import ask
from tests.sandbox.conftest import Sandbox, running_sandbox
from tests.sandbox.tasks import Deployment, deploy

TAGS = {"deployment": "tested", "managed-by": "ragonotebooks"}
BIG = [{"Key": key, "Value": value} for key, value in TAGS.items()]
SMALL = [{"key": key, "value": value} for key, value in TAGS.items()]


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with running_sandbox() as sandbox:
        yield deploy(sandbox, "cleaned")


def cleaned(deployment: Deployment) -> list[Row]:
    return list(clean(account(deployment.client), "tested", Patience(pause=0.5, limit=20)))


def make_cache(deployment: Deployment) -> None:
    api = deployment.client("elasticache")
    api.create_cache_subnet_group(
        CacheSubnetGroupName="tested",
        CacheSubnetGroupDescription="for the test",
        SubnetIds=[deployment.subnet],
        Tags=BIG,
    )
    api.create_cache_parameter_group(
        CacheParameterGroupName="tested", CacheParameterGroupFamily="valkey8", Description="for the test", Tags=BIG
    )
    api.create_replication_group(
        ReplicationGroupId="tested",
        ReplicationGroupDescription="for the test",
        Engine="valkey",
        CacheNodeType="cache.t4g.micro",
        CacheSubnetGroupName="tested",
        CacheParameterGroupName="tested",
        Tags=BIG,
    )
    api.get_waiter("replication_group_available").wait(ReplicationGroupId="tested")


def make_service(deployment: Deployment) -> None:
    deployment.client("ecs").tag_resource(resourceArn=cluster_arn(deployment), tags=SMALL)
    deployment.client("ecs").create_service(
        cluster="cleaned",
        serviceName="tested",
        taskDefinition=deployment.define("import time; time.sleep(600)"),
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": [deployment.subnet], "assignPublicIp": "ENABLED"},
        },
        tags=SMALL,
    )
    deployment.client("ecs").get_waiter("services_stable").wait(cluster="cleaned", services=["tested"])
    deployment.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/cleaned/tested",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=3,
        Tags=TAGS,
    )


def cluster_arn(deployment: Deployment) -> str:
    return str(deployment.client("ecs").describe_clusters(clusters=["cleaned"])["clusters"][0]["clusterArn"])


def processes(sandbox: Sandbox) -> list[Path]:
    return [Path(f"/proc/{server.pid}") for server in ask(sandbox.state).servers if server.pid]


def test_processes_go_with_what_they_stand_behind(deployment: Deployment) -> None:
    make_cache(deployment)
    make_service(deployment)
    deployment.client("cloudwatch").put_dashboard(DashboardName="tested", DashboardBody='{"widgets": []}', Tags=BIG)
    running = processes(deployment.sandbox)
    rows = cleaned(deployment)
    assert running
    assert [row for row in rows if row.action != "deleted"] == []
    assert {row.kind for row in rows} >= {
        "cache parameter group",
        "cache subnet group",
        "cluster",
        "dashboard",
        "replication group",
        "scaling target",
        "service",
    }
    assert not any(process.exists() for process in running)
    assert cleaned(deployment) == []
