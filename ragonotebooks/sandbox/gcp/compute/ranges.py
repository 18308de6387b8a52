"""Address ranges of networks: which are taken, which are free."""

from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute.names import Json, of_network
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid

# from where ranges are taken that nobody has chosen
_PRIVATE: Final = IPv4Network("10.0.0.0/8")
# the first two and the last two addresses of a subnet are the network's own
_RESERVED: Final = 2


def parse(field: str, text: str) -> IPv4Network:
    """Read a range such as `10.30.0.0/20`.

    Raises:
        ApiError: It is none, or it has bits behind its mask.
    """
    try:
        return IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError):
        text = f"Invalid value for field '{field}': '{text}'. Must be a valid CIDR address range."
        raise invalid(text, {field: "malformed"}) from None


def taken(cloud: Cloud, network: str) -> Iterator[tuple[IPv4Network, str]]:
    """Yield the ranges in a network, given by its URL, with the URL of what has each."""
    for subnet in of_network(cloud, network, "regions/-/subnetworks"):
        yield IPv4Network(subnet["ipCidrRange"]), subnet["selfLink"]
        for second in subnet.get("secondaryIpRanges", ()):
            yield IPv4Network(second["ipCidrRange"]), subnet["selfLink"]
    for address in of_network(cloud, network, "global/addresses"):
        yield IPv4Network(f"{address['address']}/{address['prefixLength']}"), address["selfLink"]


def check_free(cloud: Cloud, network: str, wanted: IPv4Network, field: str, besides: str = "") -> None:
    """Refuse a range that overlaps with one in the network; `besides` is the URL of a resource that does not count."""
    for other, owner in taken(cloud, network):
        if owner != besides and wanted.overlaps(other):
            text = f"Invalid IPCidrRange: {wanted} conflicts with existing range {other} of '{owner}'."
            raise invalid(text, {field: "overlaps"})


def free_range(cloud: Cloud, network: str, prefix: int) -> IPv4Network:
    """Return a range of a network that nothing has."""
    used = [one for one, _ in taken(cloud, network)]
    for candidate in _PRIVATE.subnets(new_prefix=prefix):
        if not any(candidate.overlaps(one) for one in used):
            return candidate
    raise ApiError("RESOURCE_EXHAUSTED", f"No free range of /{prefix} is left in '{network}'.")


def free_address(within: IPv4Network, used: Iterable[str]) -> str:
    """Return an address of a range that is neither used nor the network's own.

    Raises:
        ApiError: None is left.
    """
    occupied = set(used)
    first, last = int(within.network_address) + _RESERVED, int(within.broadcast_address) - _RESERVED
    for number in range(first, last + 1):
        if (address := str(IPv4Address(number))) not in occupied:
            return address
    raise ApiError("RESOURCE_EXHAUSTED", f"IP space of {within} is exhausted.")


def subnet_range(subnet: Json) -> IPv4Network:
    """The primary range of a subnet."""
    return IPv4Network(subnet["ipCidrRange"])
