"""Cloud SQL as its gRPC clients see it: the same instances, users and operations."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1, sqladmin_v1

from ragonotebooks.sandbox.status import ask
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import enable, run
from tests.sandbox.gcp.running import Running

PROJECT = "ragonometrics-sandbox"
REGION = "us-central1"
NETWORK = f"projects/{PROJECT}/global/networks/for-sql"
_CONNECT = f"""
from googleapiclient.discovery import build
body = {{"network": {NETWORK!r}, "reservedPeeringRanges": ["for-sql"]}}
connections = build("servicenetworking", "v1").services().connections()
print(connections.create(parent="services/servicenetworking.googleapis.com", body=body).execute()["done"])
"""


# what a driver says first, and whether it is answered
_KNOCK = """
import socket, struct
with socket.create_connection(({address!r}, 5432), timeout=2) as server:
    server.sendall(struct.pack(">II", 8, 80877103))
    try:
        print("answered", server.recv(1).decode())
    except TimeoutError:
        print("silence")
"""


@pytest.fixture
def network(gcp: Sandbox) -> None:
    """A network with private services access, made once."""
    enable("compute", "servicenetworking", "sqladmin")
    made = compute_v1.Network(name="for-sql", auto_create_subnetworks=False)
    try:
        compute_v1.NetworksClient().insert(project=PROJECT, network_resource=made).result()
    except exceptions.Conflict:
        return
    reserved = compute_v1.Address(name="for-sql", purpose="VPC_PEERING", prefix_length=20, network=NETWORK)
    compute_v1.GlobalAddressesClient().insert(project=PROJECT, address_resource=reserved).result()
    assert run(gcp, _CONNECT) == "True"
    subnet = compute_v1.Subnetwork(name="for-sql", network=NETWORK, ip_cidr_range="10.40.0.0/24")
    compute_v1.SubnetworksClient().insert(project=PROJECT, region=REGION, subnetwork_resource=subnet).result()


def create(name: str, **more: Any) -> Any:
    """A new private instance, when its operation is done."""
    settings = {
        "tier": "db-f1-micro",
        "edition": "ENTERPRISE",
        "ip_configuration": {"ipv4_enabled": False, "private_network": NETWORK},
        **more,
    }
    body = {"name": name, "region": REGION, "root_password": "not-a-secret", "settings": settings}
    return done(sqladmin_v1.SqlInstancesServiceClient().insert(request={"project": PROJECT, "body": body}))


def done(operation: Any) -> Any:
    """The operation when it is done."""
    request = {"project": PROJECT, "operation": operation.name}
    ended = sqladmin_v1.SqlOperationsServiceClient().get(request=request)
    assert ended.status == sqladmin_v1.Operation.SqlOperationStatus.DONE
    assert not ended.error.errors
    return ended


@pytest.mark.usefixtures("network")
def test_an_instance_lives_by_the_clients_of_the_admin_api(gcp: Sandbox) -> None:
    instances = sqladmin_v1.SqlInstancesServiceClient()
    made = create("by-clients", deletion_protection_enabled=True)
    assert made.operation_type == sqladmin_v1.Operation.SqlOperationType.CREATE
    which = {"project": PROJECT, "instance": "by-clients"}
    instance = instances.get(request=which)
    assert instance.state == sqladmin_v1.DatabaseInstance.SqlInstanceState.RUNNABLE
    assert instance.settings.settings_version == 1
    assert instance.server_ca_cert.cert.startswith("-----BEGIN CERTIFICATE-----")

    users = sqladmin_v1.SqlUsersServiceClient()
    done(users.insert(request={**which, "body": {"name": "reader", "password": "one"}}))
    done(users.update(request={**which, "name": "reader", "body": {"password": "two"}}))
    assert [user.name for user in users.list(request=which).items] == ["postgres", "reader"]
    databases = sqladmin_v1.SqlDatabasesServiceClient()
    done(databases.insert(request={**which, "body": {"name": "papers"}}))
    assert databases.get(request={**which, "database": "papers"}).charset == "UTF8"
    done(sqladmin_v1.SqlBackupRunsServiceClient().insert(request={**which, "body": {}}))

    with pytest.raises(exceptions.FailedPrecondition, match="deletion protection"):
        instances.delete(request=which)
    done(instances.patch(request={**which, "body": {"settings": {"deletion_protection_enabled": False}}}))
    assert "by-clients" in [server.id for server in ask(gcp.state).servers]
    done(instances.delete(request=which))
    with pytest.raises(exceptions.NotFound):
        instances.get(request=which)
    assert "by-clients" not in [server.id for server in ask(gcp.state).servers]


@pytest.mark.usefixtures("network")
def test_jobs_reach_an_instance_from_its_network_as_firewall_rules_let_them(gcp: Sandbox) -> None:
    create("for-jobs")
    which = {"project": PROJECT, "instance": "for-jobs"}
    [private] = sqladmin_v1.SqlInstancesServiceClient().get(request=which).ip_addresses
    denied = [compute_v1.Denied(I_p_protocol="tcp", ports=["5432"])]
    rule = compute_v1.Firewall(
        name="no-sql", network=NETWORK, direction="EGRESS", denied=denied, target_tags=["no-sql"]
    )
    compute_v1.FirewallsClient().insert(project=PROJECT, firewall_resource=rule).result()

    running = Running(gcp)

    def said(name: str, *interfaces: dict[str, Any]) -> list[Any]:
        access = {"vpc_access": {"network_interfaces": list(interfaces)}} if interfaces else {}
        running.run(running.make_job(name, _KNOCK.format(address=private.ip_address), task=access))
        return running.lines(name)

    inside = {"network": "for-sql", "subnetwork": "for-sql"}
    assert said("inside", inside) == ["answered S"]
    assert said("denied", {**inside, "tags": ["no-sql"]}) == ["silence"]
    assert said("outside") == ["silence"]
    done(sqladmin_v1.SqlInstancesServiceClient().delete(request=which))


@pytest.mark.usefixtures("gcp")
def test_what_is_not_supported_names_itself() -> None:
    enable("sqladmin")
    which = {"project": PROJECT, "instance": "nothing"}
    with pytest.raises(exceptions.MethodNotImplemented, match=r"sql\.instances\.clone is not supported"):
        sqladmin_v1.SqlInstancesServiceClient().clone(request=which)
    with pytest.raises(exceptions.MethodNotImplemented, match="generateEphemeralCert is not supported"):
        sqladmin_v1.SqlConnectServiceClient().generate_ephemeral_cert(request=which)
