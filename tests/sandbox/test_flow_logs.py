"""Flow logs: each judged connection is a line, at the interface that saw it, if the service may write it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws
from moto.core.base_backend import BackendDict

from ragonotebooks.sandbox.aws import ec2 as ec2_of_the_sandbox
from ragonotebooks.sandbox.aws import flow_logs
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.context import Connection, Context, Place

REGION = "us-east-1"
OUTSIDE = Place("203.0.113.10")


@dataclass
class Watched:
    """A VPC with a flow log and a network interface in it.

    Attributes:
        logs: The controller.
        task: Where the interface is.
    """

    logs: flow_logs.FlowLogs
    vpc: str
    task: Place
    interface: str

    def lines(self, *connections: Connection) -> list[str]:
        for connection in connections:
            self.logs.take(connection)
        self.logs.deliver()
        events = boto3.client("logs", REGION).filter_log_events(logGroupName="flows")["events"]
        return [" ".join(event["message"].split()[2:8] + event["message"].split()[12:]) for event in events]

    def status(self) -> str:
        [log] = boto3.client("ec2", REGION).describe_flow_logs()["FlowLogs"]
        return str(log["DeliverLogsStatus"])


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    trusted, kind = getattr(request, "param", ("vpc-flow-logs.amazonaws.com", "ALL"))
    with mock_aws():
        BackendDict.reset()
        ec2_of_the_sandbox.install()
        ec2, iam = boto3.client("ec2", REGION), boto3.client("iam", REGION)
        trust = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName="flows", AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
        write = {"Effect": "Allow", "Action": "logs:*", "Resource": "arn:aws:logs:*:*:log-group:flows:*"}
        iam.put_role_policy(RoleName="flows", PolicyName="write", PolicyDocument=_document(write))
        boto3.client("logs", REGION).create_log_group(logGroupName="flows")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        made = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
        destination = {"LogGroupName": "flows", "DeliverLogsPermissionArn": role}
        ec2.create_flow_logs(ResourceType="VPC", ResourceIds=[vpc], TrafficType=kind, **destination)
        context = SimpleNamespace(lock=threading.RLock(), state=SimpleNamespace(account=role.split(":")[4]))
        task = Place(made["PrivateIpAddress"], subnet=subnet, vpc=vpc)
        yield Watched(flow_logs.FlowLogs(cast(Context, context)), vpc, task, made["NetworkInterfaceId"])
        BackendDict.reset()


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_connection_is_seen_at_both_its_ends(watched: Watched) -> None:
    database = Place("127.70.1.2", vpc=watched.vpc)
    address = watched.task.address
    assert sorted(watched.lines(Connection(watched.task, 40_000, database, 5432, let_out=True, let_in=True))) == [
        f"- {address} 127.70.1.2 40000 5432 6 ACCEPT OK",
        f"{watched.interface} {address} 127.70.1.2 40000 5432 6 ACCEPT OK",
    ]


def test_a_knock_from_outside_is_seen_where_it_is_rejected(watched: Watched) -> None:
    knock = Connection(OUTSIDE, 40_000, watched.task, 22, let_out=True, let_in=False)
    address = watched.task.address
    assert watched.lines(knock) == [f"{watched.interface} 203.0.113.10 {address} 40000 22 6 REJECT OK"]


def test_what_is_not_let_out_never_arrives(watched: Watched) -> None:
    there = Place("127.70.1.2", vpc=watched.vpc)
    [line] = watched.lines(Connection(watched.task, 1, there, 5432, let_out=False, let_in=True))
    assert line.startswith(watched.interface)
    assert "REJECT" in line


@pytest.mark.parametrize("watched", [("vpc-flow-logs.amazonaws.com", "REJECT")], indirect=True)
def test_a_flow_log_of_rejections_holds_nothing_else(watched: Watched) -> None:
    accepted = Connection(OUTSIDE, 1, watched.task, 80, let_out=True, let_in=True)
    rejected = Connection(OUTSIDE, 1, watched.task, 81, let_out=True, let_in=False)
    [line] = watched.lines(accepted, rejected)
    assert " 81 " in line


@pytest.mark.parametrize("watched", [("ecs-tasks.amazonaws.com", "ALL")], indirect=True)
def test_a_role_that_the_service_may_not_become_writes_nothing(watched: Watched) -> None:
    assert watched.lines(Connection(OUTSIDE, 1, watched.task, 80, let_out=True, let_in=True)) == []
    assert watched.status() == "FAILED"


@pytest.mark.parametrize(
    "asked",
    [
        {"resource_type": "VPC", "log_destination_type": "s3", "log_destination": "arn:aws:s3:::flows"},
        {"resource_type": "TransitGateway"},
        {"resource_type": "VPC", "log_format": "${srcaddr} ${tcp-flags}"},
    ],
)
def test_what_cannot_be_delivered_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="not supported by the sandbox"):
        flow_logs.check(asked)
