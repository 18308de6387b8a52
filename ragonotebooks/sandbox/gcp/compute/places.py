"""Who reaches whom: the places that programs have in a VPC network, and what its rules, routes and connections let pass.

A managed service with a private address (Cloud SQL, Memorystore) lives in a network of Google's that is connected to the
consumer's. It is reached from that network alone, where the egress rules of the caller let it go.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ragonotebooks.sandbox.callers import Address, CallerGone
from ragonotebooks.sandbox.context import Connection, Context, Place
from ragonotebooks.sandbox.front import OPERATOR_ADDRESS
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import firewall, private_services, ranges, routers
from ragonotebooks.sandbox.gcp.compute.names import Json, find, of_network, path_of, referenced

#: A notebook, a shell, a browser: everything that is not a task is outside of every network.
OUTSIDE: Final = Place(OPERATOR_ADDRESS)

_HTTPS: Final = 443
_EVERYWHERE: Final = "0.0.0.0/0"
# Google's APIs, by one of their public addresses: a rule for everything is about it, a rule for private ranges is not
_GOOGLE: Final = "142.250.0.95"


@dataclass(frozen=True)
class ServiceEndpoint:
    """Where a managed service has its private address.

    Attributes:
        network: The path of the consumer's network.
        address: The address in the range that the network has allocated.
        port: The port.
    """

    network: str
    address: str
    port: int


def place_in(cloud: Cloud, subnetwork: str, tags: Iterable[str] = (), loopback: str | None = None) -> Place:
    """Return a new place in a subnet with an address that no other has; the caller holds the lock and enters it in `places`.

    Args:
        cloud: The cloud.
        subnetwork: A reference to the subnet, in any of its forms.
        tags: The network tags.
        loopback: Where on this machine its own listeners are.

    Raises:
        ApiError: There is no such subnet, or it is full.
    """
    subnet = referenced(cloud, "subnetwork", subnetwork, "subnetworks")
    path = path_of(cloud, subnet["selfLink"])
    used = [place.address for place in cloud.context.places.values() if place.subnet == path]
    address = ranges.free_address(ranges.subnet_range(subnet), used)
    return Place(address, frozenset(tags), path, loopback, path_of(cloud, subnet["network"]))


def who(context: Context, client: Address, here: Address) -> Place | None:
    """Return where a connection comes from; None when its caller has gone."""
    try:
        task = context.callers.who(client, here)
    except CallerGone:
        return None
    return context.places.get(task, OUTSIDE) if task else OUTSIDE


def admits_to_service(cloud: Cloud, endpoint: ServiceEndpoint, client: Address, here: Address) -> bool:
    """Whether a connection to a managed service's private address passes; a relay asks this."""
    source = who(cloud.context, client, here)
    if source is None:
        return False
    with cloud.context.lock:
        target = Place(endpoint.address, vpc=endpoint.network)
        let_in = source.vpc == endpoint.network and private_services.is_connected(cloud, endpoint.network)
        let_out = source.vpc is None or firewall.lets_out(cloud, source, endpoint.address, endpoint.port)
        return cloud.context.judged(Connection(source, client[1], target, endpoint.port, let_out, let_in))


def reaches(cloud: Cloud, source: Place, target: Place, port: int) -> bool:
    """Whether a program at one place reaches another's, both in VPC networks: the rules of both ends decide."""
    return (
        source.vpc == target.vpc
        and firewall.lets_out(cloud, source, target.address, port)
        and firewall.admits(cloud, target, port, source)
    )


def reaches_google(cloud: Cloud, place: Place) -> str | None:
    """Return why a program whose whole traffic goes through a subnet does not reach Google's APIs, None when it does.

    Source: Google Cloud, "Private Google Access", read 2026-11.
    """
    subnet = find(cloud, place.subnet or "")
    if subnet is None:
        return f"the subnet {place.subnet} is gone"
    if not _has_default_route(cloud, subnet):
        return f"the network of {place.subnet} has no route to {_EVERYWHERE}"
    if not (subnet.get("privateIpGoogleAccess") or routers.has_nat(cloud, subnet)):
        return f"the subnet {place.subnet} has neither Private Google Access nor a NAT gateway"
    if not firewall.lets_out(cloud, place, _GOOGLE, _HTTPS):
        return f"a firewall rule of the network {place.vpc} denies what leaves for Google's APIs"
    return None


def occupant(cloud: Cloud, subnet: Json) -> str | None:
    """Return the name of a program that has a place in a subnet, None when there is none."""
    path = path_of(cloud, subnet["selfLink"])
    return next((name for name, place in cloud.context.places.items() if place.subnet == path), None)


def _has_default_route(cloud: Cloud, subnet: Json) -> bool:
    routes = of_network(cloud, subnet["network"], "global/routes")
    return any(route["destRange"] == _EVERYWHERE for route in routes)
