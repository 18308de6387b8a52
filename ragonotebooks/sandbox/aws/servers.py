"""The servers that stand behind AWS resources, as `sandbox status` shows them."""

from collections.abc import Iterator
from typing import Any, cast

from moto.rds import models

from ragonotebooks.sandbox.aws.rds import Databases
from ragonotebooks.sandbox.status import Server


def servers(databases: Databases) -> Iterator[Server]:
    """Yield every database instance of every region, with its server where it has one."""
    running = databases.servers()
    for _, _, backend in models.rds_backends.iter_backends():
        for instance in list(cast(Any, backend).databases.values()):
            server, endpoint = running.get(instance.arn), databases.endpoint(instance)
            yield Server(
                service="rds",
                id=instance.db_instance_identifier,
                status=instance.status,
                address=endpoint[0] if endpoint else None,
                port=endpoint[1] if endpoint else None,
                pid=server.pid if server else None,
                log=str(server.log) if server else None,
            )
