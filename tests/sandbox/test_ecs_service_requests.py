"""What ECS refuses of services, and what it tells of them and to whom."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ragonotebooks.sandbox import status
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.services import Make, fleets, shim
from tests.sandbox.tasks import Deployment, deploy


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "service-requests")


@pytest.fixture
def fleet(cluster: Deployment) -> Iterator[Make]:
    with fleets(cluster) as make:
        yield make


class TestRequests:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"schedulingStrategy": "DAEMON"}, "DAEMON is not supported by the sandbox"),
            ({"deploymentController": {"type": "EXTERNAL"}}, "is not supported by the sandbox"),
            ({"enableExecuteCommand": True}, "enableExecuteCommand .* is not supported by the sandbox"),
            ({"serviceRegistries": [{"registryArn": "arn"}]}, "serviceRegistries .* is not supported by the sandbox"),
            ({"healthCheckGracePeriodSeconds": 5}, "only valid for services configured to use load balancers"),
            ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "BLUE_GREEN is not supported by the sandbox"),
            ({"deploymentConfiguration": {"maximumPercent": 100}}, "no task could ever be replaced"),
            ({"deploymentConfiguration": {"minimumHealthyPercent": 101}}, "must be between 0 and 100"),
            ({"loadBalancers": [{"targetGroupArn": "arn", "containerPort": 1}]}, "target group does not exist: arn"),
            (
                {"serviceConnectConfiguration": {"enabled": True, "namespace": "nowhere"}},
                "The specified namespace nowhere was not found",
            ),
        ],
    )
    def test_what_is_refused(self, fleet: Make, change: dict[str, Any], message: str) -> None:
        api = fleet("refused")
        with pytest.raises(ClientError, match=message):
            api.create(api.define(), **change)

    def test_a_name_is_taken_once(self, fleet: Make) -> None:
        api = fleet("twice")
        api.create(api.define(), count=0)
        with pytest.raises(ClientError, match="Creation of service was not idempotent"):
            api.create(api.define(), count=0)

    def test_a_service_that_is_not_there(self, fleet: Make, cluster: Deployment) -> None:
        api = fleet("absent")
        with pytest.raises(ClientError, match="ServiceNotFoundException"):
            api.update(desiredCount=1)
        answer = api.ecs.describe_services(cluster=cluster.name, services=["absent"])
        assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


def test_tags_reach_the_tasks(fleet: Make, cluster: Deployment) -> None:
    api = fleet("tags")
    tags = [{"key": "deployment", "value": "papers"}]
    api.create(api.define(), count=1, tags=tags, propagateTags="SERVICE", enableECSManagedTags=True).stable()
    [task] = api.tasks()
    found = api.ecs.list_tags_for_resource(resourceArn=task["taskArn"])["tags"]
    managed = {"aws:ecs:clusterName": cluster.name, "aws:ecs:serviceName": "tags"}
    assert {tag["key"]: tag["value"] for tag in found} == {"deployment": "papers", **managed}


def test_what_happens_reaches_eventbridge(fleet: Make, cluster: Deployment) -> None:
    api = fleet("told")
    sqs, events = cluster.client("sqs"), cluster.client("events")
    queue = sqs.create_queue(QueueName="ecs-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    may = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(may)})
    events.put_rule(Name="ecs", EventPattern=json.dumps({"source": ["aws.ecs"]}))
    events.put_targets(Rule="ecs", Targets=[{"Id": "queue", "Arn": arn}])
    service = api.create(api.define(), count=1).stable()
    [task] = api.tasks()
    api.delete()
    told: list[dict[str, Any]] = []

    def stopped() -> bool:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        told.extend(json.loads(message["Body"]) for message in found)
        return any(one["detail"].get("lastStatus") == "STOPPED" for one in told)

    eventually(stopped)
    events.remove_targets(Rule="ecs", Ids=["queue"])
    events.delete_rule(Name="ecs")
    own = [one for one in told if task["taskArn"] in one["resources"] or service["serviceArn"] in one["resources"]]
    names = [one["detail"].get("eventName") or one["detail"]["lastStatus"] for one in own]
    assert {"SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"} <= set(names)
    assert {"PENDING", "RUNNING", "STOPPED"} <= set(names)
    last = next(one["detail"] for one in own if one["detail"].get("lastStatus") == "STOPPED")
    assert (last["group"], last["stopCode"]) == ("service:told", "ServiceSchedulerInitiated")
    assert [container["exitCode"] for container in last["containers"]] == [0]


def test_status_lists_tasks_where_they_listen(fleet: Make, sandbox: Sandbox) -> None:
    api = fleet("shown")
    api.create(api.define(), count=1).stable()
    [task] = api.tasks()
    found = next(
        one for one in status.ask(sandbox.state).servers if one.id.endswith(task["taskArn"].rpartition("/")[2])
    )
    assert (found.service, found.status, found.port, found.pid) == ("ecs", "RUNNING", 8000, shim(task))
    assert found.id.startswith("shown/")


def test_a_role_that_deploys_needs_its_service_and_the_roles_that_it_passes(fleet: Make, cluster: Deployment) -> None:
    api, other = fleet("own"), fleet("foreign")
    definition = api.define()
    services = {one.name: one.create(definition, count=0).now()["serviceArn"] for one in (api, other)}
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    update = {"Effect": "Allow", "Action": "ecs:UpdateService", "Resource": services["own"]}
    iam = cluster.client("iam")
    role = iam.create_role(RoleName="deploys", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="deploys", PolicyName="only", PolicyDocument=policy(update))
    key = cluster.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    ecs = boto3.client(
        "ecs",
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
        verify=cluster.sandbox.bundle,
        config=Config(proxies={"https": cluster.sandbox.proxy}),
    )
    ecs.update_service(cluster=cluster.name, service="own", desiredCount=0)
    with pytest.raises(ClientError, match=f"ecs:UpdateService on resource: {services['foreign']}"):
        ecs.update_service(cluster=cluster.name, service="foreign", desiredCount=0)
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {cluster.execution_role}"):
        ecs.update_service(cluster=cluster.name, service="own", taskDefinition=definition)


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
