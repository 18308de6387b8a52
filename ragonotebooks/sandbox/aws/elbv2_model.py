"""ELBv2 where moto lacks it: names that are not taken twice, network interfaces, defaults, targets by address and port with the
health that was found, and refusals by name of what the sandbox does not balance.
"""

import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from moto.elbv2 import models
from moto.elbv2.exceptions import ELBClientError, InvalidTargetError, TargetGroupNotFoundError
from moto.elbv2.responses import ELBV2Response

from ragonotebooks.sandbox.aws import elbv2_checks as checks
from ragonotebooks.sandbox.aws.ec2_addresses import free_address
from ragonotebooks.sandbox.aws.elbv2_health import DRAINING, NOT_REGISTERED, NOT_USED, REGISTERING, Controller, Health
from ragonotebooks.sandbox.aws.elbv2_reach import interface_name
from ragonotebooks.sandbox.aws.elbv2_told import balancer_of
from ragonotebooks.sandbox.context import Context

_DELAY: Final = "deregistration_delay.timeout_seconds"
_WAIT_SECONDS: Final = 25.0
# Application Load Balancers user guide, "Load balancer attributes", read 2026-11
_ATTRIBUTES: Final = {
    "access_logs.s3.enabled": "false",
    "client_keep_alive.seconds": "3600",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
}
_CHANGES: Final = (
    *("create_load_balancer", "delete_load_balancer", "modify_load_balancer_attributes"),
    *("set_security_groups", "set_subnets"),
    *("create_listener", "modify_listener", "delete_listener"),
    *("create_rule", "modify_rule", "delete_rule", "set_rule_priorities"),
    *("create_target_group", "modify_target_group", "modify_target_group_attributes", "delete_target_group"),
    *("register_targets", "deregister_targets"),
)


def install(context: Context, controller: Controller) -> None:
    """Put the differences into moto, before its ELBv2 is used for the first time."""
    Backend.controller = controller
    for name in _CHANGES:
        setattr(Backend, name, _followed(getattr(Backend, name)))
    models.elbv2_backends.backend = Backend
    models.FakeLoadBalancer.activate = lambda balancer: setattr(balancer, "state", "active")
    models.FakeTargetGroup.load_balancer_arns = property(_balancers_of, lambda group, value: None)
    describe = ELBV2Response.describe_target_health

    def describe_target_health(response: Any) -> Any:
        if _is_waiter(response.headers):
            context.wait_until(lambda: not _moving(response), _WAIT_SECONDS)
        return describe(response)

    ELBV2Response.describe_target_health = describe_target_health


class Backend(models.ELBv2Backend):
    """moto's backend, whose every change the controller follows."""

    # moto derives an API's URLs from the module that its backend is defined in
    __module__ = "moto.elbv2.models"
    controller: Controller

    def create_load_balancer(
        self,
        name: str,
        security_groups: list[str],
        subnet_ids: list[str],
        subnet_mappings: list[dict[str, str]] | None = None,
        scheme: str | None = None,
        loadbalancer_type: str | None = None,
        ip_address_type: str = "ipv4",
        tags: list[dict[str, str]] | None = None,
    ) -> Any:
        """Create a load balancer with an interface in each subnet."""
        scheme, kind = scheme or "internet-facing", loadbalancer_type or "application"
        subnets = [*subnet_ids, *(mapping["SubnetId"] for mapping in subnet_mappings or [])]
        vpc = checks.check_balancer(self, name, kind, subnets, scheme, ip_address_type)
        ec2: Any = self.ec2_backend
        groups = security_groups or [ec2.get_default_security_group(vpc).id]
        made = super().create_load_balancer(name, groups, subnets, [], scheme, kind, ip_address_type, tags)
        number, prefix = zlib.crc32(made.arn.encode()), "internal-" if scheme == "internal" else ""
        made.dns_name = f"{prefix}{name}-{number}.{self.region_name}.elb.amazonaws.com"
        made.attrs |= _ATTRIBUTES
        self._place(made)
        return made

    def delete_load_balancer(self, arn: str) -> None:
        """Delete a load balancer that is not protected, and its interfaces."""
        balancer = self.load_balancers.get(arn)
        if balancer and balancer.attrs["deletion_protection.enabled"] == "true":
            message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            raise ELBClientError("OperationNotPermitted", message)
        super().delete_load_balancer(arn)
        if balancer:
            self._unplace(balancer)

    def modify_load_balancer_attributes(self, arn: str, attrs: dict[str, Any]) -> dict[str, Any]:
        """Change attributes that mean something here."""
        if arn in self.load_balancers:
            checks.check_attributes("ModifyLoadBalancerAttributes", attrs, self.load_balancers[arn].attrs)
        return super().modify_load_balancer_attributes(arn, attrs)

    def set_security_groups(self, arn: str, sec_groups: list[str]) -> None:
        """Give a load balancer other security groups."""
        super().set_security_groups(arn, sec_groups)
        self._place(self.load_balancers[arn])

    def set_subnets(self, arn: str, *args: Any) -> Any:
        """Put a load balancer into other subnets."""
        zones = super().set_subnets(arn, *args)
        self._place(self.load_balancers[arn])
        return zones

    def create_listener(self, load_balancer_arn: str, protocol: str, port: str, *args: Any, **kwargs: Any) -> Any:
        """Create a listener on a port that has none."""
        checks.check_listener(self, load_balancer_arn, protocol, port)
        checks.check_rule(self, load_balancer_arn, [], kwargs["actions"])
        return super().create_listener(load_balancer_arn, protocol, port, *args, **kwargs)

    def modify_listener(
        self,
        arn: str,
        port: str | None = None,
        protocol: str | None = None,
        ssl_policy: str | None = None,
        certificates: list[dict[str, Any]] | None = None,
        actions: list[dict[str, Any]] | None = None,
    ) -> Any:
        """Change a listener, or its default rule."""
        balancer = self.describe_listeners(None, [arn])[0].load_balancer_arn
        checks.check_listener(self, balancer, protocol, port, arn)
        checks.check_rule(self, balancer, [], actions or [])
        return super().modify_listener(arn, port, protocol, ssl_policy, certificates or [], actions or [])

    def create_rule(self, listener_arn: str, conditions: Any, priority: int, actions: Any, tags: Any = None) -> Any:
        """Create a rule that the sandbox can follow."""
        balancer = self.describe_listeners(None, [listener_arn])[0].load_balancer_arn
        checks.check_rule(self, balancer, conditions, actions)
        return super().create_rule(listener_arn, conditions, priority, actions, tags)

    def modify_rule(self, rule_arn: str, conditions: Any, actions: Any) -> Any:
        """Change a rule."""
        listener = self.describe_rules(None, [rule_arn])[0].listener_arn
        checks.check_rule(self, self.describe_listeners(None, [listener])[0].load_balancer_arn, conditions, actions)
        return super().modify_rule(rule_arn, conditions, actions)

    def create_target_group(self, name: str, **asked: Any) -> Any:
        """Create a target group of addresses that speak HTTP."""
        checks.check_group(asked, "CreateTargetGroup")
        return super().create_target_group(name, **asked)

    def modify_target_group(self, arn: str, health_check_proto: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Change a target group's health check, which speaks HTTP."""
        checks.check_group({"healthcheck_protocol": health_check_proto}, "ModifyTargetGroup")
        return super().modify_target_group(arn, health_check_proto, *args, **kwargs)

    def set_ip_address_type(self, arn: str, ip_type: str) -> None:
        """A load balancer keeps its addresses of version 4."""
        if ip_type != "ipv4":
            raise checks.refused("SetIpAddressType", f"IpAddressType {ip_type}")
        super().set_ip_address_type(arn, ip_type)

    def modify_target_group_attributes(self, target_group_arn: str, attributes: dict[str, Any]) -> None:
        """Change attributes that mean something here."""
        now = self._group(target_group_arn).attributes
        checks.check_attributes("ModifyTargetGroupAttributes", attributes, now)
        super().modify_target_group_attributes(target_group_arn, attributes)

    def register_targets(self, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        """Register addresses, each with a port of its own or the group's; those that are there stay."""
        group = self._group(target_group_arn)
        for target in instances:
            checks.check_target(self, group, target["Id"])
        for target in instances:
            key = _key(group, target)
            if key not in group.targets:
                group.targets[key] = {"Id": target["Id"], "Port": int(target.get("Port") or group.port)}
                self.controller.register((group.arn, key))

    def deregister_targets(self, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        """Deregister addresses; without a port, at all their ports."""
        group = self._group(target_group_arn)
        for target in instances:
            gone = [key for key, one in group.targets.items() if _is_meant(target, one)]
            if not gone:
                raise InvalidTargetError
            for key in gone:
                del group.targets[key]
                self.controller.deregister((group.arn, key), float(group.attributes[_DELAY]))

    def describe_target_health(self, target_group_arn: str, targets: list[dict[str, Any]]) -> list[Any]:
        """Describe how targets are, all that are registered or drain unless some are named."""
        group = self._group(target_group_arn)
        everything = {**group.targets, **self.controller.draining(group.arn)}
        asked = targets or list(everything.values())
        named = {_key(group, target): {"Port": int(group.port), **target} for target in asked}
        return [self._status(group, key, target) for key, target in named.items()]

    def _status(self, group: Any, key: str, target: dict[str, Any]) -> Any:
        health = self._health(group, key)
        port = target["Port"] if group.health_check_port == "traffic-port" else group.health_check_port
        return models.FakeHealthStatus(
            target["Id"], target["Port"], str(port), health.state, health.reason, health.description
        )

    def _health(self, group: Any, key: str) -> Health:
        if key in self.controller.draining(group.arn):
            return DRAINING
        if key not in group.targets:
            return NOT_REGISTERED
        if balancer_of(self, group.arn) is None:
            return NOT_USED
        return self.controller.health(group.arn, key) or REGISTERING

    def _group(self, arn: str) -> Any:
        if arn not in self.target_groups:
            raise TargetGroupNotFoundError
        return self.target_groups[arn]

    def _place(self, balancer: Any) -> None:
        """Give a load balancer an interface in each of its subnets."""
        self._unplace(balancer)
        for subnet in balancer.subnets:
            address = free_address(self.ec2_backend, subnet.id)
            if address is None:
                raise ELBClientError("InvalidSubnet", f"Not enough IP space available in {subnet.id}")
            interface = self.ec2_backend.create_network_interface(
                subnet, address, group_ids=balancer.security_groups, description=interface_name(balancer)
            )
            interface.status, interface.requester_managed = "in-use", True

    def _unplace(self, balancer: Any) -> None:
        interfaces, name = self.ec2_backend.enis, interface_name(balancer)
        for identifier in [one.id for one in interfaces.values() if one.description == name]:
            del interfaces[identifier]


def _followed(change: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(change)
    def changed(backend: Backend, *args: Any, **kwargs: Any) -> Any:
        made = change(backend, *args, **kwargs)
        backend.controller.sync()
        return made

    return changed


def _moving(response: Any) -> bool:
    """Whether a target that is asked for is on its way to another state."""
    group, targets = response._get_param("TargetGroupArn"), response._get_param("Targets", [])
    found = response.elbv2_backend.describe_target_health(group, targets)
    return any(health.status in ("initial", "draining") for health in found)


def _is_waiter(headers: Any) -> bool:
    """Whether a botocore waiter asks: it says so in the list of features of its user agent."""
    words = str(headers.get("User-Agent", "")).split()
    return any(word.startswith("m/") and "B" in word[2:].split(",") for word in words)


def _balancers_of(group: Any) -> list[str]:
    balancer = balancer_of(models.elbv2_backends[group.account_id][group.region_name], group.arn)
    return [balancer.arn] if balancer else []


def _key(group: Any, target: dict[str, Any]) -> str:
    return f"{target['Id']}:{target.get('Port') or group.port}"


def _is_meant(named: dict[str, Any], target: dict[str, Any]) -> bool:
    return (named["Id"], int(named.get("Port") or target["Port"])) == (target["Id"], target["Port"])
