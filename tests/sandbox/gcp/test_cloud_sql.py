"""Cloud SQL for PostgreSQL: a real server that comes, stays and goes as the API says, reached from its network alone."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from googleapiclient.errors import HttpError

from tests.sandbox.conftest import eventually
from tests.sandbox.gcp.inside import Inside, google_cloud, network_for_services

PROJECT = "ragonometrics-sandbox"
NETWORK = f"projects/{PROJECT}/global/networks/vpc"
SUBNET = f"projects/{PROJECT}/regions/us-central1/subnetworks/app"
PASSWORD = "not-a-secret"


class Sql:
    """The operator's client of Cloud SQL, and a program's in the network.

    Attributes:
        inside: The cloud.
        api: The discovery client.
    """

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.api = inside.api("sqladmin")

    def done(self, request: Any) -> dict[str, Any]:
        """The operation that a request starts, when it is done."""
        name = request.execute()["name"]
        operation: dict[str, Any] = self.api.operations().get(project=PROJECT, operation=name).execute()
        assert operation["status"] == "DONE"
        return operation

    def succeed(self, request: Any) -> None:
        """Do it."""
        assert "error" not in self.done(request)

    def create(self, name: str, **settings: Any) -> dict[str, Any]:
        """A new instance, private unless told otherwise."""
        ip = {"ipv4Enabled": False, "privateNetwork": NETWORK, "sslMode": "ENCRYPTED_ONLY"}
        whole = {"tier": "db-f1-micro", "edition": "ENTERPRISE", "ipConfiguration": ip, **settings}
        body = {"name": name, "region": "us-central1", "rootPassword": PASSWORD, "settings": whole}
        self.succeed(self.api.instances().insert(project=PROJECT, body=body))
        return self.get(name)

    def get(self, name: str) -> dict[str, Any]:
        """An instance as it is now."""
        instance: dict[str, Any] = self.api.instances().get(project=PROJECT, instance=name).execute()
        return instance

    def patch(self, name: str, **settings: Any) -> dict[str, Any]:
        """Change settings; return the operation."""
        return self.done(self.api.instances().patch(project=PROJECT, instance=name, body={"settings": settings}))

    def query(self, name: str, statement: str, **more: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the test is placed, the server's authority verified; return its rows."""
        cas = self.api.instances().listServerCas(project=PROJECT, instance=name).execute()
        trusted = self.inside.context.folder / "server-ca.pem"
        trusted.write_text(cas["certs"][0]["cert"])
        settings = {"user": "postgres", "password": PASSWORD, "dbname": "postgres", "sslmode": "verify-ca", **more}
        host = self.get(name)["ipAddresses"][0]["ipAddress"]
        with psycopg.connect(
            host=host, sslrootcert=str(trusted), connect_timeout=2, autocommit=True, **settings
        ) as open_:
            cursor = open_.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def pid(self, name: str) -> int | None:
        """The process of an instance's server."""
        servers = [one for servers in self.inside.context.servers for one in servers()]
        return next((one.pid for one in servers if one.id == name), None)


@pytest.fixture(scope="module")
def sql() -> Iterator[Sql]:
    with google_cloud() as cloud:
        cloud.enable("compute", "servicenetworking", "sqladmin")
        network_for_services(cloud, "vpc", "app")
        made = Sql(cloud)
        made.create("shared")
        yield made
        made.succeed(made.api.instances().delete(project=PROJECT, instance="shared"))


@pytest.fixture
def placed(sql: Sql) -> Iterator[None]:
    """The test is a program in the network."""
    with sql.inside.placed(SUBNET):
        yield


def test_a_runnable_instance_is_private_and_tells_its_authority(sql: Sql) -> None:
    instance = sql.get("shared")
    assert instance["state"] == "RUNNABLE"
    assert [one["type"] for one in instance["ipAddresses"]] == ["PRIVATE"]
    assert instance["connectionName"] == f"{PROJECT}:us-central1:shared"
    assert "rootPassword" not in instance
    settings = sql.api.connect().get(project=PROJECT, instance="shared").execute()
    assert settings["serverCaCert"] == instance["serverCaCert"]


def test_whoever_is_not_in_the_network_waits_in_vain(sql: Sql) -> None:
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        sql.query("shared", "SELECT 1")


@pytest.mark.usefixtures("placed")
def test_a_program_in_the_network_is_let_in_with_its_password(sql: Sql) -> None:
    assert sql.query("shared", "SELECT current_user::text") == [("postgres",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        sql.query("shared", "SELECT 1", password="wrong")


def test_a_firewall_rule_decides_at_each_connection(sql: Sql) -> None:
    rule = {"name": "no-database", "network": NETWORK, "direction": "EGRESS", "targetTags": ["job"]}
    rule |= {"denied": [{"IPProtocol": "tcp", "ports": ["5432"]}]}
    firewalls = sql.inside.api("compute").firewalls()
    firewalls.insert(project=PROJECT, body=rule).execute()
    with sql.inside.placed(SUBNET, "job"):
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            sql.query("shared", "SELECT 1")
        firewalls.delete(project=PROJECT, firewall="no-database").execute()
        assert sql.query("shared", "SELECT 1") == [(1,)]


def test_another_network_does_not_lead_there(sql: Sql) -> None:
    network_for_services(sql.inside, "elsewhere", "far")
    with sql.inside.placed("regions/us-central1/subnetworks/far"), pytest.raises(psycopg.errors.ConnectionTimeout):
        sql.query("shared", "SELECT 1")


@pytest.mark.usefixtures("placed")
def test_plain_text_is_refused_where_the_instance_says_so(sql: Sql) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        sql.query("shared", "SELECT 1", sslmode="disable")
    assert "error" not in sql.patch("shared", ipConfiguration={"sslMode": "ALLOW_UNENCRYPTED_AND_ENCRYPTED"})
    assert sql.query("shared", "SELECT 1", sslmode="disable") == [(1,)]
    sql.patch("shared", ipConfiguration={"requireSsl": True})
    assert sql.get("shared")["settings"]["ipConfiguration"]["sslMode"] == "ENCRYPTED_ONLY"


@pytest.mark.usefixtures("placed")
def test_the_certificate_names_the_instance_and_not_its_address(sql: Sql) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        sql.query("shared", "SELECT 1", sslmode="verify-full")


@pytest.mark.usefixtures("placed")
def test_a_new_authority_is_announced_before_it_is_used(sql: Sql) -> None:
    instances = sql.api.instances()
    before = sql.get("shared")["serverCaCert"]["sha1Fingerprint"]
    sql.succeed(instances.addServerCa(project=PROJECT, instance="shared"))
    known = instances.listServerCas(project=PROJECT, instance="shared").execute()
    assert known["activeVersion"] == before
    assert len(known["certs"]) == 2
    sql.succeed(instances.rotateServerCa(project=PROJECT, instance="shared", body={}))
    assert sql.get("shared")["serverCaCert"]["sha1Fingerprint"] == known["certs"][1]["sha1Fingerprint"]
    assert sql.query("shared", "SELECT 1") == [(1,)]


@pytest.mark.usefixtures("placed")
def test_a_user_may_make_vectors_in_a_database_and_is_no_superuser(sql: Sql) -> None:
    where = {"project": PROJECT, "instance": "shared"}
    sql.succeed(sql.api.databases().insert(**where, body={"name": "papers"}))
    sql.succeed(sql.api.users().insert(**where, body={"name": "reader", "password": "first"}))
    assert "papers" in [one["name"] for one in sql.api.databases().list(**where).execute()["items"]]
    reader = {"dbname": "papers", "user": "reader"}
    sql.query("shared", "CREATE EXTENSION vector", password="first", **reader)
    distance = "SELECT '[1,0]'::vector <-> '[0,0]'::vector, rolsuper FROM pg_roles WHERE rolname = current_user"
    assert sql.query("shared", distance, password="first", **reader) == [(1.0, False)]
    sql.succeed(sql.api.users().update(**where, name="reader", body={"password": "second"}))
    assert sql.query("shared", "SELECT 1", password="second", **reader) == [(1,)]
    failed = sql.done(sql.api.users().delete(**where, name="reader"))
    assert "cannot be dropped" in failed["error"]["errors"][0]["message"]
    sql.succeed(sql.api.databases().delete(**where, database="papers"))
    sql.succeed(sql.api.users().delete(**where, name="reader"))
    assert [one["name"] for one in sql.api.users().list(**where).execute()["items"]] == ["postgres"]


@pytest.mark.usefixtures("placed")
def test_a_restored_backup_has_the_rows_of_its_moment(sql: Sql) -> None:
    where = {"project": PROJECT, "instance": "shared"}
    sql.query("shared", "CREATE TABLE paper AS SELECT 'The Market for Lemons' AS title")
    sql.succeed(sql.api.backupRuns().insert(**where, body={"description": "before"}))
    [backup] = sql.api.backupRuns().list(**where).execute()["items"]
    assert (backup["status"], backup["type"], backup["description"]) == ("SUCCESSFUL", "ON_DEMAND", "before")
    sql.query("shared", "DROP TABLE paper")
    body = {"restoreBackupContext": {"backupRunId": backup["id"], "instanceId": "shared"}}
    sql.succeed(sql.api.instances().restoreBackup(**where, body=body))
    assert sql.query("shared", "SELECT title FROM paper") == [("The Market for Lemons",)]
    sql.succeed(sql.api.backupRuns().delete(**where, id=backup["id"]))
    assert sql.api.backupRuns().list(**where).execute()["items"] == []


@pytest.mark.usefixtures("placed")
def test_a_backup_is_restored_into_another_instance(sql: Sql) -> None:
    sql.query("shared", "CREATE TABLE moved AS SELECT 1 AS one")
    sql.succeed(sql.api.backupRuns().insert(project=PROJECT, instance="shared", body={}))
    [backup] = sql.api.backupRuns().list(project=PROJECT, instance="shared").execute()["items"]
    sql.create("second")
    body = {"restoreBackupContext": {"backupRunId": backup["id"], "instanceId": "shared"}}
    sql.succeed(sql.api.instances().restoreBackup(project=PROJECT, instance="second", body=body))
    assert sql.query("second", "SELECT one FROM moved") == [(1,)]
    sql.succeed(sql.api.instances().delete(project=PROJECT, instance="second"))


def test_a_whole_instance_is_sent_back_and_changes_its_settings_alone(sql: Sql) -> None:
    instance = sql.get("shared")
    changed = {**instance, "state": "SUSPENDED", "ipAddresses": []}
    changed["settings"] = {**instance["settings"], "userLabels": {"sent": "back"}}
    sql.succeed(sql.api.instances().patch(project=PROJECT, instance="shared", body=changed))
    now = sql.get("shared")
    assert now["settings"]["userLabels"] == {"sent": "back"}
    assert {key: now[key] for key in ("state", "ipAddresses", "name")} == {
        key: instance[key] for key in ("state", "ipAddresses", "name")
    }


@pytest.mark.usefixtures("placed")
def test_a_killed_server_comes_back_with_its_data(sql: Sql) -> None:
    sql.query("shared", "CREATE TABLE killed AS SELECT 1 AS one")
    before = sql.pid("shared")
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: sql.pid("shared") not in (None, before))
    eventually(lambda: sql.query("shared", "SELECT one FROM killed") == [(1,)])


@pytest.mark.usefixtures("placed")
def test_a_stopped_instance_has_no_server_and_starts_with_its_data(sql: Sql) -> None:
    sql.query("shared", "CREATE TABLE stopped AS SELECT 1 AS one")
    sql.patch("shared", activationPolicy="NEVER")
    assert sql.pid("shared") is None
    with pytest.raises(HttpError, match="is not running"):
        sql.api.databases().list(project=PROJECT, instance="shared").execute()
    sql.patch("shared", activationPolicy="ALWAYS")
    assert sql.query("shared", "SELECT one FROM stopped") == [(1,)]


@pytest.mark.usefixtures("placed")
def test_a_flag_holds_and_a_wrong_one_leaves_all_as_it_was(sql: Sql) -> None:
    assert "error" not in sql.patch("shared", databaseFlags=[{"name": "work_mem", "value": "8192"}])
    assert sql.query("shared", "SHOW work_mem") == [("8MB",)]
    wrong = sql.patch("shared", databaseFlags=[{"name": "work_memory", "value": "1"}])
    assert "unrecognized configuration parameter" in wrong["error"]["errors"][0]["message"]
    assert sql.get("shared")["settings"]["databaseFlags"] == [{"name": "work_mem", "value": "8192"}]
    assert sql.query("shared", "SHOW work_mem") == [("8MB",)]
    static = sql.patch("shared", databaseFlags=[{"name": "max_connections", "value": "10"}])
    assert "max_connections, which takes a start" in static["error"]["errors"][0]["message"]


def test_settings_are_changed_by_who_has_read_the_latest_alone(sql: Sql) -> None:
    version = int(sql.get("shared")["settings"]["settingsVersion"])
    sql.patch("shared", settingsVersion=str(version), userLabels={"deployment": "ragonometrics"})
    with pytest.raises(HttpError, match="version is"):
        sql.patch("shared", settingsVersion=str(version), userLabels={})
    with pytest.raises(HttpError, match="Invalid Tier"):
        sql.patch("shared", tier="db-nowhere", ipConfiguration={"sslMode": "ALLOW_UNENCRYPTED_AND_ENCRYPTED"})
    settings = sql.get("shared")["settings"]
    assert (settings["settingsVersion"], settings["tier"]) == (str(version + 1), "db-f1-micro")
    assert settings["ipConfiguration"]["sslMode"] == "ENCRYPTED_ONLY"


def test_a_protected_instance_is_not_deleted_and_a_deleted_one_leaves_nothing(sql: Sql) -> None:
    sql.create("short-lived", deletionProtectionEnabled=True)
    process = Path(f"/proc/{sql.pid('short-lived')}")
    assert process.exists()
    folders = set((sql.inside.context.folder / "sql").iterdir())
    with pytest.raises(HttpError, match="disable the deletion protection"):
        sql.api.instances().delete(project=PROJECT, instance="short-lived").execute()
    sql.patch("short-lived", deletionProtectionEnabled=False)
    sql.succeed(sql.api.instances().delete(project=PROJECT, instance="short-lived"))
    assert not process.exists()
    assert len(set((sql.inside.context.folder / "sql").iterdir())) == len(folders) - 1
    with pytest.raises(HttpError, match="not found"):
        sql.get("short-lived")


def test_one_operation_at_a_time_works_on_an_instance(sql: Sql) -> None:
    where = {"project": PROJECT, "instance": "shared"}
    first = sql.api.instances().restart(**where).execute()
    with pytest.raises(HttpError, match="another operation was already in progress"):
        sql.api.databases().insert(**where, body={"name": "too-early"}).execute()
    done = sql.api.operations().get(project=PROJECT, operation=first["name"]).execute()
    assert (done["status"], done["operationType"]) == ("DONE", "RESTART")


def test_the_connection_of_the_network_stays_while_an_instance_uses_it(sql: Sql) -> None:
    connections = sql.inside.api("servicenetworking").services().connections()
    name = "services/servicenetworking.googleapis.com/connections/servicenetworking-googleapis-com"
    with pytest.raises(HttpError, match=r"Producer services .*shared"):
        connections.deleteConnection(name=name, body={"consumerNetwork": NETWORK}).execute()


IP = {"ipv4Enabled": False, "privateNetwork": NETWORK}


@pytest.mark.parametrize(
    ("instance", "settings", "said"),
    [
        pytest.param({"databaseVersion": "MYSQL_8_0"}, {}, "MYSQL_8_0 is not supported", id="another engine"),
        pytest.param({"databaseVersion": "POSTGRES_9_6"}, {}, "POSTGRES_9_6 is not supported", id="an old version"),
        pytest.param({}, {"ipConfiguration": {}}, "public IPv4 address is not supported", id="public by default"),
        pytest.param({}, {"ipConfiguration": {"ipv4Enabled": False}}, "At least one", id="no way to reach it"),
        pytest.param({}, {"edition": "ENTERPRISE_PLUS"}, "Invalid Tier", id="a tier of another edition"),
        pytest.param({"masterInstanceName": "shared"}, {}, "masterInstanceName is not supported", id="a replica"),
        pytest.param(
            {},
            {"ipConfiguration": {**IP, "sslMode": "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"}},
            "sslMode",
            id="mutual TLS",
        ),
        pytest.param(
            {}, {"databaseFlags": [{"name": "cloudsql.iam_authentication", "value": "on"}]}, "flag", id="IAM's flag"
        ),
    ],
)
def test_what_cannot_be_made_is_refused(
    sql: Sql, instance: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    whole = {"tier": "db-f1-micro", "edition": "ENTERPRISE", "ipConfiguration": IP, **settings}
    body = {"name": "refused", "region": "us-central1", "settings": whole, **instance}
    with pytest.raises(HttpError, match=said):
        sql.api.instances().insert(project=PROJECT, body=body).execute()
    assert "refused" not in [one["name"] for one in sql.api.instances().list(project=PROJECT).execute()["items"]]


def test_a_network_without_a_connection_has_no_room_for_an_instance(sql: Sql) -> None:
    compute = sql.inside.api("compute")
    compute.networks().insert(project=PROJECT, body={"name": "lonely", "autoCreateSubnetworks": False}).execute()
    ip = {"ipv4Enabled": False, "privateNetwork": f"projects/{PROJECT}/global/networks/lonely"}
    with pytest.raises(HttpError, match="create Service Networking connection"):
        sql.create("lonely", ipConfiguration=ip)


@pytest.mark.parametrize("version", ["v1", "v1beta4"])
def test_a_connector_is_refused_by_name(sql: Sql, version: str) -> None:
    connect = sql.inside.api("sqladmin", version).connect()
    assert connect.get(project=PROJECT, instance="shared").execute()["region"] == "us-central1"
    with pytest.raises(HttpError, match="generateEphemeralCert is not supported"):
        connect.generateEphemeralCert(project=PROJECT, instance="shared", body={}).execute()
