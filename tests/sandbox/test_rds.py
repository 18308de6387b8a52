"""RDS for PostgreSQL in the sandbox: a real server that comes, stays and goes as the API says."""

import os
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.status import Server, ask
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.instances import PASSWORD, answers, available, create, open_group, query


@pytest.fixture(scope="module")
def database(sandbox: Sandbox) -> dict[str, Any]:
    """An instance that the tests here share, with a table of one row."""
    instance = create(sandbox, "shared")
    query(sandbox, instance, "CREATE TABLE paper AS SELECT 'The Market for Lemons' AS title")
    return instance


def server(sandbox: Sandbox, name: str) -> Server:
    return next(one for one in ask(sandbox.state).servers if one.id == name)


def test_an_available_instance_answers_with_the_password_that_was_given(
    sandbox: Sandbox, database: dict[str, Any]
) -> None:
    assert query(sandbox, database, "SELECT current_user, current_database()") == [("ragonometrics", "papers")]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(sandbox, database, "SELECT 1", password="wrong")


def test_the_master_user_may_create_the_vector_extension_and_is_no_superuser(
    sandbox: Sandbox, database: dict[str, Any]
) -> None:
    query(sandbox, database, "CREATE EXTENSION IF NOT EXISTS vector")
    assert query(sandbox, database, "SELECT '[1,0]'::vector <-> '[0,0]'::vector") == [(1.0,)]
    assert query(sandbox, database, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]


def test_plain_text_is_refused(sandbox: Sandbox, database: dict[str, Any]) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        query(sandbox, database, "SELECT 1", sslmode="disable")


def test_a_private_instance_does_not_answer_this_machine(sandbox: Sandbox) -> None:
    private = create(sandbox, "private", PubliclyAccessible=False)
    assert not answers(private)


def test_the_security_group_decides_at_each_connection(sandbox: Sandbox, database: dict[str, Any]) -> None:
    [group] = database["VpcSecurityGroups"]
    ec2 = sandbox.client("ec2")
    [about] = ec2.describe_security_groups(GroupIds=[group["VpcSecurityGroupId"]])["SecurityGroups"]
    rule = {"GroupId": about["GroupId"], "IpPermissions": about["IpPermissions"]}
    assert answers(database)
    ec2.revoke_security_group_ingress(**rule)
    assert not answers(database)
    ec2.authorize_security_group_ingress(**rule)
    assert answers(database)


def test_a_killed_server_comes_back_with_its_data(sandbox: Sandbox, database: dict[str, Any]) -> None:
    before = server(sandbox, "shared").pid
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: server(sandbox, "shared").pid not in (None, before))
    eventually(lambda: query(sandbox, database, "SELECT title FROM paper") == [("The Market for Lemons",)])


def test_a_restored_snapshot_has_the_rows_of_its_moment(sandbox: Sandbox, database: dict[str, Any]) -> None:
    rds = sandbox.client("rds")
    rds.create_db_snapshot(DBInstanceIdentifier="shared", DBSnapshotIdentifier="of-shared")
    query(sandbox, database, "CREATE TABLE later AS SELECT 1")
    groups = [group["VpcSecurityGroupId"] for group in database["VpcSecurityGroups"]]
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="restored",
        DBSnapshotIdentifier="of-shared",
        PubliclyAccessible=True,
        VpcSecurityGroupIds=groups,
    )
    restored = available(sandbox, "restored")
    assert restored["Endpoint"] != database["Endpoint"]
    assert query(sandbox, restored, "SELECT title FROM paper") == [("The Market for Lemons",)]
    with pytest.raises(psycopg.errors.UndefinedTable):
        query(sandbox, restored, "SELECT * FROM later")


def test_a_new_password_holds_and_the_old_one_does_not(sandbox: Sandbox, database: dict[str, Any]) -> None:
    rds = sandbox.client("rds")
    change = {"DBInstanceIdentifier": "shared", "ApplyImmediately": True}
    rds.modify_db_instance(**change, MasterUserPassword="another-password")
    assert query(sandbox, database, "SELECT 1", password="another-password") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(sandbox, database, "SELECT 1")
    rds.modify_db_instance(**change, MasterUserPassword=PASSWORD)
    assert query(sandbox, database, "SELECT 1") == [(1,)]


def test_a_stopped_instance_has_no_server_and_starts_with_its_data(sandbox: Sandbox, database: dict[str, Any]) -> None:
    rds = sandbox.client("rds")
    rds.stop_db_instance(DBInstanceIdentifier="shared")
    [stopped] = rds.describe_db_instances(DBInstanceIdentifier="shared")["DBInstances"]
    assert stopped["DBInstanceStatus"] == "stopped"
    assert server(sandbox, "shared").pid is None
    rds.start_db_instance(DBInstanceIdentifier="shared")
    started = available(sandbox, "shared")
    assert query(sandbox, started, "SELECT title FROM paper") == [("The Market for Lemons",)]


def test_a_deleted_instance_leaves_no_process_and_no_folder(sandbox: Sandbox) -> None:
    create(sandbox, "short-lived", VpcSecurityGroupIds=[open_group(sandbox, "short-lived")])
    behind = server(sandbox, "short-lived")
    assert behind.log
    assert behind.pid
    process, folder = Path(f"/proc/{behind.pid}"), Path(behind.log).parent
    assert process.exists()
    assert folder.exists()
    sandbox.client("rds").delete_db_instance(DBInstanceIdentifier="short-lived", SkipFinalSnapshot=True)
    eventually(lambda: not process.exists() and not folder.exists())
    assert "short-lived" not in [one.id for one in ask(sandbox.state).servers]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({"Engine": "mysql"}, "engine mysql is not supported", id="another engine"),
        pytest.param({"EngineVersion": "9.6"}, "version 9.6", id="an old version"),
    ],
)
def test_what_the_sandbox_cannot_run_is_refused_by_name(sandbox: Sandbox, settings: dict[str, str], named: str) -> None:
    with pytest.raises(ClientError, match=named):
        create(sandbox, "refused", VpcSecurityGroupIds=[], **settings)
    assert "refused" not in [one.id for one in ask(sandbox.state).servers]


def test_the_engine_version_that_runs_is_the_one_that_is_offered(sandbox: Sandbox, database: dict[str, Any]) -> None:
    def offered(**asked: str) -> list[str]:
        found = sandbox.client("rds").describe_db_engine_versions(**asked)["DBEngineVersions"]
        return [version["EngineVersion"] for version in found]

    running = query(sandbox, database, "show server_version")[0][0].split()[0]
    major = running.partition(".")[0]
    assert database["EngineVersion"] == running
    assert offered() == offered(Engine="postgres", EngineVersion=major) == offered(EngineVersion=running) == [running]
    assert offered(Engine="postgres", DBParameterGroupFamily=f"postgres{major}") == [running]
    assert offered(Engine="mysql") == offered(Engine="postgres", EngineVersion="9.6") == []


def test_a_read_replica_is_refused_by_name(sandbox: Sandbox, database: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="CreateDBInstanceReadReplica is not supported"):
        sandbox.client("rds").create_db_instance_read_replica(
            DBInstanceIdentifier="replica", SourceDBInstanceIdentifier="shared"
        )
