"""What AWS and the sandbox accept of a load balancer: each refusal in AWS's words, or by name where only the sandbox lacks it.

Source: Elastic Load Balancing API reference 2015-12-01, read 2026-11.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

from moto.ec2.models import ec2_backends
from moto.elbv2.exceptions import DuplicateListenerError, DuplicateLoadBalancerName, ELBClientError

from ragonotebooks.sandbox.aws.elbv2_told import balancer_of, weights
from ragonotebooks.sandbox.aws.errors import ApiError, unsupported

_SERVICE: Final = "elasticloadbalancing"
_ACTIONS: Final = ("forward", "redirect", "fixed-response")
_ALGORITHMS: Final = ("round_robin", "least_outstanding_requests")
# the attributes that mean something here; others keep the value that they have from the start
_FOLLOWED: Final = frozenset(
    {
        *("deletion_protection.enabled", "idle_timeout.timeout_seconds", "routing.http.preserve_host_header.enabled"),
        *("routing.http.xff_header_processing.mode", "deregistration_delay.timeout_seconds"),
        *("load_balancing.algorithm.type", "stickiness.enabled", "stickiness.lb_cookie.duration_seconds"),
    }
)


def refused(operation: str, what: str) -> ApiError:
    """Return the refusal of something that AWS has and the sandbox lacks."""
    return unsupported(_SERVICE, operation, f"with {what} is not supported by the sandbox")


def check_balancer(backend: Any, name: str, kind: str, subnets: Iterable[str], scheme: str, addresses: str) -> str:
    """Return the id of the VPC of a load balancer, or raise the API's error for one that cannot be made."""
    if kind != "application":
        raise refused("CreateLoadBalancer", f"Type {kind}")
    if addresses != "ipv4":
        raise refused("CreateLoadBalancer", f"IpAddressType {addresses}")
    if any(balancer.name == name for balancer in backend.load_balancers.values()):
        raise DuplicateLoadBalancerName
    ec2: Any = ec2_backends[backend.account_id][backend.region_name]
    found = [ec2.get_subnet(subnet) for subnet in subnets]
    if len({subnet.availability_zone for subnet in found if subnet}) < 2:
        raise ELBClientError(
            "ValidationError", "At least two subnets in two different Availability Zones must be specified"
        )
    vpc = found[0].vpc_id
    inside = any(gateway.vpc and gateway.vpc.id == vpc for gateway in ec2.internet_gateways.values())
    if scheme == "internet-facing" and not inside:
        raise ELBClientError("InvalidSubnet", f"VPC {vpc} has no internet gateway")
    return str(vpc)


def check_group(asked: Mapping[str, Any], operation: str) -> None:
    """Raise a refusal for a target group that the sandbox does not balance."""
    refusals = {
        "TargetType": (asked.get("target_type") or "ip", ("ip",)),
        "Protocol": (asked.get("protocol") or "HTTP", ("HTTP",)),
        "ProtocolVersion": (asked.get("protocol_version") or "HTTP1", ("HTTP1",)),
        "HealthCheckProtocol": (asked.get("healthcheck_protocol") or "HTTP", ("HTTP",)),
        "IpAddressType": (asked.get("ip_address_type") or "ipv4", ("ipv4",)),
    }
    for name, (value, supported) in refusals.items():
        if value not in supported:
            raise refused(operation, f"{name} {value}")


def check_target(backend: Any, group: Any, address: str) -> None:
    """Raise the API's error for an address that is not in the VPC of the target group."""
    ec2: Any = ec2_backends[backend.account_id][backend.region_name]
    vpc = ec2.get_vpc(group.vpc_id)
    try:
        inside = ipaddress.ip_address(address) in ipaddress.ip_network(vpc.cidr_block)
    except ValueError:
        raise ELBClientError("ValidationError", f"The IP address '{address}' is not a valid IPv4 address") from None
    if not inside:
        message = f"The IP address '{address}' is not within the VPC '{group.vpc_id}' of the target group"
        raise ELBClientError("InvalidTarget", message)


def check_attributes(operation: str, attributes: Mapping[str, str], now: Mapping[str, Any]) -> None:
    """Raise a refusal for attributes that would not be followed, of something whose attributes are `now` so."""
    for name, value in attributes.items():
        if name not in _FOLLOWED and value != str(now.get(name)):
            raise refused(operation, f"{name} {value}")
    algorithm = attributes.get("load_balancing.algorithm.type", _ALGORITHMS[0])
    if algorithm not in _ALGORITHMS:
        raise refused(operation, f"load_balancing.algorithm.type {algorithm}")


def check_listener(backend: Any, balancer: str, protocol: str | None, port: Any, listener: str = "") -> None:
    """Raise the API's error for a listener that a load balancer, given by its ARN, cannot have."""
    if protocol == "HTTPS":
        raise refused("CreateListener", "Protocol HTTPS")
    there = backend.load_balancers[balancer].listeners.values() if balancer in backend.load_balancers else []
    if any(port and int(one.port) == int(port) and one.arn != listener for one in there):
        raise DuplicateListenerError


def check_block(block: str) -> None:
    """Raise the API's error for what is no CIDR block."""
    try:
        ipaddress.ip_network(block)
    except ValueError:
        raise ELBClientError("ValidationError", f"The source IP '{block}' is not a valid CIDR block") from None


def check_rule(
    backend: Any, balancer: str, conditions: Iterable[Mapping[str, Any]], actions: Iterable[Mapping[str, Any]]
) -> None:
    """Raise the API's error for a rule that the sandbox cannot follow, of the load balancer given by its ARN."""
    for condition in conditions:
        configs = [value for name, value in condition.items() if name.endswith("Config")]
        for block in (condition.get("SourceIpConfig") or {}).get("Values", []):
            check_block(block)
        if "RegexValues" in condition or any("RegexValues" in config for config in configs):
            raise refused("CreateRule", f"RegexValues for {condition['Field']}")
    for action in actions:
        if action["Type"] not in _ACTIONS:
            raise refused("CreateRule", f"an action {action['Type']}")
        sticky = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
        if sticky.get("Enabled"):
            raise refused("CreateRule", "TargetGroupStickinessConfig")
        for group in weights(action):
            owner = balancer_of(backend, group)
            if owner is not None and owner.arn != balancer:
                message = f"The following target groups cannot be associated with more than one load balancer: {group}"
                raise ELBClientError("TargetGroupAssociationLimit", message)
