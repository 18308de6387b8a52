"""Compute Engine's network part and private services access: a network is found by its description."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from ragonotebooks.cleanup.gcp.listing import description, listed
from ragonotebooks.cleanup.gcp.rest import Api, ApiError
from ragonotebooks.cleanup.kind import Found, Kind, belonging

_PEERING: Final = "servicenetworking-googleapis-com"
_CONNECTIONS: Final = "v1/services/servicenetworking.googleapis.com/connections"


def _find_connections(compute: Api) -> Iterator[Found]:
    for network in compute.each("compute/v1/{project}/global/networks", "items"):
        if any(one["name"] == _PEERING for one in network.get("peerings", [])):
            yield from belonging(description(network), f"global/networks/{network['name']}", regional=False)


def _delete_connection(compute: Api, network: str) -> None:
    body = {"consumerNetwork": f"projects/{compute.project}/{network}"}
    _service_networking(compute).start("POST", f"{_CONNECTIONS}/{_PEERING}", body)


def _delete_range(compute: Api, which: str) -> None:
    path = f"compute/v1/{{project}}/{which}"
    about = compute.call("GET", path)
    network = about["network"].partition("/v1/")[2]
    for connection in _service_networking(compute).each(_CONNECTIONS, "connections", network=network):
        # Google deletes it all the same, and what has addresses in it stands on nothing
        if about["name"] in connection["reservedPeeringRanges"]:
            raise ApiError(409, "", frozenset(), f"it is in use by the connection {connection['peering']} of {network}")
    compute.start("DELETE", path)


def _service_networking(compute: Api) -> Api:
    return replace(compute, service="servicenetworking")


def _compute(name: str, path: str, delete: Callable[[Any, str], object] | None = None) -> Kind:
    return listed("compute", name, f"compute/v1/{{project}}/{path}", description, items="items", delete=delete)


CONNECTIONS: Final = Kind("compute", "private services access", _find_connections, _delete_connection)
FIREWALL_RULES: Final = _compute("firewall rule", "global/firewalls")
ROUTERS: Final = _compute("router", "regions/{region}/routers")
ADDRESSES: Final = _compute("address", "regions/{region}/addresses")
RANGES: Final = _compute("global address", "global/addresses", _delete_range)
SUBNETS: Final = _compute("subnet", "regions/{region}/subnetworks")
NETWORKS: Final = _compute("network", "global/networks")
