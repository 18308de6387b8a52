"""Cloud Routers with Cloud NAT: what a router may say, and whether a subnet has a way out through one."""

from typing import Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute.names import HOST, Json, check_name, of_network, path_of, referenced
from ragonotebooks.sandbox.gcp.errors import invalid, unmet, unsupported

_ALL: Final = ("ALL_SUBNETWORKS_ALL_IP_RANGES", "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES")
_SOME: Final = "LIST_OF_SUBNETWORKS"
_ADDRESSES: Final = ("AUTO_ONLY", "MANUAL_ONLY")
# what a router says to other networks, of which the sandbox has none
_REFUSED: Final = ("bgpPeers", "interfaces")


def complete(cloud: Cloud, router: Json) -> None:
    """Check a router with its NAT gateways and fill in what they leave out.

    Raises:
        ApiError: It is wrong, or the sandbox has no such thing.
    """
    for field in _REFUSED:
        if router.get(field):
            raise unsupported(f"{HOST} routers with {field}")
    names = [nat.get("name", "") for nat in router.get("nats", ())]
    if len(set(names)) < len(names):
        raise invalid("Invalid value for field 'resource.nats': two have the same name.", {"resource.nats": "invalid"})
    for nat in router.get("nats", ()):
        _complete(cloud, nat)


def _complete(cloud: Cloud, nat: Json) -> None:
    check_name(nat.get("name", ""))
    how = nat.get("natIpAllocateOption")
    if how not in _ADDRESSES:
        raise _wrong("natIpAllocateOption", how, f"Must be {' or '.join(_ADDRESSES)}.")
    addresses = nat.get("natIps", [])
    if bool(addresses) != (how == "MANUAL_ONLY"):
        raise _wrong("natIps", addresses, "Addresses are named with MANUAL_ONLY, and with it alone.")
    nat["natIps"] = [referenced(cloud, "resource.nats[].natIps", one, "addresses")["selfLink"] for one in addresses]
    which = nat.get("sourceSubnetworkIpRangesToNat")
    if which not in (*_ALL, _SOME):
        raise _wrong("sourceSubnetworkIpRangesToNat", which, f"Must be one of {', '.join((*_ALL, _SOME))}.")
    if bool(nat.get("subnetworks")) != (which == _SOME):
        raise _wrong("subnetworks", nat.get("subnetworks"), f"Subnets are named with {_SOME}, and with it alone.")
    for subnet in nat.get("subnetworks", ()):
        found = referenced(cloud, "resource.nats[].subnetworks", subnet.get("name", ""), "subnetworks")
        subnet["name"] = found["selfLink"]
    nat.setdefault("type", "PUBLIC")
    if nat["type"] != "PUBLIC":
        raise unsupported(f"{HOST} NAT gateways of the type {nat['type']}")
    nat.setdefault("enableEndpointIndependentMapping", False)
    nat.setdefault("endpointTypes", ["ENDPOINT_TYPE_VM"])


def has_nat(cloud: Cloud, subnet: Json) -> bool:
    """Whether a NAT gateway takes what leaves a subnet."""
    for router in of_network(cloud, subnet["network"], "regions/-/routers"):
        if path_of(cloud, router["region"]) == path_of(cloud, subnet["region"]):
            for nat in router.get("nats", ()):
                if nat["sourceSubnetworkIpRangesToNat"] in _ALL or _names(nat, subnet):
                    return True
    return False


def check_unused(cloud: Cloud, subnet: Json) -> None:
    """Refuse to delete a subnet that a NAT gateway names."""
    for router in of_network(cloud, subnet["network"], "regions/-/routers"):
        if any(_names(nat, subnet) for nat in router.get("nats", ())):
            raise unmet(f"The subnetwork resource '{subnet['name']}' is already being used by '{router['selfLink']}'")


def _names(nat: Json, subnet: Json) -> bool:
    return subnet["selfLink"] in [one["name"] for one in nat.get("subnetworks", ())]


def _wrong(field: str, value: object, why: str) -> Exception:
    return invalid(f"Invalid value for field 'resource.nats[].{field}': '{value}'. {why}", {field: "invalid"})
