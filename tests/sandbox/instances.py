"""Database instances for tests: made open to this machine, and queried as a learner's program does."""

import socket
import struct
from typing import Any

import psycopg

from ragonotebooks.sandbox.front import OPERATOR_ADDRESS
from tests.sandbox.conftest import Sandbox

USER = "ragonometrics"
PASSWORD = "not-a-secret"
_SSL_REQUEST = struct.pack(">II", 8, 80877103)


def open_group(sandbox: Sandbox, name: str) -> str:
    """A security group that admits this machine to Postgres."""
    ec2 = sandbox.client("ec2")
    group = ec2.create_security_group(GroupName=name, Description="for a test")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": f"{OPERATOR_ADDRESS}/32"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    return str(group)


def create(sandbox: Sandbox, name: str, **more: Any) -> dict[str, Any]:
    """Create an instance, within reach unless told otherwise; return its description when it is available."""
    settings = {"PubliclyAccessible": True, "Engine": "postgres", "DBName": "papers", **more}
    if "VpcSecurityGroupIds" not in settings:
        settings["VpcSecurityGroupIds"] = [open_group(sandbox, f"open-{name}")]
    sandbox.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername=USER,
        MasterUserPassword=PASSWORD,
        **settings,
    )
    return available(sandbox, name)


def available(sandbox: Sandbox, name: str) -> dict[str, Any]:
    """Wait until an instance is available and return its description."""
    rds = sandbox.client("rds")
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name)
    instance: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    return instance


def query(sandbox: Sandbox, instance: dict[str, Any], statement: str, **more: Any) -> list[tuple[Any, ...]]:
    """Run one statement over TLS, the certificate verified; return its rows."""
    arguments = {"user": USER, "password": PASSWORD, "dbname": "papers", "sslmode": "verify-full", **more}
    place = {"host": instance["Endpoint"]["Address"], "port": instance["Endpoint"]["Port"]}
    with psycopg.connect(
        **place, sslrootcert=sandbox.bundle, connect_timeout=10, autocommit=True, **arguments
    ) as open_:
        cursor = open_.execute(statement)
        return cursor.fetchall() if cursor.description else []


def answers(instance: dict[str, Any]) -> bool:
    """Whether the endpoint lets this machine speak to the server; one that does not stays silent."""
    endpoint = (instance["Endpoint"]["Address"], instance["Endpoint"]["Port"])
    with socket.create_connection(endpoint, timeout=1) as connection:
        connection.sendall(_SSL_REQUEST)
        try:
            return connection.recv(1) == b"S"
        except TimeoutError:
            return False
