"""Service Usage: which APIs the project has enabled. A call to any other is refused (`access.require_enabled`)."""

from typing import Any, ClassVar, Final

from google.cloud.service_usage_v1 import types

from ragonotebooks.sandbox.gcp.errors import ApiError, unmet
from ragonotebooks.sandbox.gcp.generic import Made, paged
from ragonotebooks.sandbox.gcp.service import Call, Service, rpc
from ragonotebooks.sandbox.gcp.store import Entry

#: The APIs that a project can enable here, with their titles.
TITLES: Final = {
    "artifactregistry.googleapis.com": "Artifact Registry API",
    "cloudapis.googleapis.com": "Google Cloud APIs",
    "cloudbuild.googleapis.com": "Cloud Build API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
    "cloudtrace.googleapis.com": "Cloud Trace API",
    "compute.googleapis.com": "Compute Engine API",
    "iam.googleapis.com": "Identity and Access Management (IAM) API",
    "iamcredentials.googleapis.com": "IAM Service Account Credentials API",
    "logging.googleapis.com": "Cloud Logging API",
    "memorystore.googleapis.com": "Memorystore API",
    "monitoring.googleapis.com": "Cloud Monitoring API",
    "pubsub.googleapis.com": "Cloud Pub/Sub API",
    "redis.googleapis.com": "Google Cloud Memorystore for Redis API",
    "run.googleapis.com": "Cloud Run Admin API",
    "secretmanager.googleapis.com": "Secret Manager API",
    "servicemanagement.googleapis.com": "Service Management API",
    "servicenetworking.googleapis.com": "Service Networking API",
    "serviceusage.googleapis.com": "Service Usage API",
    "sqladmin.googleapis.com": "Cloud SQL Admin API",
    "sts.googleapis.com": "Security Token Service API",
    "storage-api.googleapis.com": "Google Cloud Storage JSON API",
    "storage-component.googleapis.com": "Cloud Storage",
    "storage.googleapis.com": "Cloud Storage API",
    "vpcaccess.googleapis.com": "Serverless VPC Access API",
}
_MOST: Final = 20  # services in one batch; Service Usage reference, services.batchEnable

_State: Any = types.State


class ServiceUsage(Service):
    """Enables and disables APIs."""

    host = "serviceusage.googleapis.com"
    title = "Service Usage API"
    clients = ("google.cloud.service_usage_v1:ServiceUsageClient",)
    numbered = True
    always_enabled = True
    permissions: ClassVar = {
        "GetService": "serviceusage.services.get",
        "ListServices": "serviceusage.services.list",
        "BatchEnableServices": "serviceusage.services.enable",
        "BatchGetServices": "serviceusage.services.get",
    }

    @rpc("GetService")
    def _get(self, call: Call) -> Made:
        return self._shown(_id(call.path)), None

    @rpc("ListServices")
    def _list(self, call: Call) -> Made:
        found = [(Entry(host, rank, None), self._shown(host)) for rank, host in enumerate(TITLES, 1)]
        page, token = paged(found, call.message)
        return call.method.response(services=[one for _, one in page], next_page_token=token), None

    @rpc("BatchGetServices")
    def _batch_get(self, call: Call) -> Made:
        return call.method.response(services=[self._shown(_id(name)) for name in call.message.names]), None

    @rpc("EnableService")
    def _enable(self, call: Call) -> Made:
        host = _id(call.path)
        shown = self._shown(host)
        call.cloud.enabled.add(host)
        shown.state = _State.ENABLED
        return call.method.result(service=shown), None

    @rpc("BatchEnableServices")
    def _batch_enable(self, call: Call) -> Made:
        hosts = list(call.message.service_ids)
        if len(hosts) > _MOST:
            raise ApiError("INVALID_ARGUMENT", f"A single request can enable a maximum of {_MOST} services at a time.")
        for host in hosts:
            self._shown(host)
        call.cloud.enabled.update(hosts)
        return call.method.result(services=[self._shown(host) for host in hosts]), None

    @rpc("DisableService")
    def _disable(self, call: Call) -> Made:
        host = _id(call.path)
        shown = self._shown(host)
        if host not in call.cloud.enabled:
            raise unmet(f"The service {host} is not enabled for {call.cloud.project.name}.")
        call.cloud.enabled.discard(host)
        shown.state = _State.DISABLED
        return call.method.result(service=shown), None

    def _shown(self, host: str) -> Any:
        if host not in TITLES:
            raise ApiError(
                "NOT_FOUND",
                f"Service {host} is not one that the sandbox knows.",
                "SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED",
            )
        parent = f"projects/{self.cloud.project.number}"
        state = types.State.ENABLED if host in self.cloud.enabled else types.State.DISABLED
        config = types.ServiceConfig(name=host, title=TITLES[host])
        shown = types.Service(name=f"{parent}/services/{host}", parent=parent, config=config, state=state)
        return types.Service.pb(shown)


def _id(name: str) -> str:
    return name.rpartition("/")[2]
