"""What uses a security group, a subnet or a VPC, so that it cannot be deleted."""

from collections.abc import Iterable, Iterator
from typing import Any

from moto.backends import get_backend
from moto.ec2.exceptions import DependencyViolationError


def refuse(message: str, uses: Iterable[str]) -> None:
    """Raise EC2's DependencyViolation with `message` and the first user, if there is one."""
    user = next(iter(uses), None)
    if user is not None:
        raise DependencyViolationError(f"{message} (used by {user})")


def of_group(backend: Any, group: Any) -> Iterator[str]:
    """Yield what is in a security group and what has rules that refer to it."""
    for interface in backend.enis.values():
        if any(one.id == group.id for one in interface.group_set):
            yield interface.id
    for database in _databases(backend):
        if group.id in database.vpc_security_group_ids:
            yield database.arn
    for other in (one for groups in backend.groups.values() for one in groups.values() if one.id != group.id):
        rules = [*other.ingress_rules, *other.egress_rules]
        if any(rule.source_group.get("GroupId") == group.id for rule in rules):
            yield other.id


def of_subnet(backend: Any, subnet: str) -> Iterator[str]:
    """Yield what has an interface in a subnet; a database may have one in each subnet of its group."""
    for interface in backend.enis.values():
        if interface.subnet.id == subnet:
            yield interface.id
    for gateway in backend.nat_gateways.values():
        if gateway.subnet_id == subnet and gateway.state != "deleted":
            yield gateway.id
    for database in _databases(backend):
        group = database.db_subnet_group
        if group and any(one.id == subnet for one in group._subnets):
            yield database.arn


def of_vpc(backend: Any, vpc: str) -> Iterator[str]:
    """Yield what is in a VPC, but the default group and the main route table that it was made with."""
    yield from (one.id for one in backend.describe_subnets(filters={"vpc-id": [vpc]}))
    yield from (group.id for group in backend.groups.get(vpc, {}).values() if not group.is_default)
    yield from (one.id for one in backend.vpc_end_points.values() if one.vpc_id == vpc)
    yield from (one.id for one in backend.internet_gateways.values() if one.vpc and one.vpc.id == vpc)
    tables = [table for table in backend.route_tables.values() if table.vpc_id == vpc]
    yield from (table.id for table in tables if not table.main_association_id)


def _databases(backend: Any) -> list[Any]:
    return list(get_backend("rds")[backend.account_id][backend.region_name].databases.values())
