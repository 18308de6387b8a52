"""Task definitions and images, and what ECS refuses."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Sandbox
from tests.sandbox.tasks import SLEEP, Deployment, deploy, push


@pytest.fixture(scope="module")
def fargate(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "fargate-requests")


class TestDefinitions:
    def test_a_revision_that_is_deregistered_cannot_run(self, fargate: Deployment) -> None:
        ecs = fargate.client("ecs")
        first, second = fargate.define("pass"), fargate.define("pass")
        ecs.deregister_task_definition(taskDefinition=second)
        latest = ecs.describe_task_definition(taskDefinition=fargate.name)["taskDefinition"]
        assert latest["taskDefinitionArn"] == first
        assert second not in ecs.list_task_definitions(familyPrefix=fargate.name)["taskDefinitionArns"]
        with pytest.raises(ClientError, match="TaskDefinition is inactive"):
            fargate.start(second)

    def test_sizes_may_have_units(self, fargate: Deployment) -> None:
        arn = fargate.define("pass", task={"cpu": ".5 vCPU", "memory": "1 GB"})
        described = fargate.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        assert (described["cpu"], described["memory"]) == ("512", "1024")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"cpu": ""}, "Fargate requires that 'cpu' be defined at the task level"),
            ({"memory": "513"}, "No Fargate configuration exists for given values"),
            ({"cpu": "much"}, "Invalid 'cpu' setting for task"),
            ({"executionRoleArn": ""}, "to have execution role ARN to support ECR images"),
            ({"volumes": [{"name": "v"}]}, "volumes .* is not supported by the sandbox"),
        ],
    )
    def test_what_fargate_does_not_accept(self, fargate: Deployment, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ClientError, match=message):
            fargate.define("pass", task=change)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"essential": False}, "at least one essential container"),
            (
                {"dependsOn": [{"containerName": "job", "condition": "START"}]},
                "dependsOn .* is not supported by the sandbox",
            ),
            ({"healthCheck": {"command": ["true"]}}, "must begin with CMD or CMD-SHELL"),
            ({"healthCheck": {"command": ["CMD", "true"], "interval": 1}}, "interval must be between 5 and 300, not 1"),
            (
                {"portMappings": [{"containerPort": 8000, "hostPort": 80}]},
                "host ports and container ports .* must match",
            ),
            ({"portMappings": [{"containerPort": 0}]}, "0 is not between 1 and 65535"),
            (
                {"portMappings": [{"containerPort": 80, "name": "Web"}]},
                "The name of port 80 may have lowercase letters",
            ),
            (
                {"portMappings": [{"containerPort": 80}, {"containerPort": 80}]},
                "The container port 80/tcp is mapped twice",
            ),
            ({"logConfiguration": {"logDriver": "splunk"}}, "The log driver splunk is not supported"),
            ({"logConfiguration": {"logDriver": "awslogs", "options": {}}}, "Log driver awslogs requires options"),
        ],
    )
    def test_what_a_container_may_not_be(self, fargate: Deployment, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ClientError, match=message):
            fargate.define("pass", **change)


class TestRequests:
    @pytest.mark.parametrize(
        ("network", "message"),
        [
            ({"subnets": ["subnet-0"]}, "The subnet ID 'subnet-0' does not exist"),
            ({"securityGroups": ["sg-0"]}, "The security group 'sg-0' does not exist"),
        ],
    )
    def test_a_network_that_is_not_there(self, fargate: Deployment, network: dict[str, Any], message: str) -> None:
        with pytest.raises(ClientError, match=message):
            fargate.start(fargate.define("pass"), network)

    def test_a_role_that_does_not_trust_tasks(self, fargate: Deployment) -> None:
        document = {"Version": "2012-10-17", "Statement": []}
        iam = fargate.client("iam")
        role = iam.create_role(RoleName="closed", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        with pytest.raises(ClientError, match="ECS was unable to assume the role"):
            fargate.start(fargate.define("pass", task={"taskRoleArn": role}))

    def test_an_override_of_no_container(self, fargate: Deployment) -> None:
        with pytest.raises(ClientError, match="is not a container in the TaskDefinition"):
            fargate.start(fargate.define("pass"), overrides={"containerOverrides": [{"name": "other"}]})

    def test_what_the_sandbox_lacks_is_refused_by_name(self, fargate: Deployment) -> None:
        with pytest.raises(ClientError, match="ecs:ExecuteCommand is not supported by the sandbox"):
            fargate.client("ecs").execute_command(cluster=fargate.name, task="0" * 32, command="sh", interactive=True)

    def test_instances_are_refused(self, fargate: Deployment) -> None:
        with pytest.raises(ClientError, match="No Container Instances were found in your cluster"):
            fargate.client("ecs").run_task(cluster=fargate.name, taskDefinition=fargate.define("pass"))

    def test_a_cluster_is_not_deleted_under_its_tasks(self, fargate: Deployment) -> None:
        arn = fargate.start(fargate.define(SLEEP, stopTimeout=2))
        with pytest.raises(ClientError, match="cannot be deleted while Tasks are active"):
            fargate.client("ecs").delete_cluster(cluster=fargate.name)
        fargate.client("ecs").stop_task(cluster=fargate.name, task=arn)
        fargate.finished(arn)


def test_an_image_may_be_named_by_its_digest(fargate: Deployment) -> None:
    image = fargate.image.replace(":1", f"@{fargate.digest}")
    task, log = fargate.run(image=image)
    assert (task["containers"][0]["imageDigest"], log) == (fargate.digest, ["the job of the image"])


def test_a_task_can_be_tagged_later(fargate: Deployment) -> None:
    task, _ = fargate.run("pass")
    ecs = fargate.client("ecs")
    ecs.tag_resource(resourceArn=task["taskArn"], tags=[{"key": "deployment", "value": "papers"}])
    assert ecs.list_tags_for_resource(resourceArn=task["taskArn"])["tags"] == [{"key": "deployment", "value": "papers"}]


def test_a_pushed_tag_is_pulled_anew(fargate: Deployment) -> None:
    fargate.client("ecr").create_repository(repositoryName="moving")
    image = fargate.image.replace(f"/{fargate.name}:1", "/moving:latest")
    push(fargate.sandbox, "moving", {"job.py": b"print('old')\n"}, "latest")
    assert fargate.run(image=image)[1] == ["old"]
    push(fargate.sandbox, "moving", {"job.py": b"print('new')\n"}, "latest")
    assert fargate.run(image=image)[1] == ["new"]
