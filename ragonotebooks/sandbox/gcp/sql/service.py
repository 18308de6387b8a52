"""Instances of Cloud SQL and their operations. An operation ends when what was asked for holds: a server answers, or is gone."""

from copy import deepcopy
from typing import Any, Final

from ragonotebooks.sandbox.gcp.cloud import Cloud, new_etag
from ragonotebooks.sandbox.gcp.compute import private_services
from ragonotebooks.sandbox.gcp.errors import ApiError, unmet, unsupported
from ragonotebooks.sandbox.gcp.json_service import JsonService, now, page
from ragonotebooks.sandbox.gcp.service import Call, Work, created, creating, deleting, rpc, updated, updating
from ragonotebooks.sandbox.gcp.sql import instances
from ragonotebooks.sandbox.gcp.sql.instances import HOST, Json
from ragonotebooks.sandbox.gcp.sql.servers import Real, Servers

_TYPES: Final = {
    "sql.instances.insert": "CREATE",
    "sql.instances.patch": "UPDATE",
    "sql.instances.delete": "DELETE",
    "sql.instances.restart": "RESTART",
    "sql.instances.restoreBackup": "RESTORE_VOLUME",
    "sql.backupRuns.insert": "BACKUP_VOLUME",
    "sql.backupRuns.delete": "DELETE_BACKUP",
    "sql.databases.insert": "CREATE_DATABASE",
    "sql.databases.delete": "DELETE_DATABASE",
    "sql.users.insert": "CREATE_USER",
    "sql.users.update": "UPDATE_USER",
    "sql.users.delete": "DELETE_USER",
}


class SqlInstances(JsonService):
    """Instances. One operation at a time works on each."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._servers = Servers(cloud)
        self._busy: set[str] = set()
        self._starts: dict[str, tuple[str, str]] = {}
        cloud.context.servers.append(self._servers.servers)

    @creating("instances")
    def _new_instance(self, call: Call, instance: Json) -> None:
        version = self._servers.installation.version
        instances.complete(self.cloud, instance, version.partition(".")[0])
        ip = instance["settings"]["ipConfiguration"]
        taken = private_services.addresses(self.cloud).take(
            self.cloud, ip["privateNetwork"], _owner(instance["name"]), ip.get("allocatedIpRange", "")
        )
        self._starts[instance["name"]] = (instance.pop("rootPassword", ""), taken)
        instance.update(instances.described(self.cloud, instance["name"], instance, version, now()), etag=new_etag())

    @created("instances")
    def _start(self, call: Call, instance: Json) -> Work:
        name, flags = instance["name"], instances.flags_of(instance)
        password, address = self._starts.pop(name)

        def work() -> None:
            try:
                real = self._servers.create(instance, password, address, lambda: self._encrypts(name))
                if flags:
                    self._servers.set_flags(name, flags, {})
            except BaseException:
                self._change(name, state="FAILED")
                raise
            if instance["settings"]["activationPolicy"] == "NEVER":
                self._servers.stop(name)
            shown = [{"type": "PRIVATE", "ipAddress": real.address}]
            self._change(name, state="RUNNABLE", ipAddresses=shown, serverCaCert=real.certificates.active())

        return self._alone(name, work)

    @updating("instances")
    def _changed_instance(self, call: Call, before: Json, after: Json) -> None:
        self._check_idle(before["name"])
        for field in ("region", "databaseVersion"):
            if after.get(field) != before.get(field):
                raise unsupported(f"{HOST} a change of an instance's {field}")
        given = call.body.get("settings", {}).get("settingsVersion")
        version = int(before["settings"]["settingsVersion"])
        if given is not None and int(given) != version:
            text = f"Precondition check failed: the settings' version is {version}, not {given}."
            raise ApiError("FAILED_PRECONDITION", text, "staleData", status_code=412)
        settings = deepcopy(after["settings"])
        asked = call.body.get("settings", {}).get("ipConfiguration", {})
        if "requireSsl" in asked and "sslMode" not in asked:
            del settings["ipConfiguration"]["sslMode"]
        instances.check_settings(self.cloud, settings)
        old, new = (one["ipConfiguration"]["privateNetwork"] for one in (before["settings"], settings))
        if old != new:
            raise unmet("Invalid request: the private network of an instance cannot be changed.")
        settings["settingsVersion"] = str(version + 1)
        after.clear()  # the settings are all that can be changed; clients send the rest back as they have read it
        after.update(before, settings=settings, etag=new_etag())

    @updated("instances")
    def _carry_out(self, call: Call, before: Json, after: Json) -> Work:
        name, policy = after["name"], after["settings"]["activationPolicy"]
        old_flags, flags = instances.flags_of(before), instances.flags_of(after)

        def work() -> None:
            if before["settings"]["activationPolicy"] != policy:
                (self._servers.restart if policy == "ALWAYS" else self._servers.stop)(name)
            elif policy == "ALWAYS" and before["settings"]["tier"] != after["settings"]["tier"]:
                self._servers.restart(name)
            if flags != old_flags:
                self._servers.set_flags(name, flags, old_flags)

        def work_or_undo() -> None:
            try:
                work()
            except BaseException:
                self._change(name, settings=before["settings"])
                raise

        return self._alone(name, work_or_undo)

    @deleting("instances")
    def _drop_instance(self, call: Call, instance: Json) -> Work:
        name = instance["name"]
        if call.message.get("enableFinalBackup", "false") == "true":
            raise unsupported(f"{HOST} the final backup of a deleted instance")
        if instance["settings"]["deletionProtectionEnabled"]:
            text = (
                "The instance is protected. Please disable the deletion protection and try again. To disable deletion "
                "protection, update the instance settings with deletionProtectionEnabled set to false."
            )
            raise unmet(text)
        self._check_idle(name)
        self._change(name, state="PENDING_DELETE")
        backups = [one.resource["id"] for one in self.cloud.store.children(HOST, f"{call.path}/backupRuns")]

        def work() -> None:
            self._servers.remove(name)
            network = instance["settings"]["ipConfiguration"]["privateNetwork"]
            private_services.addresses(self.cloud).release(network, _owner(name))
            for backup in backups:
                self._servers.forget_backup(backup)

        return self._alone(name, work)

    @rpc("sql.instances.restart")
    def _restart(self, call: Call) -> Any:
        instance = self._instance(call)
        self._check_idle(instance["name"])
        self._servers.running(instance["name"])
        return instance, self._alone(instance["name"], lambda: self._servers.restart(instance["name"]))

    @rpc("sql.operations.get")
    def _operation(self, call: Call) -> Json:
        return self.operations.get(call.message["operation"])

    @rpc("sql.operations.list")
    def _operations(self, call: Call) -> Json:
        instance = call.message.get("instance")
        found = [one for one in self.operations.all() if instance in (None, "", one["targetId"])]
        return page(call, found)

    def shape(self, call: Call, operation: Json, target: Json) -> None:
        """Fill in `sql#operation`."""
        project, instance = self.cloud.project, call.message.get("instance") or target.get("name", "")
        operation.update(
            kind="sql#operation",
            status="RUNNING",
            operationType=_TYPES.get(call.method.name, "UPDATE"),
            insertTime=operation["startTime"],
            user=call.email,
            targetProject=project.id,
            targetId=instance,
            targetLink=f"https://{HOST}/v1/{project.name}/instances/{instance}",
            selfLink=f"https://{HOST}/v1/{project.name}/operations/{operation['name']}",
        )

    def finish(self, operation: Json, target: Json, error: ApiError | None) -> None:
        """Mark it as done."""
        operation.update(status="DONE", endTime=now())
        if error is not None:
            problem = {"kind": "sql#operationError", "code": error.code, "message": error.message}
            operation["error"] = {"kind": "sql#operationErrors", "errors": [problem]}

    def _instance(self, call: Call) -> Json:
        found: Json = self.cloud.store.get(HOST, self._path(call.message["instance"]))
        return found

    def _behind(self, call: Call) -> Real:
        """What stands behind the instance that a call names."""
        name = self._instance(call)["name"]
        real = self._servers.find(name)
        if real is None:
            raise unmet(f"Invalid request: Invalid request since instance {name} is not running.")
        return real

    def _path(self, name: str) -> str:
        return f"{self.cloud.project.name}/instances/{name}"

    def _change(self, name: str, **fields: Any) -> None:
        """Let the API show an instance with other fields."""
        with self.cloud.context.changed:
            before = self.cloud.store.get(HOST, self._path(name))
            self.cloud.store.put(HOST, self._path(name), {**before, **fields})
            self.cloud.context.changed.notify_all()

    def _encrypts(self, name: str) -> bool:
        """Whether an instance refuses connections without TLS."""
        instance = self.cloud.store.find(HOST, self._path(name))
        return instance is None or bool(instance["settings"]["ipConfiguration"]["requireSsl"])

    def _check_idle(self, name: str) -> None:
        if name in self._busy:
            raise instances.busy(name)

    def _alone(self, name: str, work: Work) -> Work:
        """Return work on an instance that no other operation comes in the way of.

        Raises:
            ApiError: One is in progress.
        """
        self._check_idle(name)
        self._busy.add(name)

        def go() -> None:
            try:
                work()
            finally:
                with self.cloud.context.lock:
                    self._busy.discard(name)

        return go


def _owner(name: str) -> str:
    """What a person calls an instance where it is one of many services."""
    return f"Cloud SQL {name}"
