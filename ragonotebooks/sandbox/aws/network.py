"""What a VPC lets through: security groups and routes, read from the EC2 backend at the moment of the connection."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from moto.ec2.models import ec2_backends

from ragonotebooks.sandbox.context import Context, Place
from ragonotebooks.sandbox.front import OPERATOR_ADDRESS

#: A notebook, a shell, a browser: everything that is not a task is outside of every VPC.
OUTSIDE = Place(OPERATOR_ADDRESS)


def place_of_private_address(context: Context, address: str, vpc: str | None = None) -> Place | None:
    """Return where the running task is that has a private address, None when there is none.

    Args:
        context: The daemon's shared parts.
        address: The private address.
        vpc: The id of the VPC that the address is in; addresses may repeat across VPCs.
    """
    places = list(context.places.values())
    return next((one for one in places if one.address == address and vpc in (None, one.vpc)), None)


def vpc_of(account: str, region: str, groups: Iterable[str]) -> str | None:
    """Return the id of the VPC that security groups are of, None when there are none."""
    backend = ec2_backends[account][region]
    found = (backend.get_security_group_from_id(group) for group in groups)
    return next((str(group.vpc_id) for group in found if group), None)


def admits(account: str, region: str, groups: Iterable[str], port: int, source: Place) -> bool:
    """Whether the inbound rules of any of `groups` accept a TCP connection to `port` from `source`."""
    return _any_rule(account, region, groups, "ingress_rules", port, source)


def lets_out(account: str, region: str, target: Place, port: int, source: Place) -> bool:
    """Whether the outbound rules of the source's groups accept a TCP connection to `port` of `target`."""
    return not source.groups or _any_rule(account, region, source.groups, "egress_rules", port, target)


def _any_rule(account: str, region: str, groups: Iterable[str], kind: str, port: int, peer: Place) -> bool:
    backend = ec2_backends[account][region]
    found = (backend.get_security_group_from_id(group) for group in groups)
    return any(_accepts(rule, port, peer) for group in found if group for rule in getattr(group, kind))


def _accepts(rule: Any, port: int, peer: Place) -> bool:
    if rule.ip_protocol not in ("-1", "tcp"):
        return False
    if rule.ip_protocol != "-1" and not rule.from_port <= port <= rule.to_port:
        return False
    if rule.source_group.get("GroupId") in peer.groups:
        return True
    return bool(rule.cidr_ipv4) and ipaddress.ip_address(peer.address) in ipaddress.ip_network(rule.cidr_ipv4)
