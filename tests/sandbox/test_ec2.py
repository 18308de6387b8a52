"""Networks as AWS keeps them: what is used cannot be deleted, and endpoints show what they are made of."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import ControlPlane
from tests.sandbox.test_identity import allow


@dataclass
class Network:
    """A VPC with two subnets and a security group.

    Attributes:
        aws: The control plane.
        ec2: The client.
    """

    aws: ControlPlane
    ec2: Any
    vpc: str
    subnets: list[str]
    group: str

    def endpoint(self, **more: Any) -> dict[str, Any]:
        """Create an interface endpoint in the first subnet, with the group."""
        settings: dict[str, Any] = {
            "VpcEndpointType": "Interface",
            "SubnetIds": self.subnets[:1],
            "SecurityGroupIds": [self.group],
            "ServiceName": "com.amazonaws.us-east-1.ecr.api",
            **more,
        }
        made: dict[str, Any] = self.ec2.create_vpc_endpoint(VpcId=self.vpc, **settings)["VpcEndpoint"]
        return made

    def interfaces(self) -> list[dict[str, Any]]:
        """All network interfaces of the VPC."""
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}]
        found: list[dict[str, Any]] = self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        return found

    def main_table(self) -> str:
        """The id of the main route table."""
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "association.main", "Values": ["true"]}]
        return str(self.ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"])

    def another_group(self) -> str:
        """Create one more security group."""
        return str(self.ec2.create_security_group(GroupName="other", Description="d", VpcId=self.vpc)["GroupId"])


@pytest.fixture
def network(aws: ControlPlane) -> Network:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{number}.0/24")["Subnet"]["SubnetId"] for number in (1, 2)]
    group = ec2.create_security_group(GroupName="tasks", Description="d", VpcId=vpc)["GroupId"]
    return Network(aws, ec2, vpc, subnets, group)


def refer(network: Network) -> Callable[[], object]:
    other = network.another_group()
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": network.group}]}
    network.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    return lambda: network.ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=[rule])


def refer_outbound(network: Network) -> Callable[[], object]:
    other = network.another_group()
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": network.group}]}
    network.ec2.authorize_security_group_egress(GroupId=other, IpPermissions=[rule])
    return lambda: network.ec2.delete_security_group(GroupId=other)


def use_for_endpoint(network: Network) -> Callable[[], object]:
    endpoint = network.endpoint()["VpcEndpointId"]
    return lambda: network.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])


def use_for_interface(network: Network) -> Callable[[], object]:
    made = network.ec2.create_network_interface(SubnetId=network.subnets[0], Groups=[network.group])
    interface = made["NetworkInterface"]["NetworkInterfaceId"]
    return lambda: network.ec2.delete_network_interface(NetworkInterfaceId=interface)


def use_for_database(network: Network) -> Callable[[], object]:
    rds = network.aws.client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=network.subnets)
    rds.create_db_instance(
        DBInstanceIdentifier="papers",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        DBSubnetGroupName="g",
        VpcSecurityGroupIds=[network.group],
    )
    return lambda: rds.delete_db_instance(DBInstanceIdentifier="papers", SkipFinalSnapshot=True)


@pytest.mark.parametrize("use", [refer, refer_outbound, use_for_endpoint, use_for_interface, use_for_database])
def test_group_that_is_used_stays(network: Network, use: Callable[[Network], Callable[[], object]]) -> None:
    release = use(network)
    with pytest.raises(ClientError, match=f"resource {network.group} has a dependent object") as caught:
        network.ec2.delete_security_group(GroupId=network.group)
    assert caught.value.response["Error"]["Code"] == "DependencyViolation"
    release()
    network.ec2.delete_security_group(GroupId=network.group)


def test_group_that_refers_to_itself_can_go(network: Network) -> None:
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": network.group}]}
    network.ec2.authorize_security_group_ingress(GroupId=network.group, IpPermissions=[rule])
    network.ec2.delete_security_group(GroupId=network.group)


def test_default_group_cannot_be_deleted(network: Network) -> None:
    filters = [{"Name": "vpc-id", "Values": [network.vpc]}, {"Name": "group-name", "Values": ["default"]}]
    group = network.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    with pytest.raises(ClientError, match="cannot be deleted by a user") as caught:
        network.ec2.delete_security_group(GroupId=group)
    assert caught.value.response["Error"]["Code"] == "CannotDelete"


def nat_gateway(network: Network) -> Callable[[], object]:
    address = network.ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = network.ec2.create_nat_gateway(SubnetId=network.subnets[0], AllocationId=address)["NatGateway"]
    return lambda: network.ec2.delete_nat_gateway(NatGatewayId=gateway["NatGatewayId"])


@pytest.mark.parametrize("use", [use_for_endpoint, use_for_interface, use_for_database, nat_gateway])
def test_subnet_that_is_used_stays(network: Network, use: Callable[[Network], Callable[[], object]]) -> None:
    release = use(network)
    with pytest.raises(ClientError, match=f"The subnet '{network.subnets[0]}' has dependencies") as caught:
        network.ec2.delete_subnet(SubnetId=network.subnets[0])
    assert caught.value.response["Error"]["Code"] == "DependencyViolation"
    release()
    network.ec2.delete_subnet(SubnetId=network.subnets[0])


def test_route_table_forgets_a_deleted_subnet(network: Network) -> None:
    table = network.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    network.ec2.associate_route_table(RouteTableId=table, SubnetId=network.subnets[0])
    network.ec2.delete_subnet(SubnetId=network.subnets[0])
    network.ec2.delete_route_table(RouteTableId=table)


def internet_gateway(network: Network) -> Callable[[], object]:
    gateway = network.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    network.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    return lambda: network.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)


def gateway_endpoint(network: Network) -> Callable[[], object]:
    asked = {"VpcId": network.vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": [network.main_table()]}
    endpoint = network.ec2.create_vpc_endpoint(**asked)["VpcEndpoint"]["VpcEndpointId"]
    return lambda: network.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])


def route_table(network: Network) -> Callable[[], object]:
    table = network.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    return lambda: network.ec2.delete_route_table(RouteTableId=table)


def one_more_group(network: Network) -> Callable[[], object]:
    group = network.another_group()
    return lambda: network.ec2.delete_security_group(GroupId=group)


@pytest.mark.parametrize("use", [internet_gateway, gateway_endpoint, route_table, one_more_group])
def test_vpc_that_is_used_stays(network: Network, use: Callable[[Network], Callable[[], object]]) -> None:
    network.ec2.delete_security_group(GroupId=network.group)
    for subnet in network.subnets:
        with pytest.raises(ClientError, match="has dependencies"):
            network.ec2.delete_vpc(VpcId=network.vpc)
        network.ec2.delete_subnet(SubnetId=subnet)
    release = use(network)
    with pytest.raises(ClientError, match=f"The vpc '{network.vpc}' has dependencies") as caught:
        network.ec2.delete_vpc(VpcId=network.vpc)
    assert caught.value.response["Error"]["Code"] == "DependencyViolation"
    release()
    network.ec2.delete_vpc(VpcId=network.vpc)
    with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
        network.ec2.describe_vpcs(VpcIds=[network.vpc])


def test_endpoint_without_a_type_is_a_gateway_and_can_be_deleted(network: Network) -> None:
    release = gateway_endpoint(network)
    (endpoint,) = network.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert (endpoint["VpcEndpointType"], endpoint["RouteTableIds"]) == ("Gateway", [network.main_table()])
    routes = network.ec2.describe_route_tables(RouteTableIds=endpoint["RouteTableIds"])["RouteTables"][0]["Routes"]
    assert endpoint["VpcEndpointId"] in [route.get("GatewayId") for route in routes]
    release()
    assert network.ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    routes = network.ec2.describe_route_tables(RouteTableIds=endpoint["RouteTableIds"])["RouteTables"][0]["Routes"]
    assert endpoint["VpcEndpointId"] not in [route.get("GatewayId") for route in routes]


def test_interface_endpoint_shows_its_interfaces_and_names(network: Network) -> None:
    endpoint = network.endpoint(SubnetIds=network.subnets, PrivateDnsEnabled=True)
    (shown,) = network.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert [group["GroupId"] for group in shown["Groups"]] == [network.group]
    names = [entry["DnsName"] for entry in shown["DnsEntries"]]
    assert names[0].startswith(f"{endpoint['VpcEndpointId']}-")
    assert names[0].endswith(".api.ecr.us-east-1.vpce.amazonaws.com")
    assert names[1:] == ["api.ecr.us-east-1.amazonaws.com"]
    interfaces = {interface["NetworkInterfaceId"]: interface for interface in network.interfaces()}
    assert sorted(interfaces) == sorted(shown["NetworkInterfaceIds"])
    for interface, subnet in zip(interfaces.values(), network.subnets, strict=True):
        block = network.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["CidrBlock"]
        assert interface["SubnetId"] == subnet
        assert ipaddress.ip_address(interface["PrivateIpAddress"]) in ipaddress.ip_network(block)
        assert [group["GroupId"] for group in interface["Groups"]] == [network.group]
        assert (interface["InterfaceType"], interface["Status"]) == ("vpc_endpoint", "in-use")


def test_changed_endpoint_has_interfaces_in_the_subnets_it_has_now(network: Network) -> None:
    identifier = network.endpoint()["VpcEndpointId"]
    other = network.another_group()
    first, second = network.subnets
    network.ec2.modify_vpc_endpoint(
        VpcEndpointId=identifier,
        AddSubnetIds=[second],
        RemoveSubnetIds=[first],
        AddSecurityGroupIds=[other],
        RemoveSecurityGroupIds=[network.group],
    )
    (interface,) = network.interfaces()
    assert interface["SubnetId"] == second
    assert [group["GroupId"] for group in interface["Groups"]] == [other]
    network.ec2.delete_subnet(SubnetId=first)
    network.ec2.delete_security_group(GroupId=network.group)


def test_endpoint_in_an_unknown_subnet_leaves_nothing(network: Network) -> None:
    with pytest.raises(ClientError, match=r"InvalidSubnetID\.NotFound"):
        network.endpoint(SubnetIds=["subnet-00000000"])
    assert network.ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    assert network.interfaces() == []


def test_policy_that_somebody_has_stays(aws: ControlPlane) -> None:
    iam = aws.client("iam")
    document = allow("s3:GetObject")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document, PermissionsBoundary=arn)
    iam.create_user(UserName="u")
    iam.attach_user_policy(UserName="u", PolicyArn=arn)

    def refused() -> str:
        with pytest.raises(ClientError) as caught:
            iam.delete_policy(PolicyArn=arn)
        assert caught.value.response["Error"]["Code"] == "DeleteConflict"
        return str(caught.value.response["Error"]["Message"])

    assert refused() == "Cannot delete a policy attached to entities."
    iam.detach_user_policy(UserName="u", PolicyArn=arn)
    assert refused() == "Cannot delete a policy attached to entities."
    iam.delete_role_permissions_boundary(RoleName="r")
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document)["PolicyVersion"]["VersionId"]
    assert "more than one version" in refused()
    iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    iam.delete_policy(PolicyArn=arn)


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code"),
    [
        ("ec2", "delete_nat_gateway", {"NatGatewayId": "nat-1"}, "NatGatewayNotFound"),
        ("kms", "list_grants", {"KeyId": "none"}, "NotFoundException"),
        ("logs", "get_query_results", {"queryId": "none"}, "ResourceNotFoundException"),
        ("s3", "get_bucket_request_payment", {"Bucket": "none"}, "NoSuchBucket"),
    ],
)
def test_what_does_not_exist_is_not_a_fault_of_the_sandbox(
    aws: ControlPlane, service: str, operation: str, arguments: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(aws.client(service), operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == code
