"""VPC networks as Google's own REST clients make, change and delete them."""

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import enable

PROJECT = "ragonometrics-sandbox"
REGION = "us-central1"


@pytest.fixture(autouse=True)
def _enabled(gcp: Sandbox) -> None:
    enable("compute")


def network(name: str) -> compute_v1.Network:
    """A new network in custom mode."""
    made = compute_v1.Network(name=name, auto_create_subnetworks=False)
    compute_v1.NetworksClient().insert(project=PROJECT, network_resource=made).result()
    return compute_v1.NetworksClient().get(project=PROJECT, network=name)


def subnet(name: str, of: str, cidr: str, **more: object) -> compute_v1.Subnetwork:
    """A new subnet."""
    subnets = compute_v1.SubnetworksClient()
    made = compute_v1.Subnetwork(name=name, network=of, ip_cidr_range=cidr, **more)
    subnets.insert(project=PROJECT, region=REGION, subnetwork_resource=made).result()
    return subnets.get(project=PROJECT, region=REGION, subnetwork=name)


def rule(name: str, **more: object) -> compute_v1.Firewall:
    """A new firewall rule."""
    firewalls = compute_v1.FirewallsClient()
    made = compute_v1.Firewall(name=name, **more)
    firewalls.insert(project=PROJECT, firewall_resource=made).result()
    return firewalls.get(project=PROJECT, firewall=name)


def routes(of: compute_v1.Network) -> list[str]:
    """The destinations of a network's routes."""
    found = compute_v1.RoutesClient().list(project=PROJECT)
    return sorted(route.dest_range for route in found if route.network == of.self_link)


def test_a_network_begins_with_a_route_to_the_internet_and_nothing_else() -> None:
    made = network("begins")
    assert made.self_link.endswith(f"projects/{PROJECT}/global/networks/begins")
    assert list(made.subnetworks) == []
    assert routes(made) == ["0.0.0.0/0"]


def test_an_operation_is_done_and_can_be_read_again() -> None:
    made = compute_v1.Network(name="operated", auto_create_subnetworks=False)
    operation = compute_v1.NetworksClient().insert(project=PROJECT, network_resource=made)
    operation.result()
    read = compute_v1.GlobalOperationsClient().get(project=PROJECT, operation=operation.name)
    assert (read.operation_type, read.status.name, read.progress) == ("insert", "DONE", 100)
    assert read.target_link.endswith("/networks/operated")
    waited = compute_v1.GlobalOperationsClient().wait(project=PROJECT, operation=operation.name)
    assert waited.id == read.id


def test_a_network_in_auto_mode_is_refused_by_name() -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="auto mode"):
        compute_v1.NetworksClient().insert(project=PROJECT, network_resource=compute_v1.Network(name="auto"))


@pytest.mark.parametrize("name", ["Capital", "under_score", "-hyphen", "x" * 64])
def test_a_name_that_no_resource_can_have_is_refused(name: str) -> None:
    with pytest.raises(exceptions.BadRequest, match=r"resource\.name"):
        network(name)


def test_a_name_is_taken_once() -> None:
    network("once")
    with pytest.raises(exceptions.Conflict):
        network("once")


def test_a_subnet_has_a_gateway_and_a_route() -> None:
    parent = network("with-subnet")
    made = subnet("first", "global/networks/with-subnet", "10.20.0.0/24")
    assert made.gateway_address == "10.20.0.1"
    assert not made.private_ip_google_access
    assert routes(parent) == ["0.0.0.0/0", "10.20.0.0/24"]
    again = compute_v1.NetworksClient().get(project=PROJECT, network="with-subnet")
    assert list(again.subnetworks) == [made.self_link]


@pytest.mark.parametrize(
    ("cidr", "said"),
    [
        pytest.param("10.21.0.0/23", "conflicts with existing range", id="overlapping"),
        pytest.param("10.21.0.1/24", "valid CIDR", id="bits behind the mask"),
        pytest.param("10.22.0.0/30", "smaller than /29", id="too small"),
    ],
)
def test_a_subnet_whose_range_cannot_be_is_refused(cidr: str, said: str) -> None:
    name = f"refusing-{cidr[-2:]}-{cidr.split('.')[3][0]}"
    network(name)
    subnet(f"{name}-first", f"global/networks/{name}", "10.21.0.0/24")
    with pytest.raises(exceptions.BadRequest, match=said):
        subnet(f"{name}-second", f"global/networks/{name}", cidr)


def test_a_subnet_of_no_network_and_one_of_no_region_are_refused() -> None:
    with pytest.raises(exceptions.BadRequest, match="referenced network resource cannot be found"):
        subnet("orphan", "global/networks/nowhere", "10.20.0.0/24")
    with pytest.raises(exceptions.BadRequest, match="Unknown region"):
        compute_v1.SubnetworksClient().insert(
            project=PROJECT, region="moon-west1", subnetwork_resource=compute_v1.Subnetwork(name="lunar")
        )


def test_google_access_and_the_range_are_changed_by_methods_of_their_own() -> None:
    parent = network("changing")
    subnet("changed", "global/networks/changing", "10.20.0.0/24")
    subnets, which = compute_v1.SubnetworksClient(), {"project": PROJECT, "region": REGION, "subnetwork": "changed"}
    access = compute_v1.SubnetworksSetPrivateIpGoogleAccessRequest(private_ip_google_access=True)
    subnets.set_private_ip_google_access(
        **which, subnetworks_set_private_ip_google_access_request_resource=access
    ).result()
    wider = compute_v1.SubnetworksExpandIpCidrRangeRequest(ip_cidr_range="10.20.0.0/20")
    subnets.expand_ip_cidr_range(**which, subnetworks_expand_ip_cidr_range_request_resource=wider).result()
    now = subnets.get(**which)
    assert (now.private_ip_google_access, now.ip_cidr_range) == (True, "10.20.0.0/20")
    assert routes(parent) == ["0.0.0.0/0", "10.20.0.0/20"]
    narrower = compute_v1.SubnetworksExpandIpCidrRangeRequest(ip_cidr_range="10.20.0.0/22")
    with pytest.raises(exceptions.BadRequest, match="does not contain more"):
        subnets.expand_ip_cidr_range(**which, subnetworks_expand_ip_cidr_range_request_resource=narrower)


def test_a_subnet_is_patched_with_its_latest_fingerprint_alone() -> None:
    network("fingerprints")
    made = subnet("printed", "global/networks/fingerprints", "10.20.0.0/24")
    subnets, which = compute_v1.SubnetworksClient(), {"project": PROJECT, "region": REGION, "subnetwork": "printed"}
    logs = compute_v1.SubnetworkLogConfig(enable=True, flow_sampling=1.0)
    change = compute_v1.Subnetwork(log_config=logs, fingerprint=made.fingerprint)
    subnets.patch(**which, subnetwork_resource=change).result()
    now = subnets.get(**which)
    assert (now.enable_flow_logs, now.log_config.flow_sampling) == (True, 1.0)
    with pytest.raises(exceptions.PreconditionFailed, match="fingerprint"):
        subnets.patch(**which, subnetwork_resource=change)


def test_a_rule_says_what_it_leaves_out() -> None:
    network("ruled")
    made = rule(
        "web",
        network="global/networks/ruled",
        allowed=[compute_v1.Allowed(I_p_protocol="tcp", ports=["443", "8000-8099"])],
    )
    assert (made.direction, made.priority, made.disabled) == ("INGRESS", 1000, False)
    assert list(made.source_ranges) == ["0.0.0.0/0"]


def test_a_rule_is_changed_in_part_or_as_a_whole_but_not_its_network() -> None:
    network("amended")
    network("amended-other")
    rule("amend", network="global/networks/amended", allowed=ALL)
    firewalls, which = compute_v1.FirewallsClient(), {"project": PROJECT, "firewall": "amend"}
    firewalls.patch(**which, firewall_resource=compute_v1.Firewall(priority=10)).result()
    assert firewalls.get(**which).priority == 10
    whole = compute_v1.Firewall(name="amend", allowed=[compute_v1.Allowed(I_p_protocol="udp")])
    firewalls.update(**which, firewall_resource=whole).result()
    now = firewalls.get(**which)
    assert (now.priority, now.allowed[0].I_p_protocol, now.network.rpartition("/")[2]) == (1000, "udp", "amended")
    with pytest.raises(exceptions.BadRequest, match="cannot be changed"):
        firewalls.patch(**which, firewall_resource=compute_v1.Firewall(network="global/networks/amended-other"))


ALL = [compute_v1.Allowed(I_p_protocol="all")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({}, "either 'allowed' or 'denied'", id="nothing"),
        pytest.param({"allowed": ALL, "denied": [compute_v1.Denied(I_p_protocol="tcp")]}, "either", id="both"),
        pytest.param({"allowed": ALL, "priority": 70000}, "from 0 to 65535", id="priority"),
        pytest.param({"allowed": [compute_v1.Allowed(I_p_protocol="icmp", ports=["80"])]}, "Ports cannot", id="ports"),
        pytest.param({"allowed": ALL, "source_ranges": ["10.0.0.0/33"]}, "valid CIDR", id="range"),
        pytest.param(
            {"allowed": ALL, "direction": "EGRESS", "source_tags": ["a"]}, "EGRESS rule", id="source of egress"
        ),
    ],
)
def test_a_rule_that_cannot_be_is_refused(fields: dict[str, object], said: str) -> None:
    if not list(compute_v1.NetworksClient().list({"project": PROJECT, "filter": 'name = "unruly"'})):
        network("unruly")
    with pytest.raises(exceptions.BadRequest, match=said):
        rule("wrong", network="global/networks/unruly", **fields)


def test_rules_by_service_account_are_refused_by_name() -> None:
    network("accounts")
    with pytest.raises(exceptions.MethodNotImplemented, match=r"targetServiceAccounts.*network tags"):
        rule("by-account", network="global/networks/accounts", allowed=ALL, target_service_accounts=["a@b.example"])


def test_a_router_gives_a_subnet_addresses_for_the_way_out() -> None:
    network("routed")
    addresses = compute_v1.AddressesClient()
    addresses.insert(project=PROJECT, region=REGION, address_resource=compute_v1.Address(name="way-out")).result()
    address = addresses.get(project=PROJECT, region=REGION, address="way-out")
    nat = compute_v1.RouterNat(
        name="nat",
        nat_ip_allocate_option="MANUAL_ONLY",
        nat_ips=[address.self_link],
        source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
    )
    routers = compute_v1.RoutersClient()
    made = compute_v1.Router(name="router", network="global/networks/routed", nats=[nat])
    routers.insert(project=PROJECT, region=REGION, router_resource=made).result()
    used = addresses.get(project=PROJECT, region=REGION, address="way-out")
    assert used.status == "IN_USE"
    with pytest.raises(exceptions.BadRequest, match="already being used"):
        addresses.delete(project=PROJECT, region=REGION, address="way-out")
    routers.delete(project=PROJECT, region=REGION, router="router").result()
    addresses.delete(project=PROJECT, region=REGION, address="way-out").result()


def test_an_allocated_range_is_found_where_nothing_else_is() -> None:
    network("allocating")
    subnet("allocated", "global/networks/allocating", "10.0.0.0/16")
    made = compute_v1.Address(
        name="for-services",
        purpose="VPC_PEERING",
        address_type="INTERNAL",
        prefix_length=16,
        network="global/networks/allocating",
    )
    ranges = compute_v1.GlobalAddressesClient()
    ranges.insert(project=PROJECT, address_resource=made).result()
    assert ranges.get(project=PROJECT, address="for-services").address == "10.1.0.0"


def test_a_network_in_use_stays_until_what_uses_it_is_gone() -> None:
    parent = network("used")
    subnet("user", "global/networks/used", "10.20.0.0/24")
    rule("user", network="global/networks/used", allowed=ALL)
    networks = compute_v1.NetworksClient()
    with pytest.raises(exceptions.BadRequest, match=r"already being used by .*subnetworks/user"):
        networks.delete(project=PROJECT, network="used")
    compute_v1.SubnetworksClient().delete(project=PROJECT, region=REGION, subnetwork="user").result()
    with pytest.raises(exceptions.BadRequest, match=r"already being used by .*firewalls/user"):
        networks.delete(project=PROJECT, network="used")
    compute_v1.FirewallsClient().delete(project=PROJECT, firewall="user").result()
    networks.delete(project=PROJECT, network="used").result()
    with pytest.raises(exceptions.NotFound):
        networks.get(project=PROJECT, network="used")
    assert routes(parent) == []


def test_what_is_no_network_is_refused_by_name() -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=r"compute\.instances\.list is not supported"):
        list(compute_v1.InstancesClient().list(project=PROJECT, zone=f"{REGION}-a"))
