"""Backups of Cloud SQL instances that were asked for, and their restoration. Each holds the files of its moment."""

import time
from typing import Any

from ragonotebooks.sandbox.gcp.json_service import now
from ragonotebooks.sandbox.gcp.service import Call, Work, deleting, rpc
from ragonotebooks.sandbox.gcp.sql.contents import SqlContents
from ragonotebooks.sandbox.gcp.sql.instances import HOST, Json


class SqlBackups(SqlContents):
    """Backups, by instance."""

    @rpc("sql.instances.restoreBackup")
    def _restore(self, call: Call) -> Any:
        instance, name = self._instance(call), call.message["instance"]
        self._check_idle(name)
        context = call.body.get("restoreBackupContext", {})
        source = context.get("instanceId", name)
        path = f"{self.cloud.project.name}/instances/{source}/backupRuns/{context.get('backupRunId', '')}"
        backup = self.cloud.store.get(HOST, path)["id"]
        self._servers.running(name)
        return instance, self._alone(name, lambda: self._servers.restore(name, backup))

    @rpc("sql.backupRuns.insert")
    def _back_up(self, call: Call) -> Any:
        instance, name = self._instance(call), call.message["instance"]
        self._check_idle(name)
        self._servers.running(name)
        backup = str(time.time_ns() // 1_000_000)
        path = f"{self.cloud.project.name}/instances/{name}/backupRuns/{backup}"
        run = {
            "kind": "sql#backupRun",
            "id": backup,
            "instance": name,
            "type": "ON_DEMAND",
            "backupKind": "SNAPSHOT",
            "status": "RUNNING",
            "databaseVersion": instance["databaseVersion"],
            "location": call.body.get("location", instance["region"]),
            "description": call.body.get("description", ""),
            "selfLink": f"https://{HOST}/v1/{path}",
            **dict.fromkeys(("enqueuedTime", "startTime", "windowStartTime"), now()),
        }
        work = self._alone(name, lambda: self._finish_backup(name, path, run))
        self.cloud.store.put(HOST, path, run)
        return instance, work

    def _finish_backup(self, name: str, path: str, run: Json) -> None:
        status = "FAILED"
        try:
            self._servers.back_up(name, run["id"])
            status = "SUCCESSFUL"
        finally:
            with self.cloud.context.lock:
                self.cloud.store.put(HOST, path, {**run, "status": status, "endTime": now()})

    @deleting("backupRuns")
    def _drop_backup(self, call: Call, run: Json) -> Work:
        return lambda: self._servers.forget_backup(run["id"])
