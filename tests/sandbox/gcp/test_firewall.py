"""Firewall rules and private services access: what they let pass."""

from collections.abc import Iterator
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from ragonotebooks.sandbox.context import Place
from ragonotebooks.sandbox.gcp.compute import firewall, places
from tests.sandbox.gcp.inside import Inside, google_cloud, network_for_services

PROJECT = "ragonometrics-sandbox"
NETWORK = f"projects/{PROJECT}/global/networks/vpc"
SUBNET = f"projects/{PROJECT}/regions/us-central1/subnetworks/app"
HERE = Place("10.30.0.9", frozenset({"job"}), SUBNET, vpc=NETWORK)
THERE = Place("10.30.0.10", frozenset({"db"}), SUBNET, vpc=NETWORK)
ALL = [{"IPProtocol": "all"}]
POSTGRES = [{"IPProtocol": "tcp", "ports": ["5432"]}]


@pytest.fixture(scope="module")
def inside() -> Iterator[Inside]:
    with google_cloud() as cloud:
        cloud.enable("compute", "servicenetworking")
        network_for_services(cloud, "vpc", "app")
        yield cloud


@pytest.fixture
def rule(inside: Inside) -> Iterator[Any]:
    """Adds rules that are gone after the test."""
    names: list[str] = []
    firewalls = inside.api("compute").firewalls()

    def add(**fields: Any) -> str:
        names.append(f"rule-{len(names)}")
        firewalls.insert(project=PROJECT, body={"name": names[-1], "network": NETWORK, **fields}).execute()
        return names[-1]

    yield add
    for name in names:
        firewalls.delete(project=PROJECT, firewall=name).execute()


def goes(inside: Inside, address: str = "10.30.0.10", port: int = 5432) -> bool:
    return firewall.lets_out(inside.cloud, HERE, address, port)


def comes(inside: Inside, port: int = 5432, source: Place = HERE) -> bool:
    return firewall.admits(inside.cloud, THERE, port, source)


def test_without_rules_all_goes_out_and_nothing_comes_in(inside: Inside) -> None:
    assert goes(inside)
    assert not comes(inside)


def test_a_rule_is_about_its_ranges_and_ports(inside: Inside, rule: Any) -> None:
    rule(direction="EGRESS", denied=POSTGRES, destinationRanges=["10.30.0.0/24"])
    assert not goes(inside)
    assert goes(inside, port=6379)
    assert goes(inside, address="10.31.0.10")


def test_the_lower_priority_number_decides(inside: Inside, rule: Any) -> None:
    rule(direction="EGRESS", denied=ALL, priority=65000)
    assert not goes(inside)
    rule(direction="EGRESS", allowed=POSTGRES, priority=900)
    assert goes(inside)
    assert not goes(inside, port=6379)


def test_of_two_with_one_priority_the_one_that_denies_decides(inside: Inside, rule: Any) -> None:
    rule(direction="EGRESS", allowed=ALL, priority=900)
    rule(direction="EGRESS", denied=ALL, priority=900)
    assert not goes(inside)


def test_a_rule_with_target_tags_holds_for_who_has_one(inside: Inside, rule: Any) -> None:
    rule(direction="EGRESS", denied=ALL, targetTags=["web"])
    assert goes(inside)
    rule(direction="EGRESS", denied=ALL, targetTags=["job", "web"])
    assert not goes(inside)


def test_a_disabled_rule_does_not_hold(inside: Inside, rule: Any) -> None:
    name = rule(direction="EGRESS", denied=ALL)
    assert not goes(inside)
    inside.api("compute").firewalls().patch(project=PROJECT, firewall=name, body={"disabled": True}).execute()
    assert goes(inside)


def test_what_comes_in_is_admitted_by_range_or_by_tag(inside: Inside, rule: Any) -> None:
    rule(allowed=POSTGRES, sourceTags=["job"], targetTags=["db"])
    assert comes(inside)
    assert not comes(inside, port=22)
    assert not comes(inside, source=places.OUTSIDE)
    rule(allowed=POSTGRES, sourceRanges=[f"{places.OUTSIDE.address}/32"])
    assert comes(inside, source=places.OUTSIDE)


def test_google_is_reached_with_private_access_or_nat_and_a_rule_may_deny_it(inside: Inside, rule: Any) -> None:
    compute = inside.api("compute")
    assert "neither Private Google Access nor a NAT" in str(places.reaches_google(inside.cloud, HERE))
    which = {"project": PROJECT, "region": "us-central1"}
    compute.subnetworks().setPrivateIpGoogleAccess(
        **which, subnetwork="app", body={"privateIpGoogleAccess": True}
    ).execute()
    assert places.reaches_google(inside.cloud, HERE) is None
    compute.subnetworks().setPrivateIpGoogleAccess(
        **which, subnetwork="app", body={"privateIpGoogleAccess": False}
    ).execute()
    nat = {
        "name": "nat",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    }
    compute.routers().insert(**which, body={"name": "router", "network": NETWORK, "nats": [nat]}).execute()
    assert places.reaches_google(inside.cloud, HERE) is None
    rule(direction="EGRESS", denied=ALL)
    assert "denies" in str(places.reaches_google(inside.cloud, HERE))


def test_a_subnet_with_a_program_in_it_is_in_use(inside: Inside) -> None:
    with inside.placed(SUBNET), pytest.raises(HttpError, match="already being used"):
        inside.api("compute").subnetworks().delete(project=PROJECT, region="us-central1", subnetwork="app").execute()


def test_programs_in_a_subnet_have_addresses_of_their_own(inside: Inside) -> None:
    with inside.placed(SUBNET) as first:
        assert first.address == "10.30.0.2"
        assert places.place_in(inside.cloud, SUBNET).address == "10.30.0.3"


def test_a_connection_needs_a_range_that_the_network_has_allocated(inside: Inside) -> None:
    connections = inside.api("servicenetworking").services().connections()
    parent = "services/servicenetworking.googleapis.com"
    inside.api("compute").networks().insert(
        project=PROJECT, body={"name": "other", "autoCreateSubnetworks": False}
    ).execute()
    body = {"network": f"projects/{PROJECT}/global/networks/other", "reservedPeeringRanges": ["vpc-services"]}
    with pytest.raises(HttpError, match="not a global address of the network"):
        connections.create(parent=parent, body=body).execute()
    assert connections.list(parent=parent, network=body["network"]).execute() == {}


def test_a_network_shows_its_connection_and_is_in_use_by_it(inside: Inside) -> None:
    networks = inside.api("compute").networks()
    [peering] = networks.get(project=PROJECT, network="vpc").execute()["peerings"]
    assert (peering["name"], peering["state"]) == ("servicenetworking-googleapis-com", "ACTIVE")
    with pytest.raises(HttpError, match="already being used"):
        networks.delete(project=PROJECT, network="vpc").execute()
