"""VPC endpoints as AWS shows them: a type, and of an interface endpoint the interfaces, groups and names that it has."""

import secrets
from collections.abc import Callable
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from ragonotebooks.sandbox.aws.ec2_addresses import free_address

_INTERFACE = "Interface"


def create(backend: Any, create_in_moto: Callable[..., Any], **asked: Any) -> Any:
    """Create the endpoint that is asked for with the arguments of moto's `create_vpc_endpoint`."""
    kind, subnets = asked.get("endpoint_type") or "Gateway", asked.get("subnet_ids") or []
    for subnet in subnets:
        backend.get_subnet(subnet)  # raises when it does not exist
    groups = asked.get("security_group_ids") or []
    if kind == _INTERFACE and not groups:
        groups = [backend.get_default_security_group(asked["vpc_id"]).id]
    # moto's own interfaces have addresses outside of their subnets
    changed = {"endpoint_type": kind, "subnet_ids": [], "security_group_ids": groups}
    endpoint = create_in_moto(**{**asked, **changed})
    endpoint.subnet_ids = list(subnets)
    if kind == _INTERFACE:
        endpoint.dns_entries = _names(endpoint)
        place(backend, endpoint)
    return endpoint


def place(backend: Any, endpoint: Any) -> None:
    """Give an interface endpoint one network interface in each of its subnets, with its groups, and no others."""
    if endpoint.vpc_endpoint_type != _INTERFACE:
        return
    interfaces = {backend.enis[one].subnet.id: one for one in endpoint.network_interface_ids}
    for subnet in interfaces.keys() - set(endpoint.subnet_ids):
        backend.delete_network_interface(interfaces.pop(subnet))
    for subnet in endpoint.subnet_ids:
        if subnet not in interfaces:
            interfaces[subnet] = _interface(backend, endpoint, subnet)
    for interface in interfaces.values():
        backend.enis[interface]._group_set = [
            backend.get_security_group_from_id(group) for group in endpoint.security_group_ids
        ]
    endpoint.network_interface_ids = list(interfaces.values())


def _interface(backend: Any, endpoint: Any, subnet: str) -> str:
    address = free_address(backend, subnet)
    if address is None:
        raise EC2ClientError("InsufficientFreeAddressesInSubnet", f"The subnet {subnet} has no free address.")
    interface = backend.create_network_interface(
        backend.get_subnet(subnet),
        address,
        group_ids=endpoint.security_group_ids,
        description=f"VPC Endpoint Interface {endpoint.id}",
    )
    interface.status, interface.interface_type, interface.requester_managed = "in-use", "vpc_endpoint", True
    return str(interface.id)


def _names(endpoint: Any) -> list[dict[str, str]]:
    """`com.amazonaws.us-east-1.ecr.api` is reached as `vpce-….api.ecr.us-east-1.vpce.amazonaws.com` and as its own host."""
    _, _, region, *service = endpoint.service_name.split(".")
    host = ".".join([*reversed(service), region])
    names = [f"{endpoint.id}-{secrets.token_hex(4)}.{host}.vpce.amazonaws.com"]
    if endpoint.private_dns_enabled:
        names.append(f"{host}.amazonaws.com")
    return [{"dns_name": name, "hosted_zone_id": f"Z{secrets.token_hex(6).upper()}"} for name in names]
