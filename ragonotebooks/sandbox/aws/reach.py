"""Which AWS services a task's subnet reaches: by a route to the internet, a NAT gateway or a VPC endpoint.

Read from the EC2 backend at the moment of the call. Not judged: network ACLs and the policies of endpoints.
Source: Amazon VPC user guide, "Configure route tables" and "Access an AWS service using an interface VPC endpoint", read 2026-11.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Final

from moto.ec2.models import ec2_backends

from ragonotebooks.sandbox.aws import network
from ragonotebooks.sandbox.context import Context, Place

_HTTPS: Final = 443
_EVERYWHERE: Final = "0.0.0.0/0"
_GATEWAY_SERVICES: Final = ("s3", "dynamodb")
# the public side of a service; a rule for everything admits it, a rule for private networks does not
_PUBLIC: Final = Place("52.216.0.1")

_S3_HOST: Final = re.compile(r"(?:.+\.)?s3(?:[.-](?:dualstack\.)?(?P<region>[a-z0-9-]+))?\.amazonaws\.com")
_ECR_HOST: Final = re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")
_HOST: Final = re.compile(
    r"(?P<service>[a-z0-9.-]+?)\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.(?:amazonaws\.com|api\.aws)"
)


def service_of(host: str) -> tuple[str, str | None]:
    """Return the service behind a host name, as VPC endpoints call it, and its region; None for a host that is of no region.

    `api.ecr.us-east-1.amazonaws.com` is `ecr.api`, `123456789012.dkr.ecr…` is `ecr.dkr`, `bucket.s3.…` is `s3`.
    """
    if found := _S3_HOST.fullmatch(host):
        return "s3", found["region"] or "us-east-1"
    if found := _ECR_HOST.fullmatch(host):
        return "ecr.dkr", found["region"]
    if found := _HOST.fullmatch(host):
        name = found["service"]
        return ("ecr.api" if name == "api.ecr" else name), found["region"]
    return host.partition(".")[0], None


def verdict(context: Context, task: str, host: str) -> str | None:
    """Return why a running task, given by its ARN, does not reach a host, None when it does."""
    place = context.places.get(task)
    return reaches_host(context, place, task.split(":")[3], host) if place else f"the task {task} has left the network"


def reaches_host(context: Context, place: Place, region: str, host: str) -> str | None:
    """Return why a task at `place` in `region` does not reach a host, None when it does."""
    service, there = service_of(host)
    return reaches(context, place, region, service if there == region else None)


def reaches(context: Context, place: Place, region: str, service: str | None) -> str | None:
    """Return why a task does not reach a service of its region, None when it does.

    Args:
        context: The daemon's shared parts.
        place: Where the task is.
        region: Its region.
        service: As in an endpoint's name, such as `ecr.api`; None for what no endpoint leads to.
    """
    with context.lock:
        backend = ec2_backends[context.state.account][region]
        subnet = backend.get_subnet(str(place.subnet))
        table = _route_table(backend, subnet)
        for endpoint in _endpoints(backend, subnet.vpc_id, f"com.amazonaws.{region}.{service}"):
            if endpoint.vpc_endpoint_type == "Interface" and endpoint.private_dns_enabled:
                return _by_interface(context, region, place, endpoint)
            if service in _GATEWAY_SERVICES and table.id in endpoint.route_table_ids:
                return _lets_out(context, region, place, service)
        return _by_internet(backend, place, table, service) or _lets_out(context, region, place, service)


def _by_interface(context: Context, region: str, place: Place, endpoint: Any) -> str | None:
    """An endpoint with private DNS takes all calls of its VPC, also where its security group then drops them."""
    account = context.state.account
    groups = frozenset(endpoint.security_group_ids or [_default_group(account, region, endpoint.vpc_id)])
    subnets = [ec2_backends[account][region].get_subnet(subnet) for subnet in endpoint.subnet_ids or []]
    if not subnets:
        return f"the endpoint {endpoint.id} has no subnet"
    if not network.admits(account, region, groups, _HTTPS, place):
        return f"no security group of the endpoint {endpoint.id} admits the task at port {_HTTPS}"
    address = str(ipaddress.ip_network(subnets[0].cidr_block)[4])
    if not network.lets_out(account, region, Place(address, groups), _HTTPS, place):
        return f"no security group of the task lets it out to the endpoint {endpoint.id} at port {_HTTPS}"
    return None


def _by_internet(backend: Any, place: Place, table: Any, service: str | None) -> str | None:
    what = service or "a service that is not of its region"
    route = next((one for one in table.routes if one.destination_cidr_block == _EVERYWHERE), None)
    if route is None:
        return f"{place.subnet} has no route to {what}: {table.id} leads nowhere outside, and no endpoint leads there"
    if route.nat_gateway is not None:
        return _through_nat(backend, route.nat_gateway)
    if not str(route.gateway_id).startswith("igw-"):
        return f"the route of {place.subnet} to {_EVERYWHERE} does not end at an internet or NAT gateway"
    if not _has_public_address(backend, place):
        return f"the task has no public address, which the internet gateway of {place.subnet} needs: set assignPublicIp"
    return None


def _through_nat(backend: Any, gateway: Any) -> str | None:
    if gateway.state != "available":
        return f"the NAT gateway {gateway.id} is {gateway.state}"
    if gateway.connectivity_type == "private":
        return f"the NAT gateway {gateway.id} is private: it leads to no internet gateway"
    table = _route_table(backend, backend.get_subnet(gateway.subnet_id))
    outside = [route for route in table.routes if route.destination_cidr_block == _EVERYWHERE]
    if not any(str(route.gateway_id).startswith("igw-") for route in outside):
        return f"the NAT gateway {gateway.id} is in {gateway.subnet_id}, which has no route to an internet gateway"
    return None


def _lets_out(context: Context, region: str, place: Place, service: str | None) -> str | None:
    account = context.state.account
    backend = ec2_backends[account][region]
    name = f"com.amazonaws.{region}.{service}"
    lists = {one.id for one in backend.managed_prefix_lists.values() if one.prefix_list_name == name}
    groups = [backend.get_security_group_from_id(group) for group in place.groups]
    named = any(rule.prefix_list_id in lists for group in groups if group for rule in group.egress_rules)
    if named or network.lets_out(account, region, _PUBLIC, _HTTPS, place):
        return None
    return f"no security group of the task lets it out to {service or 'the internet'} at port {_HTTPS}"


def _route_table(backend: Any, subnet: Any) -> Any:
    tables = [table for table in backend.route_tables.values() if table.vpc_id == subnet.vpc_id]
    own = [table for table in tables if subnet.id in table._associations.values()]
    return (own or [table for table in tables if table.main_association_id])[0]


def _endpoints(backend: Any, vpc: str, name: str) -> Iterator[Any]:
    for endpoint in backend.vpc_end_points.values():
        if (endpoint.vpc_id, endpoint.service_name, endpoint.state) == (vpc, name, "available"):
            yield endpoint


def _has_public_address(backend: Any, place: Place) -> bool:
    return any(
        eni.subnet.id == place.subnet and eni.private_ip_address == place.address and eni.public_ip
        for eni in backend.enis.values()
    )


def _default_group(account: str, region: str, vpc: str) -> str:
    backend: Any = ec2_backends[account][region]
    return str(backend.get_default_security_group(vpc).id)
