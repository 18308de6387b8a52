"""What instances of Cloud Run reach by way of a VPC network, by Google's clients."""

import os
from typing import Any

import google.auth
import httplib2
import pytest
from google.api_core import exceptions
from google.cloud import compute_v1
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.conftest import PROJECT, enable
from tests.sandbox.gcp.images import REGION
from tests.sandbox.gcp.running import SLEEP, Running

ID = PROJECT.removeprefix("projects/")
ASK_GOOGLE = """
import urllib.request, urllib.error
try:
    urllib.request.urlopen("https://storage.googleapis.com/storage/v1/b/nothing", timeout=60)
except urllib.error.HTTPError as error:
    print("answered", error.code)
except OSError as error:
    print(error)
"""
ASK_DATABASE = """
import os, socket, struct
try:
    with socket.create_connection((os.environ["HOST"], 5432), 3) as connection:
        connection.settimeout(3)
        connection.sendall(struct.pack(">II", 8, 80877103))
        print(connection.recv(1).decode())
except OSError as error:
    print("no answer")
"""


@pytest.fixture
def run(gcp: Sandbox) -> Running:
    running = Running(gcp)
    enable("servicenetworking", "sqladmin")
    return running


def make_network(name: str, cidr: str, **more: object) -> str:
    """Make a network with one subnet of the same name; return the network's path."""
    networks, subnets = compute_v1.NetworksClient(), compute_v1.SubnetworksClient()
    networks.insert(project=ID, network_resource={"name": name, "auto_create_subnetworks": False}).result()
    subnet = {"name": name, "network": f"global/networks/{name}", "ip_cidr_range": cidr, **more}
    subnets.insert(project=ID, region=REGION, subnetwork_resource=subnet).result()
    return f"{PROJECT}/global/networks/{name}"


def through(subnet: str, egress: str = "ALL_TRAFFIC", tags: tuple[str, ...] = ()) -> dict[str, object]:
    """The part of a template that leads through a network."""
    return {"vpc_access": {"egress": egress, "network_interfaces": [{"subnetwork": subnet, "tags": tags}]}}


def test_what_sends_all_its_traffic_through_a_network_needs_a_way_to_google(run: Running) -> None:
    make_network("closed", "10.50.0.0/24")
    make_network("open", "10.51.0.0/24", private_ip_google_access=True)
    for name, egress in (("closed", "ALL_TRAFFIC"), ("closed", "PRIVATE_RANGES_ONLY"), ("open", "ALL_TRAFFIC")):
        job = run.make_job(f"{name}-{egress[:3].lower()}", ASK_GOOGLE, task=through(name, egress))
        run.run(job)
    [refusal] = run.lines("closed-all")
    assert "neither Private Google Access nor a NAT gateway" in refusal
    assert run.lines("closed-pri") == ["answered 404"]
    assert run.lines("open-all") == ["answered 404"]


def test_a_database_with_a_private_address_is_reached_from_its_network_alone(run: Running) -> None:
    network = make_network("data", "10.52.0.0/24")
    _connect_services(network)
    address = _make_database("data", network)
    where = {"env": [{"name": "HOST", "value": address}]}
    for name, task in (
        ("data-inside", through("data", "PRIVATE_RANGES_ONLY")),
        ("data-tagged", through("data", "PRIVATE_RANGES_ONLY", ("no-data",))),
        ("data-outside", {}),
    ):
        if name == "data-tagged":
            _deny_database("data", "no-data")
        run.run(run.make_job(name, ASK_DATABASE, container=where, task=task))
    assert [run.lines(name) for name in ("data-inside", "data-tagged", "data-outside")] == [
        ["S"],
        ["no answer"],
        ["no answer"],
    ]


def test_a_subnet_in_use_is_not_deleted(run: Running) -> None:
    make_network("used", "10.53.0.0/24")
    operation = run.jobs.run_job(name=run.make_job("user", SLEEP, task=through("used")).name)
    eventually(lambda: run.lines("user") == ["up"])
    subnets = compute_v1.SubnetworksClient()
    with pytest.raises(exceptions.BadRequest, match="already being used"):
        subnets.delete(project=ID, region=REGION, subnetwork="used").result()
    run.executions.cancel_execution(name=operation.metadata.name).result(timeout=60)
    subnets.delete(project=ID, region=REGION, subnetwork="used").result()


def api(name: str) -> Any:
    """A discovery client. httplib2 reads the environment once a process, so it is told whom to trust."""
    credentials, _ = google.auth.default()
    trusting = httplib2.Http(ca_certs=os.environ["HTTPLIB2_CA_CERTS"])
    return build(name, "v1", http=AuthorizedHttp(credentials, http=trusting), cache_discovery=False)


def _connect_services(network: str) -> None:
    addresses = compute_v1.GlobalAddressesClient()
    reserved = {"name": "services", "purpose": "VPC_PEERING", "prefix_length": 20, "network": network}
    addresses.insert(project=ID, address_resource={**reserved, "address_type": "INTERNAL"}).result()
    connections = api("servicenetworking").services().connections()
    body = {"network": network, "reservedPeeringRanges": ["services"]}
    connections.create(parent="services/servicenetworking.googleapis.com", body=body).execute()


def _make_database(name: str, network: str) -> str:
    """Make a database with a private address and return that."""
    instances = api("sqladmin").instances()
    settings = {"tier": "db-f1-micro", "edition": "ENTERPRISE"}
    settings |= {"ipConfiguration": {"ipv4Enabled": False, "privateNetwork": network}}
    body = {"name": name, "region": REGION, "databaseVersion": "POSTGRES_18", "settings": settings}
    instances.insert(project=ID, body={**body, "rootPassword": "not-a-secret"}).execute()
    eventually(lambda: instances.get(project=ID, instance=name).execute()["state"] == "RUNNABLE")
    return str(instances.get(project=ID, instance=name).execute()["ipAddresses"][0]["ipAddress"])


def _deny_database(network: str, tag: str) -> None:
    rule = {
        "name": f"{network}-{tag}",
        "network": f"global/networks/{network}",
        "direction": "EGRESS",
        "denied": [{"I_p_protocol": "tcp", "ports": ["5432"]}],
        "target_tags": [tag],
    }
    compute_v1.FirewallsClient().insert(project=ID, firewall_resource=rule).result()
