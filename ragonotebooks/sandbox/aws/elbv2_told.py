"""What the balancer's process is told: all load balancers and target groups, with the network's verdict on each target."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from moto.elbv2.models import elbv2_backends

from ragonotebooks.sandbox.aws import network
from ragonotebooks.sandbox.aws.elbv2_health import Key
from ragonotebooks.sandbox.aws.elbv2_reach import addresses
from ragonotebooks.sandbox.context import Context, Place

_DAY: Final = 86_400


def world(context: Context, draining: Mapping[Key, float]) -> dict[str, Any]:
    """Describe everything as the process understands it. The caller holds the lock.

    Args:
        context: The daemon's shared parts.
        draining: The targets that were deregistered and have requests left, with the seconds that these may take.
    """
    told: dict[str, Any] = {"balancers": {}, "groups": {}}
    for region, backend in backends():
        for balancer in backend.load_balancers.values():
            told["balancers"][balancer.arn] = _balancer(context, region, balancer)
        for group in backend.target_groups.values():
            told["groups"][group.arn] = _group(context, region, backend, group, draining)
    return told


def backends() -> Iterator[tuple[str, Any]]:
    """Yield each region's backend that there is."""
    yield from ((region, backend) for _, region, backend in elbv2_backends.iter_backends())


def balancer_of(backend: Any, group: str) -> Any | None:
    """Return the load balancer whose rules forward to a target group, None when there is none."""
    for balancer in backend.load_balancers.values():
        rules = (rule for listener in balancer.listeners.values() for rule in listener.rules.values())
        if any(group in weights(action.data) for rule in rules for action in rule.actions):
            return balancer
    return None


def weights(action: Mapping[str, Any]) -> dict[str, int]:
    """Return the target groups of an action, by ARN, with their weights; none for an action that does not forward."""
    config = action.get("ForwardConfig") or {}
    if groups := config.get("TargetGroups"):
        return {one["TargetGroupArn"]: int(one.get("Weight", 1)) for one in groups}
    return {action["TargetGroupArn"]: 1} if action.get("TargetGroupArn") else {}


def _balancer(context: Context, region: str, balancer: Any) -> dict[str, Any]:
    return {
        "idle": float(balancer.attrs["idle_timeout.timeout_seconds"]),
        "forwarded": balancer.attrs["routing.http.xff_header_processing.mode"],
        "listeners": {str(one.port): _listener(context, region, one) for one in balancer.listeners.values()},
    }


def _listener(context: Context, region: str, listener: Any) -> dict[str, Any]:
    rules = sorted(
        listener.rules.values(), key=lambda rule: (rule.is_default, 0 if rule.is_default else int(rule.priority))
    )
    return {"rules": [{"conditions": rule.conditions, "action": _action(rule.actions[-1].data)} for rule in rules]}


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    if action["Type"] == "forward":
        return {"Type": "forward", "groups": weights(action)}
    return dict(action)


def _group(context: Context, region: str, backend: Any, group: Any, draining: Mapping[Key, float]) -> dict[str, Any]:
    balancer = balancer_of(backend, group.arn)
    sources = addresses(balancer, context.state.account, region) if balancer else []
    targets = {
        key: _target(context, region, group, key, sources) | {"draining": seconds}
        for key, seconds in _targets(group, draining)
    }
    sticky = group.attributes["stickiness.enabled"] == "true"
    return {
        "algorithm": group.attributes["load_balancing.algorithm.type"],
        "sticky": int(group.attributes.get("stickiness.lb_cookie.duration_seconds", _DAY)) if sticky else 0,
        "check": _check(group),
        "used": balancer is not None,
        "targets": targets,
    }


def _targets(group: Any, draining: Mapping[Key, float]) -> Iterator[tuple[str, float | None]]:
    yield from ((key, None) for key in group.targets)
    yield from ((key, seconds) for (arn, key), seconds in draining.items() if arn == group.arn)


def _target(context: Context, region: str, group: Any, key: str, sources: list[Place]) -> dict[str, Any]:
    address, _, text = key.rpartition(":")
    port = int(text)
    check_port = port if group.health_check_port == "traffic-port" else int(group.health_check_port)
    place = network.place_of_private_address(context, address, group.vpc_id)
    return {
        "address": place.loopback if place and _leads(context, region, sources, place, port) else None,
        "port": port,
        "check": [place.loopback, check_port]
        if place and _leads(context, region, sources, place, check_port)
        else None,
    }


def _leads(context: Context, region: str, sources: list[Place], place: Place, port: int) -> bool:
    """Whether the security groups let the load balancer connect to a port of a task."""
    account = context.state.account
    return any(
        network.lets_out(account, region, place, port, source)
        and network.admits(account, region, place.groups, port, source)
        for source in sources
    )


def _check(group: Any) -> dict[str, Any]:
    return {
        "path": group.health_check_path,
        "matcher": group.matcher["HttpCode"],
        "interval": int(group.health_check_interval_seconds),
        "timeout": int(group.health_check_timeout_seconds),
        "healthy": int(group.healthy_threshold_count),
        "unhealthy": int(group.unhealthy_threshold_count),
    }
