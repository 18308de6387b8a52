"""Private services access: the ranges that a network has set aside for Google's services, and the addresses that these took."""

from ipaddress import IPv4Network
from typing import Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import ranges
from ragonotebooks.sandbox.gcp.compute.names import HOST, Json
from ragonotebooks.sandbox.gcp.errors import invalid, unmet

SERVICE_NETWORKING: Final = "servicenetworking.googleapis.com"

#: The name of every connection to Google's services, and of the peering that it makes.
PEERING: Final = "servicenetworking-googleapis-com"


class PrivateAddresses:
    """The addresses that managed services have, by network; one for a sandbox, at `cloud.context.part(PrivateAddresses, …)`."""

    def __init__(self) -> None:
        self._owners: dict[str, dict[str, str]] = {}

    def take(self, cloud: Cloud, network: str, owner: str, wanted: str = "") -> str:
        """Return a new address for a service.

        Args:
            cloud: The cloud.
            network: The path of the consumer's network.
            owner: What a person calls the service's resource.
            wanted: The name of the allocated range; empty for any.

        Raises:
            ApiError: The network has no connection, or no such range.
        """
        if not is_connected(cloud, network):
            text = (
                f"Failed to create subnetwork. Please create Service Networking connection with service "
                f"'{SERVICE_NETWORKING}' from consumer project '{cloud.project.number}' network "
                f"'{network.rpartition('/')[2]}' again."
            )
            raise unmet(text)
        found = [within for name, within in _ranges(cloud, network) if wanted in ("", name)]
        if not found:
            raise invalid(f"The allocated IP range {wanted!r} is none of the network's connection.")
        owners = self._owners.setdefault(network, {})
        address = ranges.free_address(found[0], owners)
        owners[address] = owner
        return address

    def release(self, network: str, owner: str) -> None:
        """The resource that had an address is gone."""
        self._owners[network] = {address: other for address, other in self._owners[network].items() if other != owner}

    def owners(self, network: str) -> list[str]:
        """Who has addresses in a network's ranges."""
        return list(self._owners.get(network, {}).values())


def addresses(cloud: Cloud) -> PrivateAddresses:
    """The sandbox's one register of them."""
    return cloud.context.part(PrivateAddresses, PrivateAddresses)


def connection_path(network: str) -> str:
    """Under which name the store keeps the connection of a network, given by its path."""
    return f"services/{SERVICE_NETWORKING}/connections/{network.rpartition('/')[2]}"


def is_connected(cloud: Cloud, network: str) -> bool:
    """Whether a network, given by its path, has private services access."""
    return cloud.store.find(SERVICE_NETWORKING, connection_path(network)) is not None


def _ranges(cloud: Cloud, network: str) -> list[tuple[str, IPv4Network]]:
    """The allocated ranges of a network's connection, with their names."""
    connection: Json = cloud.store.get(SERVICE_NETWORKING, connection_path(network))
    found = [find_range(cloud, name) for name in connection["reservedPeeringRanges"]]
    return [(one["name"], IPv4Network(f"{one['address']}/{one['prefixLength']}")) for one in found if one]


def find_range(cloud: Cloud, name: str) -> Json | None:
    """The global address that is an allocated range, None when there is none."""
    return cloud.store.find(HOST, f"{cloud.project.name}/global/addresses/{name}")
