"""EC2: the network. Every kind answers a describe call that shows tags, so one form serves them all."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from ragonotebooks.cleanup.aws.listing import pages
from ragonotebooks.cleanup.kind import Found, Kind, belonging

_GONE: Final = frozenset({"deleted"})
_LEAVING: Final = frozenset({"deleting"})


def _ec2(
    name: str,
    describe: str,
    items: str,
    id_field: str,
    delete: Callable[[Any, str], object],
    *,
    made: str = "",
    own: Callable[[Any], bool] = lambda item: True,
) -> Kind:
    """A kind that `describe` lists; an item that is not its `own` is a part of another resource and goes with that.

    Its field `made` says when somebody made it; most kinds have none.
    """

    def find(ec2: Any) -> Iterator[Found]:
        for item in pages(ec2, describe, items):
            state = str(item.get("State", "")).lower()
            if own(item) and state not in _GONE:
                yield from belonging(item.get("Tags"), item[id_field], made=item.get(made), leaving=state in _LEAVING)

    return Kind("ec2", name, find, delete)


def _check(answer: Any, operation: str) -> None:
    """Raise what an operation on several resources says about the only one."""
    if failed := answer.get("Unsuccessful"):
        raise ClientError({"Error": failed[0]["Error"]}, operation)


def _find_rules(ec2: Any) -> Iterator[Found]:
    for group in pages(ec2, "describe_security_groups", "SecurityGroups"):
        if group["IpPermissions"] or group["IpPermissionsEgress"]:
            yield from belonging(group.get("Tags"), group["GroupId"])


def _revoke_rules(ec2: Any, group: str) -> None:
    [about] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    if about["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=about["IpPermissions"])
    if about["IpPermissionsEgress"]:
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=about["IpPermissionsEgress"])


def _delete_route_table(ec2: Any, table: str) -> None:
    [about] = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    subnets = {subnet["SubnetId"] for subnet in pages(ec2, "describe_subnets", "Subnets")}
    for association in about["Associations"]:
        # only with a subnet that is gone: another subnet's traffic must not change its way
        if association.get("SubnetId") not in subnets:
            ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    ec2.delete_route_table(RouteTableId=table)


def _is_main(table: Any) -> bool:
    return any(association.get("Main") for association in table["Associations"])


def _delete_internet_gateway(ec2: Any, gateway: str) -> None:
    [about] = ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]
    for attachment in about["Attachments"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=attachment["VpcId"])
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


FLOW_LOGS: Final = _ec2(
    "flow log",
    "describe_flow_logs",
    "FlowLogs",
    "FlowLogId",
    lambda ec2, log: _check(ec2.delete_flow_logs(FlowLogIds=[log]), "DeleteFlowLogs"),
    made="CreationTime",
)
ENDPOINTS: Final = _ec2(
    "VPC endpoint",
    "describe_vpc_endpoints",
    "VpcEndpoints",
    "VpcEndpointId",
    lambda ec2, endpoint: _check(ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint]), "DeleteVpcEndpoints"),
    made="CreationTimestamp",
)
NAT_GATEWAYS: Final = _ec2(
    "NAT gateway",
    "describe_nat_gateways",
    "NatGateways",
    "NatGatewayId",
    lambda ec2, gateway: ec2.delete_nat_gateway(NatGatewayId=gateway),
    made="CreateTime",
)
ADDRESSES: Final = _ec2(
    "elastic IP",
    "describe_addresses",
    "Addresses",
    "AllocationId",
    lambda ec2, address: ec2.release_address(AllocationId=address),
)
#: Groups that name each other in their rules hold each other until neither has any.
RULES: Final = Kind("ec2", "rules of a group", _find_rules, _revoke_rules)
GROUPS: Final = _ec2(
    "security group",
    "describe_security_groups",
    "SecurityGroups",
    "GroupId",
    lambda ec2, group: ec2.delete_security_group(GroupId=group),
    own=lambda group: group["GroupName"] != "default",
)
SUBNETS: Final = _ec2(
    "subnet", "describe_subnets", "Subnets", "SubnetId", lambda ec2, subnet: ec2.delete_subnet(SubnetId=subnet)
)
ROUTE_TABLES: Final = _ec2(
    "route table",
    "describe_route_tables",
    "RouteTables",
    "RouteTableId",
    _delete_route_table,
    own=lambda table: not _is_main(table),
)
INTERNET_GATEWAYS: Final = _ec2(
    "internet gateway",
    "describe_internet_gateways",
    "InternetGateways",
    "InternetGatewayId",
    _delete_internet_gateway,
)
VPCS: Final = _ec2("VPC", "describe_vpcs", "Vpcs", "VpcId", lambda ec2, vpc: ec2.delete_vpc(VpcId=vpc))
