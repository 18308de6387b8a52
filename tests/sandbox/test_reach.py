"""What a task reaches is what its subnet, its endpoints and its security groups let through."""

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
from ragonotebooks.sandbox.aws.reach import reaches, service_of
from ragonotebooks.sandbox.context import Context, Place
from tests.sandbox.conftest import ACCOUNT, Sandbox
from tests.sandbox.tasks import Deployment, deploy, main_route_table

REGION = "us-east-1"


@dataclass
class Network:
    """A VPC with one subnet, and a task in it with the VPC's default security group.

    Attributes:
        api: The client of EC2.
        table: The main route table.
    """

    api: Any
    vpc: str
    subnet: str
    table: str
    group: str

    def reaches(self, service: str | None) -> str | None:
        context = SimpleNamespace(lock=threading.RLock(), state=SimpleNamespace(account=ACCOUNT))
        place = Place("10.8.1.4", frozenset({self.group}), self.subnet)
        return reaches(cast(Context, context), place, REGION, service)

    def route(self, table: str, **target: str) -> None:
        self.api.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)

    def internet_gateway(self) -> str:
        gateway = self.api.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.api.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        return str(gateway)

    def endpoint(self, service: str, **more: Any) -> str:
        name = f"com.amazonaws.{REGION}.{service}"
        answer = self.api.create_vpc_endpoint(VpcId=self.vpc, ServiceName=name, **more)
        return str(answer["VpcEndpoint"]["VpcEndpointId"])

    def interface_endpoint(self, service: str, **more: Any) -> str:
        settings = {"SubnetIds": [self.subnet], "SecurityGroupIds": [self.group], "PrivateDnsEnabled": True, **more}
        return self.endpoint(service, VpcEndpointType="Interface", **settings)

    def interface(self, *, public: bool) -> None:
        """Make the network interface of the task."""
        interface = self.api.create_network_interface(SubnetId=self.subnet, PrivateIpAddress="10.8.1.4")
        if public:
            address = self.api.allocate_address(Domain="vpc")["AllocationId"]
            identifier = interface["NetworkInterface"]["NetworkInterfaceId"]
            self.api.associate_address(AllocationId=address, NetworkInterfaceId=identifier)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    ec2_of_the_sandbox.install()
    with mock_aws():
        ec2 = boto3.client("ec2", region_name=REGION)
        vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
        filters = [{"Name": "vpc-id", "Values": [vpc]}]
        table = ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"]
        group = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
        yield Network(ec2, vpc, subnet, table, group)
    BackendDict.reset()


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("api.ecr.us-east-1.amazonaws.com", "ecr.api", "us-east-1"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr.dkr", "eu-west-1"),
        ("papers.s3.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("papers.2026.s3.amazonaws.com", "s3", "us-east-1"),
        ("s3.dualstack.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
        ("sts.us-east-1.amazonaws.com", "sts", "us-east-1"),
        ("sts.amazonaws.com", "sts", None),
        ("secretsmanager.us-gov-west-1.amazonaws.com", "secretsmanager", "us-gov-west-1"),
        ("public.ecr.aws", "public", None),
    ],
)
def test_hosts_are_services(host: str, service: str, region: str | None) -> None:
    assert service_of(host) == (service, region)


def test_a_subnet_that_leads_nowhere_reaches_nothing(network: Network) -> None:
    assert "has no route to s3" in str(network.reaches("s3"))
    assert "has no route to secretsmanager" in str(network.reaches("secretsmanager"))


def test_an_internet_gateway_needs_a_public_address(network: Network) -> None:
    network.route(network.table, GatewayId=network.internet_gateway())
    network.interface(public=False)
    assert "set assignPublicIp" in str(network.reaches("sts"))


def test_a_public_address_and_an_internet_gateway_reach_everything(network: Network) -> None:
    network.route(network.table, GatewayId=network.internet_gateway())
    network.interface(public=True)
    assert network.reaches("sts") is None
    assert network.reaches(None) is None


def test_a_nat_gateway_in_a_public_subnet_reaches_everything(network: Network) -> None:
    public = network.api.create_subnet(VpcId=network.vpc, CidrBlock="10.8.2.0/24")["Subnet"]["SubnetId"]
    address = network.api.allocate_address(Domain="vpc")["AllocationId"]
    nat = network.api.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
    network.route(network.table, NatGatewayId=nat)
    assert f"{nat} is in {public}, which has no route to an internet gateway" in str(network.reaches(None))
    table = network.api.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    network.route(table, GatewayId=network.internet_gateway())
    network.api.associate_route_table(RouteTableId=table, SubnetId=public)
    assert network.reaches(None) is None
    network.api.delete_nat_gateway(NatGatewayId=nat)
    assert f"{nat} is deleted" in str(network.reaches(None))


def test_a_gateway_endpoint_serves_the_subnets_of_its_route_tables(network: Network) -> None:
    endpoint = network.endpoint("s3", VpcEndpointType="Gateway", RouteTableIds=[])
    assert network.reaches("s3") is not None
    network.api.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[network.table])
    assert network.reaches("s3") is None
    assert network.reaches("secretsmanager") is not None
    assert network.reaches(None) is not None


def test_an_interface_endpoint_serves_one_service(network: Network) -> None:
    endpoint = network.interface_endpoint("secretsmanager")
    assert network.reaches("secretsmanager") is None
    assert network.reaches("ssm") is not None
    network.api.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert network.reaches("secretsmanager") is not None


def test_an_interface_endpoint_without_private_names_is_not_found(network: Network) -> None:
    network.interface_endpoint("ssm", PrivateDnsEnabled=False)
    assert "has no route to ssm" in str(network.reaches("ssm"))


def test_an_interface_endpoint_admits_whom_its_security_group_admits(network: Network) -> None:
    group = network.api.create_security_group(VpcId=network.vpc, GroupName="endpoint", Description="-")["GroupId"]
    network.interface_endpoint("logs", SecurityGroupIds=[group])
    assert "no security group of the endpoint" in str(network.reaches("logs"))
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": network.group}]}
    network.api.authorize_security_group_ingress(GroupId=group, IpPermissions=[https])
    assert network.reaches("logs") is None


def test_an_endpoint_takes_the_calls_also_where_it_drops_them(network: Network) -> None:
    network.route(network.table, GatewayId=network.internet_gateway())
    network.interface(public=True)
    group = network.api.create_security_group(VpcId=network.vpc, GroupName="closed", Description="-")["GroupId"]
    network.interface_endpoint("logs", SecurityGroupIds=[group])
    assert network.reaches("ssm") is None
    assert network.reaches("logs") is not None


def test_the_tasks_own_group_has_to_let_it_out(network: Network) -> None:
    network.endpoint("s3", VpcEndpointType="Gateway", RouteTableIds=[network.table])
    everything = network.api.describe_security_groups(GroupIds=[network.group])["SecurityGroups"][0][
        "IpPermissionsEgress"
    ]
    network.api.revoke_security_group_egress(GroupId=network.group, IpPermissions=everything)
    assert "no security group of the task lets it out to s3" in str(network.reaches("s3"))
    filters = [{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{REGION}.s3"]}]
    prefixes = network.api.describe_managed_prefix_lists(Filters=filters)["PrefixLists"][0]["PrefixListId"]
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": prefixes}]}
    network.api.authorize_security_group_egress(GroupId=network.group, IpPermissions=[rule])
    assert network.reaches("s3") is None


CALLS = """
import urllib.error, urllib.request
for host in ('logs.us-east-1.amazonaws.com', 'papers.s3.us-east-1.amazonaws.com', 'sts.us-east-1.amazonaws.com', 'example.com'):
    try:
        urllib.request.urlopen('https://' + host, timeout=20)
    except urllib.error.HTTPError:
        print(host, 'answers')
    except urllib.error.URLError as error:
        print(host, error.reason)
"""


@pytest.fixture(scope="module")
def fargate(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "reach")


def test_members_of_a_default_group_reach_each_other(fargate: Deployment) -> None:
    ec2 = fargate.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    [group] = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    [rule] = group["IpPermissions"]
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [group["GroupId"]]
    ec2.delete_vpc(VpcId=vpc)


def test_a_task_in_a_private_subnet_starts_and_lives_on_its_endpoints(fargate: Deployment) -> None:
    ec2 = fargate.client("ec2")
    subnet = ec2.create_subnet(VpcId=fargate.vpc, CidrBlock="10.7.9.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=fargate.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert table != main_route_table(fargate.sandbox, fargate.vpc)
    for service in ("ecr.api", "ecr.dkr", "logs"):
        name = f"com.amazonaws.{REGION}.{service}"
        ec2.create_vpc_endpoint(VpcId=fargate.vpc, ServiceName=name, VpcEndpointType="Interface", SubnetIds=[subnet])
    definition = fargate.define(CALLS)
    task = fargate.finished(fargate.start(definition, {"subnets": [subnet], "assignPublicIp": "DISABLED"}))
    assert "https://s3.us-east-1.amazonaws.com/" in task["stoppedReason"]  # ECR keeps layers in S3
    ec2.create_vpc_endpoint(VpcId=fargate.vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[table])
    arn = fargate.start(definition, {"subnets": [subnet], "assignPublicIp": "DISABLED"})
    assert fargate.finished(arn)["containers"][0]["exitCode"] == 0
    logs, s3, sts, elsewhere = fargate.log(arn)
    assert logs == "logs.us-east-1.amazonaws.com answers"
    assert s3 == "papers.s3.us-east-1.amazonaws.com answers"
    assert f"403 {subnet} has no route to sts" in sts
    assert "blocked by the sandbox" in elsewhere
