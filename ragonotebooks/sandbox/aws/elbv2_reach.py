"""Who reaches a load balancer: by its scheme, by routes, and by its security groups, read at the moment of the connection."""

from typing import Any, cast

from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from ragonotebooks.sandbox.aws import network, reach
from ragonotebooks.sandbox.context import Connection, Context, Place


class UnreachableError(Exception):
    """A connection does not reach the load balancer; the message says why."""


def admit(context: Context, task: str | None, host: str, port: int, source_port: int = 0) -> tuple[str, str]:
    """Return a load balancer's ARN and the address from which it sees the caller.

    Args:
        context: The daemon's shared parts.
        task: The ARN of the task that calls, None for what is outside of every network.
        host: The load balancer's DNS name.
        port: The port that is called.
        source_port: The port of the caller.

    Raises:
        UnreachableError: The network does not lead there.
    """
    with context.lock:
        balancer, region = _named(host)
        account = context.state.account
        source = _source(context, task, balancer, region)
        let_in = network.admits(account, region, balancer.security_groups, port, source)
        for target in addresses(balancer, account, region)[:1]:
            context.judged(Connection(source, source_port, target, port, let_out=True, let_in=let_in))
        if all(listener.port != port for listener in balancer.listeners.values()):
            raise UnreachableError(f"{host} has no listener at port {port}")
        if not let_in:
            raise UnreachableError(f"no security group of {host} admits {source.address} at port {port}")
        return str(balancer.arn), source.address


def addresses(balancer: Any, account: str, region: str) -> list[Place]:
    """Return where in its network a load balancer is: its interfaces, one in each of its subnets."""
    groups = frozenset(balancer.security_groups)
    return [
        Place(str(one.private_ip_address), groups, one.subnet.id, vpc=one.subnet.vpc_id)
        for one in ec2_backends[account][region].enis.values()
        if one.description == interface_name(balancer)
    ]


def interface_name(balancer: Any) -> str:
    """How AWS describes the network interfaces of a load balancer: `ELB app/name/id`."""
    return f"ELB {balancer.arn.partition(':loadbalancer/')[2]}"


def _named(host: str) -> tuple[Any, str]:
    for _, region, backend in elbv2_backends.iter_backends():
        for balancer in cast(Any, backend).load_balancers.values():
            if balancer.dns_name.lower() == host.lower():
                return balancer, region
    raise UnreachableError(f"no load balancer is named {host}")


def _source(context: Context, task: str | None, balancer: Any, region: str) -> Place:
    """Where the caller is, as the load balancer sees it."""
    internal = balancer.scheme == "internal"
    if task is None:
        if internal:
            raise UnreachableError(
                f"{balancer.dns_name} is internal: it is reached from inside of {balancer.vpc_id} alone"
            )
        return network.OUTSIDE
    place = context.places.get(task)
    if place is None:
        raise UnreachableError(f"the task {task} has left the network")
    if internal and place.vpc != balancer.vpc_id:
        raise UnreachableError(f"{balancer.dns_name} is internal: it is reached from inside of {balancer.vpc_id} alone")
    if internal:
        return _inside(context, place, balancer, region)
    if problem := reach.reaches(context, place, task.split(":")[3], None):
        raise UnreachableError(problem)
    return Place(_public_address(context, place, task.split(":")[3]))


def _inside(context: Context, place: Place, balancer: Any, region: str) -> Place:
    account = context.state.account
    ports = [listener.port for listener in balancer.listeners.values()]
    for target in addresses(balancer, account, region):
        if any(network.lets_out(account, region, target, port, place) for port in ports):
            return place
    raise UnreachableError(f"no security group of the task lets it out to {balancer.dns_name}")


def _public_address(context: Context, place: Place, region: str) -> str:
    """The address that a task has on the internet: its own, or its NAT gateway's."""
    backend = ec2_backends[context.state.account][region]
    own = (one.public_ip for one in backend.enis.values() if one.private_ip_address == place.address)
    nat = (
        one._eni.public_ip
        for one in backend.nat_gateways.values()
        if (one.vpc_id, one.state) == (place.vpc, "available")
    )
    return str(next(address for address in (*own, *nat) if address))
