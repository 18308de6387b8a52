"""Service Networking: private services access, by which a network is connected to that of Google's managed services."""

from typing import Any, ClassVar, Final

from ragonotebooks.sandbox.gcp.compute.names import HOST, Json, find, path_of, url_of
from ragonotebooks.sandbox.gcp.compute.private_services import (
    PEERING,
    SERVICE_NETWORKING,
    addresses,
    connection_path,
    find_range,
)
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, not_found, unmet, unsupported
from ragonotebooks.sandbox.gcp.json_service import JsonService
from ragonotebooks.sandbox.gcp.service import Call, rpc

_SERVICE: Final = f"services/{SERVICE_NETWORKING}"


class ServiceNetworking(JsonService):
    """Connections, one a network."""

    host = SERVICE_NETWORKING
    title = "Service Networking API"
    api = ("servicenetworking", "v1")
    permissions: ClassVar = {
        "servicenetworking.services.connections.create": "servicenetworking.services.addPeering",
        "servicenetworking.services.connections.deleteConnection": "servicenetworking.services.deleteConnection",
        "servicenetworking.services.connections.list": "servicenetworking.services.get",
        "servicenetworking.services.connections.patch": "servicenetworking.services.addPeering",
    }

    @rpc("servicenetworking.services.connections.create")
    def _create(self, call: Call) -> Any:
        network = self._network(call, call.body.get("network", ""))
        path = connection_path(network)
        if self.cloud.store.find(self.host, path) is not None:
            raise ApiError(
                "ALREADY_EXISTS", f"A connection to {call.body['network']} exists already: change it with patch."
            )
        connection = {
            "network": self.cloud.project.canonical(network, numbered=True),
            "reservedPeeringRanges": self._ranges(call, network),
            "peering": PEERING,
            "service": _SERVICE,
        }
        self.cloud.store.put(self.host, path, connection)
        shown = find(self.cloud, network) or {}
        shown["peerings"] = [*shown.get("peerings", ()), _peering()]
        return connection, None

    @rpc("servicenetworking.services.connections.list")
    def _list(self, call: Call) -> Json:
        self._check_service(call)
        network = path_of(self.cloud, call.message.get("network", ""))
        found = self.cloud.store.find(self.host, connection_path(network))
        return {"connections": [found]} if found else {}

    @rpc("servicenetworking.services.connections.patch")
    def _patch(self, call: Call) -> Any:
        network = self._network(call, call.body.get("network", ""))
        before: Json = self.cloud.store.get(self.host, connection_path(network))
        wanted = self._ranges(call, network)
        if not set(before["reservedPeeringRanges"]) <= set(wanted) and not call.message.get("force"):
            raise unmet("Cannot modify allocated ranges in CreateConnection. Please use UpdateConnection with force.")
        after = {**before, "reservedPeeringRanges": wanted}
        self.cloud.store.put(self.host, connection_path(network), after)
        return after, None

    @rpc("servicenetworking.services.connections.deleteConnection")
    def _delete(self, call: Call) -> Any:
        network = self._network(call, call.body.get("consumerNetwork", ""))
        path = connection_path(network)
        if self.cloud.store.find(self.host, path) is None:
            raise not_found(f"The connection of {network}")
        if owners := addresses(self.cloud).owners(network):
            text = (
                "Failed to delete connection; Producer services (e.g. CloudSQL, Cloud Memstore, etc.) are still using "
                f"this connection: {', '.join(owners)}."
            )
            raise unmet(text)
        self.cloud.store.delete(self.host, path)
        shown = find(self.cloud, network) or {}
        shown["peerings"] = [one for one in shown.get("peerings", ()) if one["name"] != PEERING]
        return {}, None

    @rpc("servicenetworking.operations.get")
    def _operation(self, call: Call) -> Json:
        return self.operations.get(call.message["name"])

    def shape(self, call: Call, operation: Json, target: Json) -> None:
        """Fill in google.longrunning's form."""
        operation["name"] = f"operations/{operation['name']}"
        del operation["startTime"]

    def _network(self, call: Call, reference: str) -> str:
        self._check_service(call)
        if not reference:
            raise invalid("The request lacks the network.", {"network": "required"})
        network = path_of(self.cloud, reference)
        if self.cloud.store.find(HOST, network) is None:
            raise not_found(f"The network {reference}")
        return network

    def _check_service(self, call: Call) -> None:
        if not call.path.startswith(_SERVICE):
            raise unsupported(f"{self.host} connections to {call.path.split('/')[1]}")

    def _ranges(self, call: Call, network: str) -> list[str]:
        """The allocated ranges that a request names.

        Raises:
            ApiError: It names none, or one that is not of the network.
        """
        names: list[str] = call.body.get("reservedPeeringRanges", [])
        if not names:
            raise invalid("The request lacks reservedPeeringRanges.", {"reservedPeeringRanges": "required"})
        for name in names:
            found = find_range(self.cloud, name)
            if found is None or found["network"] != url_of(network):
                text = (
                    f"The allocated range {name!r} is not a global address of the network with the purpose VPC_PEERING."
                )
                raise invalid(text, {"reservedPeeringRanges": "not found"})
        return names


def _peering() -> Json:
    return {
        "name": PEERING,
        "network": url_of("projects/servicenetworking-tenant/global/networks/servicenetworking"),
        "state": "ACTIVE",
        "stateDetails": f"[{SERVICE_NETWORKING}]: Connected.",
        "autoCreateRoutes": True,
        "exchangeSubnetRoutes": True,
        "exportCustomRoutes": False,
        "importCustomRoutes": False,
        "exportSubnetRoutesWithPublicIp": False,
        "importSubnetRoutesWithPublicIp": False,
    }
