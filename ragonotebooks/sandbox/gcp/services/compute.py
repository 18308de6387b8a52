"""Compute Engine, its network part: networks, subnets, firewall rules, routers with NAT, addresses, routes, and operations.

Everything is done at once, so every operation is done when it is first told.
"""

import secrets
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from ragonotebooks.sandbox.gcp.compute import firewall, places, ranges, routers
from ragonotebooks.sandbox.gcp.compute.names import (
    HOST,
    REGIONS,
    Json,
    check_name,
    check_region,
    in_use,
    of_network,
    path_of,
    referenced,
    url_of,
)
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, not_found, unmet, unsupported
from ragonotebooks.sandbox.gcp.json_service import JsonService, now, page
from ragonotebooks.sandbox.gcp.service import Call, creating, deleting, rpc, showing, updating

_EVERYWHERE: Final = "0.0.0.0/0"
_INTERNET: Final = "global/gateways/default-internet-gateway"
# what keeps a network from being deleted; its own routes go with it
_USERS: Final = ("regions/-/subnetworks", "global/firewalls", "regions/-/routers", "global/addresses")
_FIXED: Final = {
    "networks": ("autoCreateSubnetworks",),
    "subnetworks": ("ipCidrRange", "network", "privateIpGoogleAccess", "purpose", "region", "gatewayAddress"),
    "firewalls": ("network", "direction"),
    "routers": ("network", "region"),
}
_LONGEST_PREFIX: Final = 29
_NAT_ADDRESSES: Final = ranges.parse("", "198.51.100.0/24")


class Compute(JsonService):
    """Networks and what belongs to them."""

    host = HOST
    title = "Compute Engine API"
    api = ("compute", "v1")
    keeps = frozenset(("addresses", "firewalls", "globalAddresses", "networks", "routers", "routes", "subnetworks"))
    permissions: ClassVar = {
        "compute.globalAddresses.insert": "compute.globalAddresses.createInternal",
        "compute.globalAddresses.delete": "compute.globalAddresses.deleteInternal",
        "compute.globalOperations.wait": "compute.globalOperations.get",
        "compute.regionOperations.wait": "compute.regionOperations.get",
    }

    @creating("networks")
    def _new_network(self, call: Call, network: Json) -> None:
        if network.get("autoCreateSubnetworks") is not False:
            raise unsupported(
                f"{HOST} networks in auto mode", "are not supported by the sandbox: set autoCreateSubnetworks to false"
            )
        network.setdefault("routingConfig", {"routingMode": "REGIONAL"})
        network.setdefault("mtu", 1460)
        network["networkFirewallPolicyEnforcementOrder"] = "AFTER_CLASSIC_FIREWALL"
        self._describe(call, network)
        self._add_route(
            call,
            network["selfLink"],
            _EVERYWHERE,
            nextHopGateway=url_of(f"{self.cloud.project.name}/{_INTERNET}"),
            description="Default route to the Internet.",
        )

    @showing("networks")
    def _show_network(self, call: Call, network: Json) -> None:
        subnets = of_network(self.cloud, network["selfLink"], "regions/-/subnetworks")
        network["subnetworks"] = [subnet["selfLink"] for subnet in subnets]

    @deleting("networks")
    def _drop_network(self, call: Call, network: Json) -> None:
        url = network["selfLink"]
        for collection in _USERS:
            for user in of_network(self.cloud, url, collection):
                raise in_use(network, user["selfLink"])
        for peering in network.get("peerings", ()):
            raise in_use(network, f"{url}/peerings/{peering['name']}")
        for route in list(of_network(self.cloud, url, "global/routes")):
            self.cloud.store.delete(HOST, path_of(self.cloud, route["selfLink"]))

    @creating("subnetworks")
    def _new_subnet(self, call: Call, subnet: Json) -> None:
        region = call.message["region"]
        check_region(region)
        network = referenced(self.cloud, "resource.network", subnet.get("network", ""), "networks")["selfLink"]
        for field, only in (("purpose", "PRIVATE"), ("stackType", "IPV4_ONLY")):
            if subnet.setdefault(field, only) != only:
                raise unsupported(f"{HOST} subnets with the {field} {subnet[field]}")
        whole = ranges.parse("resource.ipCidrRange", subnet.get("ipCidrRange", ""))
        if whole.prefixlen > _LONGEST_PREFIX:
            raise invalid(f"Invalid IPCidrRange: {whole} is smaller than /{_LONGEST_PREFIX}.", {"ipCidrRange": "small"})
        ranges.check_free(self.cloud, network, whole, "resource.ipCidrRange")
        for second in subnet.get("secondaryIpRanges", ()):
            wanted = ranges.parse("resource.secondaryIpRanges[].ipCidrRange", second.get("ipCidrRange", ""))
            ranges.check_free(self.cloud, network, wanted, "resource.secondaryIpRanges[].ipCidrRange")
        subnet.update(network=network, region=self._url_of_region(region), gatewayAddress=str(whole[1]))
        subnet.setdefault("privateIpGoogleAccess", False)
        _complete_flow_logs(subnet)
        subnet["fingerprint"] = _fingerprint()
        self._describe(call, subnet)
        self._add_route(
            call, network, str(whole), nextHopNetwork=network, description="Default local route to the subnetwork."
        )

    @updating("subnetworks")
    def _changed_subnet(self, call: Call, before: Json, after: Json) -> None:
        self._check_fixed(call, before, after)
        if call.method.verb == "patch" and call.body.get("fingerprint") != before["fingerprint"]:
            text = "Invalid fingerprint: it is not that of the subnetwork as it is now. Read it again."
            raise ApiError("FAILED_PRECONDITION", text, "conditionNotMet", status_code=412)
        if "enableFlowLogs" in call.body and "enable" not in call.body.get("logConfig", {}):
            after["logConfig"] = {**after.get("logConfig", {}), "enable": call.body["enableFlowLogs"]}
        _complete_flow_logs(after)
        after["fingerprint"] = _fingerprint()

    @deleting("subnetworks")
    def _drop_subnet(self, call: Call, subnet: Json) -> None:
        routers.check_unused(self.cloud, subnet)
        if program := places.occupant(self.cloud, subnet):
            raise in_use(subnet, program)
        for route in list(of_network(self.cloud, subnet["network"], "global/routes")):
            if route["destRange"] == subnet["ipCidrRange"]:
                self.cloud.store.delete(HOST, path_of(self.cloud, route["selfLink"]))

    @rpc("compute.subnetworks.setPrivateIpGoogleAccess")
    def _set_google_access(self, call: Call) -> Any:
        return self._changed(call, privateIpGoogleAccess=bool(call.body.get("privateIpGoogleAccess")))

    @rpc("compute.subnetworks.expandIpCidrRange")
    def _expand(self, call: Call) -> Any:
        before = self.cloud.store.get(HOST, self._target(call))
        wider = ranges.parse("ipCidrRange", call.body.get("ipCidrRange", ""))
        if not wider.supernet_of(ranges.subnet_range(before)) or wider == ranges.subnet_range(before):
            raise invalid(f"Invalid IPCidrRange: {wider} does not contain more than {before['ipCidrRange']}.")
        ranges.check_free(self.cloud, before["network"], wider, "ipCidrRange", besides=before["selfLink"])
        for route in of_network(self.cloud, before["network"], "global/routes"):
            if route["destRange"] == before["ipCidrRange"]:
                route["destRange"] = str(wider)
        return self._changed(call, ipCidrRange=str(wider))

    @creating("firewalls")
    def _new_firewall(self, call: Call, rule: Json) -> None:
        network = rule.get("network", "global/networks/default")
        rule["network"] = referenced(self.cloud, "resource.network", network, "networks")["selfLink"]
        firewall.complete(rule)
        self._describe(call, rule)

    @updating("firewalls")
    def _changed_firewall(self, call: Call, before: Json, after: Json) -> None:
        after.setdefault("direction", before["direction"])  # a rule without one is of ingress
        self._check_fixed(call, before, after)
        firewall.complete(after)

    @creating("routers")
    def _new_router(self, call: Call, router: Json) -> None:
        check_region(call.message["region"])
        network = referenced(self.cloud, "resource.network", router.get("network", ""), "networks")
        router.update(network=network["selfLink"], region=self._url_of_region(call.message["region"]))
        routers.complete(self.cloud, router)
        self._describe(call, router)

    @updating("routers")
    def _changed_router(self, call: Call, before: Json, after: Json) -> None:
        after.setdefault("region", before["region"])
        self._check_fixed(call, before, after)
        routers.complete(self.cloud, after)

    @creating("globalAddresses")
    def _new_range(self, call: Call, address: Json) -> None:
        if address.get("purpose") != "VPC_PEERING" or address.setdefault("addressType", "INTERNAL") != "INTERNAL":
            raise unsupported(f"{HOST} global addresses for anything but the purpose VPC_PEERING")
        network = referenced(self.cloud, "resource.network", address.get("network", ""), "networks")["selfLink"]
        prefix = int(address.get("prefixLength", 0))
        if not 8 <= prefix <= _LONGEST_PREFIX:
            text = f"Invalid value for field 'resource.prefixLength': '{prefix}'. Must be from 8 to {_LONGEST_PREFIX}."
            raise invalid(text, {"resource.prefixLength": "invalid"})
        if given := address.get("address"):
            ranges.check_free(
                self.cloud, network, ranges.parse("resource.address", f"{given}/{prefix}"), "resource.address"
            )
        else:
            address["address"] = str(ranges.free_range(self.cloud, network, prefix).network_address)
        address.update(network=network, prefixLength=prefix, status="RESERVED", ipVersion="IPV4")
        self._describe(call, address)

    @creating("addresses")
    def _new_address(self, call: Call, address: Json) -> None:
        check_region(call.message["region"])
        if address.setdefault("addressType", "EXTERNAL") != "EXTERNAL" or "address" in address:
            raise unsupported(f"{HOST} regional addresses that are internal or chosen by the caller")
        used = [one["address"] for one in self._all("regions/-/addresses")]
        address.update(
            address=ranges.free_address(_NAT_ADDRESSES, used),
            region=self._url_of_region(call.message["region"]),
            status="RESERVED",
        )
        self._describe(call, address)

    @showing("addresses")
    def _show_address(self, call: Call, address: Json) -> None:
        users = [router["selfLink"] for router in self._routers_with(address)]
        if users:
            address.update(status="IN_USE", users=users)

    @deleting("addresses")
    def _drop_address(self, call: Call, address: Json) -> None:
        for router in self._routers_with(address):
            raise in_use(address, router["selfLink"])

    @creating("routes")
    def _new_route(self, call: Call, route: Json) -> None:
        network = referenced(self.cloud, "resource.network", route.get("network", ""), "networks")["selfLink"]
        if not str(route.get("nextHopGateway", "")).endswith(_INTERNET):
            raise unsupported(f"{HOST} routes to anything but the default internet gateway")
        route["destRange"] = str(ranges.parse("resource.destRange", route.get("destRange", "")))
        route.setdefault("priority", 1000)
        route.update(network=network, nextHopGateway=url_of(f"{self.cloud.project.name}/{_INTERNET}"))
        self._describe(call, route)

    @deleting("routes")
    def _drop_route(self, call: Call, route: Json) -> None:
        if "nextHopGateway" not in route:
            raise unmet(f"The local route '{route['name']}' cannot be deleted: it goes with what it leads to.")

    @rpc("compute.subnetworks.aggregatedList")
    def _all_subnets(self, call: Call) -> Json:
        return self._by_region(call, "subnetworks")

    @rpc("compute.routers.aggregatedList")
    def _all_routers(self, call: Call) -> Json:
        return self._by_region(call, "routers")

    @rpc("compute.regions.list")
    def _regions(self, call: Call) -> Json:
        return page(call, [self._region(name) for name in REGIONS])

    @rpc("compute.regions.get")
    def _get_region(self, call: Call) -> Json:
        if call.message["region"] not in REGIONS:
            raise not_found(call.path)
        return self._region(call.message["region"])

    @rpc("compute.globalOperations.get")
    @rpc("compute.globalOperations.wait")
    @rpc("compute.regionOperations.get")
    @rpc("compute.regionOperations.wait")
    def _operation(self, call: Call) -> Json:
        return self.operations.get(call.message["operation"])

    @rpc("compute.globalOperations.list")
    @rpc("compute.regionOperations.list")
    def _operations(self, call: Call) -> Json:
        scope = f"/regions/{call.message['region']}/" if "region" in call.message else "/global/"
        return page(call, [one for one in self.operations.all() if scope in one["selfLink"]])

    def shape(self, call: Call, operation: Json, target: Json) -> None:
        """Fill in `compute#operation`."""
        scope = f"regions/{call.message['region']}" if "region" in call.message else "global"
        operation.update(
            kind="compute#operation",
            id=_number(),
            operationType=call.method.verb,
            insertTime=operation["startTime"],
            status="RUNNING",
            progress=0,
            user=call.email,
            targetLink=target.get("selfLink", url_of(call.path)),
            targetId=target.get("id", "0"),
            selfLink=url_of(f"{self.cloud.project.name}/{scope}/operations/{operation['name']}"),
        )
        if "region" in call.message:
            operation["region"] = self._url_of_region(call.message["region"])

    def finish(self, operation: Json, target: Json, error: ApiError | None) -> None:
        """Mark it as done."""
        operation.update(status="DONE", progress=100, endTime=now())
        if error is not None:
            operation["error"] = {"errors": [{"code": error.code, "message": error.message}]}
            operation.update(httpErrorStatusCode=error.http, httpErrorMessage=error.message)

    def _describe(self, call: Call, resource: Json) -> None:
        """Fill in what every resource has."""
        check_name(resource["name"])
        collection = call.path.rpartition("/")[2]
        kind = {"addresses": "address"}.get(collection, collection[:-1])
        resource.update(
            kind=f"compute#{kind}",
            id=_number(),
            creationTimestamp=now(),
            selfLink=url_of(f"{call.path}/{resource['name']}"),
        )

    def _add_route(self, call: Call, network: str, to: str, **hop: str) -> None:
        """Add a route that comes with a network or a subnet."""
        name = f"default-route-{secrets.token_hex(8)}"
        path = f"{self.cloud.project.name}/global/routes/{name}"
        route = {
            "kind": "compute#route",
            "id": _number(),
            "name": name,
            "creationTimestamp": now(),
            "selfLink": url_of(path),
        }
        self.cloud.store.put(HOST, path, {**route, "network": network, "destRange": to, "priority": 1000, **hop})

    def _changed(self, call: Call, **change: Any) -> Any:
        """What a method does that changes a subnet beside `patch`; its path ends with the method's name."""
        call.path = self._target(call)
        before = self.cloud.store.get(HOST, call.path)
        after = {**before, **change, "fingerprint": _fingerprint()}
        self.cloud.store.put(HOST, call.path, after)
        return after, None

    @staticmethod
    def _target(call: Call) -> str:
        return call.path.removesuffix(f"/{call.method.verb}")

    def _check_fixed(self, call: Call, before: Json, after: Json) -> None:
        for field in _FIXED[call.method.collection]:
            old, new = before.get(field), after.get(field, before.get(field))
            if field in ("network", "region") and new:
                new = after[field] = url_of(path_of(self.cloud, new))
            if old != new:
                text = f"Invalid value for field 'resource.{field}': '{new}'. It cannot be changed."
                raise invalid(text, {f"resource.{field}": "immutable"})

    @updating("networks")
    def _changed_network(self, call: Call, before: Json, after: Json) -> None:
        self._check_fixed(call, before, after)

    def _routers_with(self, address: Json) -> Iterator[Json]:
        for router in self._all("regions/-/routers"):
            if any(address["selfLink"] in nat["natIps"] for nat in router.get("nats", ())):
                yield router

    def _all(self, collection: str) -> list[Json]:
        return [entry.resource for entry in self.cloud.store.children(HOST, f"{self.cloud.project.name}/{collection}")]

    def _by_region(self, call: Call, collection: str) -> Json:
        found = page(call, self._all(f"regions/-/{collection}"))
        items: dict[str, Json] = {}
        for one in found["items"]:
            region = f"regions/{one['region'].rpartition('/')[2]}"
            items.setdefault(region, {collection: []})[collection].append(one)
        return {**found, "items": items}

    def _region(self, name: str) -> Json:
        return {"kind": "compute#region", "name": name, "status": "UP", "selfLink": self._url_of_region(name)}

    def _url_of_region(self, name: str) -> str:
        return url_of(f"{self.cloud.project.name}/regions/{name}")


def _complete_flow_logs(subnet: Json) -> None:
    """`enableFlowLogs` and `logConfig.enable` are one and the same."""
    config = subnet.get("logConfig", {})
    enabled = bool(config.get("enable", subnet.get("enableFlowLogs", False)))
    subnet["enableFlowLogs"] = enabled
    if enabled or config:
        defaults = {"aggregationInterval": "INTERVAL_5_SEC", "flowSampling": 0.5, "metadata": "EXCLUDE_ALL_METADATA"}
        subnet["logConfig"] = {**(defaults if enabled else {}), **config, "enable": enabled}


def _fingerprint() -> str:
    return secrets.token_urlsafe(9)[:11] + "="


def _number() -> str:
    return str(secrets.randbelow(9 * 10**18) + 10**18)
