"""Compute Engine's network part and private services access: a network is found by its description."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ragonotebooks.cleanup.gcp.listing import described, listed
from ragonotebooks.cleanup.gcp.rest import Api
from ragonotebooks.cleanup.kind import Found, Kind
from ragonotebooks.cleanup.ownership import Ownership

_PEERING: Final = "servicenetworking-googleapis-com"
_CONNECTION: Final = f"v1/services/servicenetworking.googleapis.com/connections/{_PEERING}"


def _find_connections(compute: Api, owner: Ownership) -> Iterator[Found]:
    for network in compute.each("compute/v1/{project}/global/networks", "items"):
        if described(owner, network) and any(one["name"] == _PEERING for one in network.get("peerings", [])):
            yield Found(f"global/networks/{network['name']}")


def _delete_connection(compute: Api, network: str) -> None:
    api = replace(compute, service="servicenetworking")
    api.start("POST", _CONNECTION, {"consumerNetwork": f"projects/{compute.project}/{network}"})


def _compute(name: str, path: str) -> Kind:
    return listed("compute", name, f"compute/v1/{{project}}/{path}", described, items="items")


CONNECTIONS: Final = Kind("compute", "private services access", _find_connections, _delete_connection)
FIREWALL_RULES: Final = _compute("firewall rule", "global/firewalls")
ROUTERS: Final = _compute("router", "regions/{region}/routers")
ADDRESSES: Final = _compute("address", "regions/{region}/addresses")
RANGES: Final = _compute("global address", "global/addresses")
SUBNETS: Final = _compute("subnet", "regions/{region}/subnetworks")
NETWORKS: Final = _compute("network", "global/networks")
