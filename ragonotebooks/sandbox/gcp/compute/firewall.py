"""Firewall rules of VPC networks: what a rule may say, and whether the rules let a connection pass.

The lowest priority number decides; of two with the same, the one that denies. Without a rule, what comes in is denied and what goes
out is allowed. Source: Google Cloud, "VPC firewall rules", read 2026-11.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from ragonotebooks.sandbox.context import Place
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import ranges
from ragonotebooks.sandbox.gcp.compute.names import HOST, Json, of_network, url_of
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported

_EVERYWHERE: Final = "0.0.0.0/0"
_PROTOCOLS: Final = ("all", "tcp", "udp", "icmp", "esp", "ah", "sctp", "ipip")
_WITH_PORTS: Final = ("tcp", "udp", "sctp", "6", "17", "132")
_TCP: Final = ("all", "tcp", "6")
_LARGEST: Final = 65535
_PORTS: Final = re.compile(r"(\d+)(?:-(\d+))?")
_TAG: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_REFUSED: Final = ("sourceServiceAccounts", "targetServiceAccounts")
_INGRESS_ONLY: Final = ("sourceTags",)


def complete(rule: Json) -> None:
    """Check a rule and fill in what it leaves out.

    Raises:
        ApiError: It is wrong, or the sandbox cannot hold it.
    """
    for field in _REFUSED:
        if rule.get(field):
            raise unsupported(
                f"{HOST} firewall rules with {field}", "are not supported by the sandbox: use network tags"
            )
    direction = rule.setdefault("direction", "INGRESS")
    if direction not in ("INGRESS", "EGRESS"):
        raise _wrong("direction", direction, "Must be INGRESS or EGRESS.")
    priority = rule.setdefault("priority", 1000)
    if not 0 <= int(priority) <= _LARGEST:
        raise _wrong("priority", priority, f"Must be from 0 to {_LARGEST}.")
    if bool(rule.get("allowed")) == bool(rule.get("denied")):
        raise _wrong("allowed", "", "A rule has either 'allowed' or 'denied'.")
    for one in _entries(rule):
        _check_protocol(one)
    _complete_peers(rule, direction)
    rule.setdefault("disabled", False)
    rule.setdefault("logConfig", {"enable": False})


def _complete_peers(rule: Json, direction: str) -> None:
    if direction == "EGRESS":
        for field in _INGRESS_ONLY:
            if rule.get(field):
                raise _wrong(field, rule[field], f"{field} cannot be specified for an EGRESS rule.")
        if not rule.get("destinationRanges"):
            rule["destinationRanges"] = [_EVERYWHERE]
    elif not (rule.get("sourceRanges") or rule.get("sourceTags")):
        rule["sourceRanges"] = [_EVERYWHERE]
    for field in ("sourceRanges", "destinationRanges"):
        for one in rule.get(field, ()):
            ranges.parse(f"resource.{field}", one)
    for field in ("sourceTags", "targetTags"):
        for tag in rule.get(field, ()):
            if not _TAG.fullmatch(tag):
                raise _wrong(field, tag, f"Must be a match of regex '{_TAG.pattern}'")


def _check_protocol(entry: Json) -> None:
    protocol = str(entry.get("IPProtocol", "")).lower()
    if protocol not in _PROTOCOLS and not protocol.isdecimal():
        raise _wrong("allowed[].IPProtocol", protocol, "Invalid protocol.")
    ports = entry.get("ports", ())
    if ports and protocol not in _WITH_PORTS:
        raise _wrong("allowed[].ports", ports, f"Ports cannot be specified for the protocol {protocol}.")
    for port in ports:
        found = _PORTS.fullmatch(str(port))
        if found is None or not int(found[1]) <= int(found[2] or found[1]) <= _LARGEST:
            raise _wrong("allowed[].ports", port, "Ports must be from 0 to 65535, as in 5432 or 8000-8099.")


def lets_out(cloud: Cloud, source: Place, address: str, port: int) -> bool:
    """Whether the egress rules of a place's network let a TCP connection go to an address."""
    for rule in _rules(cloud, source, "EGRESS"):
        if _within(address, rule.get("destinationRanges", ())) and _is_about(rule, port):
            return "allowed" in rule
    return True


def admits(cloud: Cloud, target: Place, port: int, source: Place) -> bool:
    """Whether the ingress rules of a place's network let a TCP connection come."""
    for rule in _rules(cloud, target, "INGRESS"):
        if _comes_from(rule, source, target) and _is_about(rule, port):
            return "allowed" in rule
    return False


def _rules(cloud: Cloud, place: Place, direction: str) -> Iterator[Json]:
    """The rules that hold for a place, that which decides first."""
    found = [
        rule
        for rule in of_network(cloud, url_of(place.vpc or ""), "global/firewalls")
        if rule["direction"] == direction and not rule["disabled"] and _is_target(rule, place)
    ]
    yield from sorted(found, key=lambda rule: (int(rule["priority"]), "allowed" in rule))


def _is_target(rule: Json, place: Place) -> bool:
    tags = rule.get("targetTags")
    return not tags or not place.groups.isdisjoint(tags)


def _comes_from(rule: Json, source: Place, target: Place) -> bool:
    if _within(source.address, rule.get("sourceRanges", ())):
        return True
    return source.vpc == target.vpc and not source.groups.isdisjoint(rule.get("sourceTags", ()))


def _within(address: str, cidrs: Iterable[str]) -> bool:
    return any(IPv4Address(address) in IPv4Network(one) for one in cidrs)


def _is_about(rule: Json, port: int) -> bool:
    return any(_covers(one, port) for one in _entries(rule))


def _covers(entry: Json, port: int) -> bool:
    if str(entry["IPProtocol"]).lower() not in _TCP:
        return False
    ports = [_PORTS.fullmatch(str(one)) for one in entry.get("ports", ())]
    return not ports or any(int(one[1]) <= port <= int(one[2] or one[1]) for one in ports if one)


def _entries(rule: Json) -> list[Json]:
    entries: list[Json] = rule.get("allowed") or rule.get("denied") or []
    return entries


def _wrong(field: str, value: object, why: str) -> ApiError:
    return invalid(f"Invalid value for field 'resource.{field}': '{value}'. {why}", {f"resource.{field}": "invalid"})
