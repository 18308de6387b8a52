"""Calls as the entries of audit logs: who called which method on what, and what became of it."""

from datetime import datetime
from typing import Any, Final

from google.cloud.audit import audit_log_pb2
from google.cloud.logging_v2 import types
from google.rpc import code_pb2

from ragonotebooks.sandbox.gcp.audit import Audited
from ragonotebooks.sandbox.gcp.cloud import IAM, Cloud

STORAGE: Final = "storage.googleapis.com"

_NOTICE, _INFO, _ERROR = 300, 200, 500
# Cloud Storage and Cloud SQL name their methods otherwise in audit logs than in their APIs
_VERBS: Final = {"insert": "create", "patch": "update"}
_RENAMED: Final = ("storage", "sql")


def entry_of(cloud: Cloud, audited: Audited) -> Any:
    """Return the entry of a call."""
    call = audited.call
    payload = audit_log_pb2.AuditLog(
        service_name=call.service, method_name=_method(cloud, call.service, call.action), resource_name=call.resource
    )
    payload.authentication_info.principal_email = call.caller
    for one in audited.asked:
        payload.authorization_info.add(permission=one.permission, resource=one.name, granted=one.granted)
    if call.error:
        payload.status.code = code_pb2.Code.Value(call.error)
        payload.status.message = call.error
    entry = types.LogEntry.pb(types.LogEntry())
    entry.log_name = f"{cloud.project.name}/logs/cloudaudit.googleapis.com%2F{audited.log}"
    entry.severity = _ERROR if call.error else _NOTICE if audited.log == "activity" else _INFO
    entry.timestamp.FromDatetime(datetime.fromisoformat(call.time))
    _describe_resource(entry.resource, payload)
    entry.proto_payload.Pack(payload)
    return entry


def _describe_resource(resource: Any, payload: Any) -> None:
    parts = payload.resource_name.split("/")
    if payload.service_name == STORAGE and "buckets" in parts[:-1]:
        resource.type = "gcs_bucket"
        resource.labels["bucket_name"] = parts[parts.index("buckets") + 1]
    else:
        resource.type = "audited_resource"
        resource.labels.update({"service": payload.service_name, "method": payload.method_name})


def _method(cloud: Cloud, host: str, action: str) -> str:
    """The whole name of a method: `google.cloud.secretmanager.v1.SecretManagerService.CreateSecret`, `storage.buckets.create`."""
    if "." in action:
        api, *collections, verb = action.split(".")
        if api not in _RENAMED:
            return f"v1.{action}"
        return ".".join(["cloudsql" if api == "sql" else api, *collections, _VERBS.get(verb, verb)])
    path = next((one.path for one in cloud.service(host).rpcs.values() if one.name == action), action)
    name = path.strip("/").replace("/", ".")
    return name.replace(".IAM.", ".") if host == IAM else name
