"""RDS for PostgreSQL: moto keeps the instances, this controller keeps a Postgres server and a relay for each of them.

An instance is `available` only when its server answers; a killed server comes back with its data; a deleted instance takes its
server with it. Other engines are refused by name.
"""

import json
import secrets
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from moto.rds import models
from moto.rds.exceptions import RDSClientError
from moto.rds.responses import RDSResponse

from ragonotebooks.sandbox.aws import network, rds_versions
from ragonotebooks.sandbox.aws.managed import Controller, Real
from ragonotebooks.sandbox.callers import Address
from ragonotebooks.sandbox.context import Connection, Context, Place
from ragonotebooks.sandbox.front import WSGIApp
from ragonotebooks.sandbox.parts.postgres import Installation, Postgres
from ragonotebooks.sandbox.parts.postgres import install as install_postgres
from ragonotebooks.sandbox.parts.relay import PostgresRelay, free_listener

TRUST_STORE = r"truststore\.pki\.rds\.amazonaws\.com"
_TRANSITIONAL = frozenset({"creating", "deleting", "starting", "stopping", "rebooting", "modifying", "backing-up"})


class Databases(Controller[Installation, Postgres]):
    """The controller: makes what the RDS backends say real.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, install_postgres, _TRANSITIONAL)
        self._snapshots: dict[str, str] = {}

    def endpoint(self, instance: Any) -> tuple[str, int] | None:
        """The address and port at which an instance can be reached, None while it has no server."""
        real = self._real.get(instance.arn)
        return real.address if real else None

    def provision(self, instance: Any, snapshot: str | None = None) -> None:
        """Start a server for a new instance, with the data of a snapshot if one is named by its ARN."""
        self._move(instance, "creating", lambda: self._create(instance, snapshot), "available")

    def snapshot(self, snapshot: Any) -> None:
        """Keep the data of the snapshot's instance as it is now."""
        real = self._real.get(snapshot.database.arn)
        if real is not None:
            self._snapshots[snapshot.arn] = real.server.copy_to(self._snapshot_folder(snapshot.arn))

    def copy_snapshot(self, source: Any, target: Any) -> None:
        """Keep the source's data under the target's name too."""
        shutil.copytree(self._snapshot_folder(source.arn), self._snapshot_folder(target.arn))
        self._snapshots[target.arn] = self._snapshots[source.arn]

    def has_snapshot(self, arn: str) -> bool:
        """Whether the data of a snapshot is kept."""
        return arn in self._snapshots

    def forget_snapshot(self, snapshot: Any) -> None:
        """Delete a snapshot's data."""
        if self._snapshots.pop(snapshot.arn, None):
            shutil.rmtree(self._snapshot_folder(snapshot.arn))

    def stop(self, instance: Any) -> None:
        """Shut the instance's server down and keep its data."""
        self._move(instance, "stopping", self._real[instance.arn].server.stop, "stopped")

    def start(self, instance: Any, meanwhile: str = "starting") -> None:
        """Start the server of a stopped instance, or start a running one again."""
        server = self._real[instance.arn].server

        def again() -> None:
            server.stop()
            server.start()
            server.keep()

        self._move(instance, meanwhile, again, "available")

    def delete(self, instance: Any) -> None:
        """End the server and the relay of an instance, and remove its data."""
        real = self._real.pop(instance.arn, None)
        if real is not None:
            self._context.workers.submit(self._end, real)

    def change_password(self, instance: Any, password: str) -> None:
        """Let the master user's new password hold."""
        self._real[instance.arn].server.change_password(instance.master_username, password)

    def version(self) -> str:
        """The version of Postgres that is run, such as 18.4."""
        return self.installation.version

    def servers(self) -> dict[str, Postgres]:
        """The servers by their instance's ARN."""
        return {arn: real.server for arn, real in self._real.items()}

    def _create(self, instance: Any, snapshot: str | None) -> None:
        server = Postgres(self.installation, self._folder("rds", instance.arn), self._context.watcher)
        listener = free_listener(int(instance.port))
        tls = self._context.authority.server_context(listener.getsockname()[0])
        relay = PostgresRelay(listener, server.socket, tls, lambda client, here: self._admits(instance, client, here))
        if snapshot is None:
            server.create(instance.master_username, instance._master_user_password, instance.db_name)
        else:
            server.create_from(self._snapshot_folder(snapshot), self._snapshots[snapshot])
        self._context.run(relay.open())
        with self._context.lock:
            instance.engine_version = self.installation.version
            self._real[instance.arn] = Real(server, relay, listener.getsockname())
        server.keep()

    def _admits(self, instance: Any, client: Address, here: Address) -> bool:
        source = self._source(client, here)
        if source is None:
            return False
        with self._context.lock:
            groups = frozenset(instance.vpc_security_group_ids)
            where, port = (instance.account_id, instance.region), int(instance.port)
            target = Place(here[0], groups, vpc=network.vpc_of(*where, groups))
            is_there = source is not network.OUTSIDE or instance.publicly_accessible
            let_in = is_there and network.admits(*where, groups, port, source)
            let_out = network.lets_out(*where, target, port, source)
            return self._context.judged(Connection(source, client[1], target, port, let_out, let_in))

    def _move(self, instance: Any, meanwhile: str, work: Callable[[], None], then: str) -> None:
        instance.status = meanwhile
        self._background(instance.arn, work, partial(setattr, instance, "status"), then, "failed")

    def _snapshot_folder(self, arn: str) -> Path:
        return self._folder("rds-snapshots", arn)


def install(context: Context) -> Databases:
    """Put the controller behind moto's RDS and return it."""
    databases = Databases(context)
    models.rds_backends.backend = _backend(databases)
    models.DBInstance.endpoint = property(lambda instance: _endpoint(databases, instance))
    models.DBInstance.address = property(lambda instance: (_endpoint(databases, instance) or {}).get("Address"))
    models.MasterUserSecret._generate_secret_string = _managed_secret
    rds_versions.install(databases.version)
    describe = RDSResponse.describe_db_instances

    def describe_when_settled(self: Any) -> Any:
        identifier = self.params.get("DBInstanceIdentifier")
        found = [self.backend.databases.get(identifier)] if identifier else self.backend.databases.values()
        databases.wait_for([instance for instance in found if instance])
        return describe(self)

    RDSResponse.describe_db_instances = describe_when_settled
    return databases


def trust_store(context: Context) -> WSGIApp:
    """Answers for the host from which clients fetch the certificates of RDS: here those that its endpoints show."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/x-pem-file")])
        return [context.authority.certificate]

    return answer


def _endpoint(databases: Databases, instance: Any) -> dict[str, Any] | None:
    found = databases.endpoint(instance)
    return {"Address": found[0], "Port": found[1], "HostedZoneId": "Z2R2ITUGPM61AM"} if found else None


def _managed_secret(secret: Any) -> str:
    username = secret.resource.master_username
    password = secrets.token_urlsafe(24)
    secret.resource.master_user_password = password
    return json.dumps({"username": username, "password": password})


def _backend(databases: Databases) -> type[models.RDSBackend]:
    class Backend(models.RDSBackend):
        # moto derives an API's URLs from the module that its backend is defined in
        __module__ = "moto.rds.models"

        def create_db_instance(self, db_kwargs: dict[str, Any]) -> Any:
            if db_kwargs.get("engine") != "postgres":
                what = f"rds:CreateDBInstance with engine {db_kwargs.get('engine')}"
                raise RDSClientError("UnsupportedOperation", f"{what} is not supported by the sandbox")
            asked = db_kwargs.get("engine_version")
            if asked and not rds_versions.is_offered(asked, databases.version()):
                raise RDSClientError(
                    "InvalidParameterCombination",
                    f"Cannot find version {asked} for postgres: the sandbox runs version {databases.version()}",
                )
            snapshot = db_kwargs.pop("from_snapshot_arn", None)
            instance = super().create_db_instance(db_kwargs)
            databases.provision(instance, snapshot)
            return instance

        def restore_db_instance_from_db_snapshot(self, from_snapshot_id: str, overrides: dict[str, Any]) -> Any:
            if not from_snapshot_id:
                raise RDSClientError("InvalidParameterCombination", "DBSnapshotIdentifier is needed")
            name = from_snapshot_id.rpartition(":")[2]
            snapshot = self.get_db_snapshot(name)
            if not databases.has_snapshot(snapshot.arn):
                raise RDSClientError("InvalidDBSnapshotState", f"The snapshot {name} holds no data in the sandbox")
            return super().restore_db_instance_from_db_snapshot(name, {**overrides, "from_snapshot_arn": snapshot.arn})

        def create_db_snapshot(self, *args: Any, **kwargs: Any) -> Any:
            snapshot = super().create_db_snapshot(*args, **kwargs)
            databases.snapshot(snapshot)
            return snapshot

        def copy_db_snapshot(self, source_db_snapshot_identifier: str, *args: Any, **kwargs: Any) -> Any:
            target = super().copy_db_snapshot(source_db_snapshot_identifier, *args, **kwargs)
            databases.copy_snapshot(self.get_db_snapshot(source_db_snapshot_identifier.rpartition(":")[2]), target)
            return target

        def delete_db_snapshot(self, db_snapshot_identifier: str) -> Any:
            snapshot = super().delete_db_snapshot(db_snapshot_identifier)
            databases.forget_snapshot(snapshot)
            return snapshot

        def stop_db_instance(self, *args: Any, **kwargs: Any) -> Any:
            instance = super().stop_db_instance(*args, **kwargs)
            databases.stop(instance)
            return instance

        def start_db_instance(self, db_instance_identifier: str) -> Any:
            instance = super().start_db_instance(db_instance_identifier)
            databases.start(instance)
            return instance

        def reboot_db_instance(self, db_instance_identifier: str) -> Any:
            instance = super().reboot_db_instance(db_instance_identifier)
            databases.start(instance, meanwhile="rebooting")
            return instance

        def modify_db_instance(self, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
            password = db_kwargs.get("master_user_password")
            instance = super().modify_db_instance(db_instance_identifier, db_kwargs)
            if password:
                databases.change_password(instance, password)
            return instance

        def delete_db_instance(self, db_instance_identifier: str, *args: Any, **kwargs: Any) -> Any:
            instance = super().delete_db_instance(db_instance_identifier, *args, **kwargs)
            databases.delete(instance)
            return instance

    return Backend
