"""Cloud SQL as its gRPC clients see it: the same instances, users and operations."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1, sqladmin_v1

from ragonotebooks.sandbox.status import ask
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import enable, run

PROJECT = "ragonometrics-sandbox"
NETWORK = f"projects/{PROJECT}/global/networks/for-sql"
_CONNECT = f"""
from googleapiclient.discovery import build
body = {{"network": {NETWORK!r}, "reservedPeeringRanges": ["for-sql"]}}
connections = build("servicenetworking", "v1").services().connections()
print(connections.create(parent="services/servicenetworking.googleapis.com", body=body).execute()["done"])
"""


@pytest.fixture
def network(gcp: Sandbox) -> None:
    """A network with private services access."""
    enable("compute", "servicenetworking", "sqladmin")
    made = compute_v1.Network(name="for-sql", auto_create_subnetworks=False)
    compute_v1.NetworksClient().insert(project=PROJECT, network_resource=made).result()
    reserved = compute_v1.Address(name="for-sql", purpose="VPC_PEERING", prefix_length=20, network=NETWORK)
    compute_v1.GlobalAddressesClient().insert(project=PROJECT, address_resource=reserved).result()
    assert run(gcp, _CONNECT) == "True"


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
    settings = {
        "tier": "db-f1-micro",
        "edition": "ENTERPRISE",
        "ip_configuration": {"ipv4_enabled": False, "private_network": NETWORK},
        "deletion_protection_enabled": True,
    }
    body = {"name": "by-clients", "region": "us-central1", "root_password": "not-a-secret", "settings": settings}
    made = done(instances.insert(request={"project": PROJECT, "body": body}))
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


@pytest.mark.usefixtures("gcp")
def test_what_is_not_supported_names_itself() -> None:
    enable("sqladmin")
    which = {"project": PROJECT, "instance": "nothing"}
    with pytest.raises(exceptions.MethodNotImplemented, match=r"sql\.instances\.clone is not supported"):
        sqladmin_v1.SqlInstancesServiceClient().clone(request=which)
    with pytest.raises(exceptions.MethodNotImplemented, match="generateEphemeralCert is not supported"):
        sqladmin_v1.SqlConnectServiceClient().generate_ephemeral_cert(request=which)
