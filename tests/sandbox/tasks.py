"""A small deployment for tests of tasks: a network, roles, an image whose job does what its command says, and a cluster."""

import json
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any

import requests

from ragonotebooks.images import Image, Registry, append, layer_of_files
from ragonotebooks.sandbox.watcher import descendants
from tests.sandbox.conftest import Sandbox, eventually

PULL = ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
SLEEP = "import time; print('up', flush=True); time.sleep(600)"
LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]
_TRUST = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}


@dataclass(frozen=True)
class Deployment:
    """What tasks need.

    Attributes:
        name: Of everything.
        image: The image's name, with its tag.
        digest: Its digest.
        vpc: A VPC without any route to the outside.
        subnet: Its only subnet.
        execution_role: May pull, log and read secrets.
    """

    sandbox: Sandbox
    name: str
    image: str
    digest: str
    vpc: str
    subnet: str
    execution_role: str

    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A boto3 client of the operator; making one takes longer than running a task."""
        if service not in self.clients:
            self.clients[service] = self.sandbox.client(service)
        return self.clients[service]

    def define(self, *command: str, task: dict[str, Any] | None = None, **container: Any) -> str:
        """Register a task definition whose job runs `command` as Python code, and return its ARN."""
        options = {"awslogs-group": self.name, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "job"}
        described = {
            "name": "job",
            "image": self.image,
            "command": ["-c", *command] if command else ["-m", "job"],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **container,
        }
        settings = {"executionRoleArn": self.execution_role, "cpu": "256", "memory": "512", **(task or {})}
        settings.setdefault("containerDefinitions", [described])
        registered = self.client("ecs").register_task_definition(
            family=self.name, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", **settings
        )
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    def start(self, definition: str, network: dict[str, Any] | None = None, **more: Any) -> str:
        """Run a task where it reaches everything unless told otherwise, and return its ARN."""
        place = {"subnets": [self.subnet], "assignPublicIp": "ENABLED", **(network or {})}
        answer = self.client("ecs").run_task(
            cluster=self.name,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": place},
            **more,
        )
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        """The task as it is now."""
        described: dict[str, Any] = self.client("ecs").describe_tasks(cluster=self.name, tasks=[arn])["tasks"][0]
        return described

    def finished(self, arn: str) -> dict[str, Any]:
        """The task when it has stopped."""
        self.client("ecs").get_waiter("tasks_stopped").wait(cluster=self.name, tasks=[arn])
        return self.task(arn)

    def run(self, *command: str, **container: Any) -> tuple[dict[str, Any], list[str]]:
        """Define and run a task to its end; return it, and the lines of its log."""
        task = self.finished(self.start(self.define(*command, **container)))
        return task, self.log(task["taskArn"])

    def log(self, arn: str, container: str = "job") -> list[str]:
        """The lines that a container of a task wrote."""
        stream = f"job/{container}/{arn.rpartition('/')[2]}"
        pages = self.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=self.name, logStreamNames=[stream])
        return [event["message"] for page in found for event in page["events"]]


def deploy(sandbox: Sandbox, name: str) -> Deployment:
    """Make a deployment whose subnet has a route to an internet gateway."""
    vpc, subnet = make_network(sandbox)
    open_to_the_internet(sandbox, vpc)
    sandbox.client("logs").create_log_group(logGroupName=name)
    sandbox.client("ecs").create_cluster(clusterName=name)
    role = make_role(sandbox, f"{name}-execution", [*PULL, *LOG, "secretsmanager:GetSecretValue", "ssm:GetParameters"])
    repository = sandbox.client("ecr").create_repository(repositoryName=name)["repository"]["repositoryUri"]
    digest = push(sandbox, name, {"job.py": b"print('the job of the image')\n"}, "1")
    return Deployment(sandbox, name, f"{repository}:1", digest, vpc, subnet, role)


def running(fargate: Deployment, arn: str) -> dict[str, Any]:
    eventually(lambda: fargate.task(arn)["lastStatus"] == "RUNNING" and fargate.log(arn))
    return fargate.task(arn)


def programs(fargate: Deployment, arn: str) -> list[int]:
    """The processes of a task below its shim; the runtime's id ends with the shim's."""
    shim = int(fargate.task(arn)["containers"][0]["runtimeId"].rpartition("-")[2])
    return descendants(shim)


def make_network(sandbox: Sandbox) -> tuple[str, str]:
    """Make a VPC with one subnet and no way out; return their ids."""
    ec2 = sandbox.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    return vpc, ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]


def main_route_table(sandbox: Sandbox, vpc: str) -> str:
    """The id of a VPC's main route table."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    return str(sandbox.client("ec2").describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"])


def open_to_the_internet(sandbox: Sandbox, vpc: str) -> None:
    """Give a VPC an internet gateway and its main route table a route there."""
    ec2 = sandbox.client("ec2")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = main_route_table(sandbox, vpc)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def make_role(sandbox: Sandbox, name: str, actions: list[str]) -> str:
    """Make a role for tasks that may do `actions` with everything; return its ARN."""
    iam = sandbox.client("iam")
    document = {"Version": "2012-10-17", "Statement": [_TRUST]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": actions or ["none:None"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=policy)
    return str(role)


def push(sandbox: Sandbox, repository: str, files: dict[str, bytes], tag: str) -> str:
    """Push an image with these files in /app, which runs Python; return its digest."""
    data = sandbox.client("ecr").get_authorization_token()["authorizationData"][0]
    session = requests.Session()
    session.trust_env, session.verify, session.proxies = False, sandbox.bundle, {"https": sandbox.proxy}
    user, _, password = b64decode(data["authorizationToken"]).decode().partition(":")
    registry = Registry(data["proxyEndpoint"], user, password, session=session)
    empty = Image(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}, ()
    )
    layers = [layer_of_files(files, prefix="/app")]
    image = append(empty, layers, entrypoint=["python"], env={"PYTHONPATH": "/app"}, working_dir="/app")
    return registry.push(image, repository, tag)
