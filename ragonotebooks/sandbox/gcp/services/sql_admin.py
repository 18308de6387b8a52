"""Cloud SQL for PostgreSQL: instances with a real Postgres and pgvector behind them, reached at a private address alone.

The connectors of Cloud SQL are refused at their first call: their HTTP client heeds no proxy, so in a sandbox they would look for
the real cloud.
"""

from typing import Any, ClassVar, Final

from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp import rest_of_grpc
from ragonotebooks.sandbox.gcp.apis import Rpc
from ragonotebooks.sandbox.gcp.errors import unmet, unsupported
from ragonotebooks.sandbox.gcp.http_front import Request, Response
from ragonotebooks.sandbox.gcp.service import Call, rpc
from ragonotebooks.sandbox.gcp.sql.backups import SqlBackups
from ragonotebooks.sandbox.gcp.sql.instances import HOST, Json
from ragonotebooks.sandbox.ledger import Call as Entry

_CLIENTS: Final = (
    *("BackupRuns", "Backups", "Connect", "Databases", "Flags", "Instances", "Operations", "SslCerts", "Tiers"),
    *("Users", "WorkloadCaptures"),
)
_RENAMED: Final = {
    "SqlConnectService.GetConnectSettings": "connect.get",
    "SqlConnectService.GenerateEphemeralCert": "connect.generateEphemeral",
    "SqlConnectService.ResolveConnectSettings": "connect.resolve",
    "SqlInstancesService.CreateEphemeral": "sslCerts.createEphemeral",
}


class SqlAdmin(SqlBackups):
    """All of it, over gRPC and REST."""

    host = HOST
    title = "Cloud SQL Admin API"
    api = ("sqladmin", "v1")
    prefix = "cloudsql"
    clients = tuple(f"google.cloud.sqladmin_v1:Sql{name}ServiceClient" for name in _CLIENTS)
    keeps = frozenset(("instances", "backupRuns"))
    refuses = frozenset(("sql.instances.update",))
    permissions: ClassVar = {
        "sql.connect.get": "cloudsql.instances.connect",
        "sql.connect.generateEphemeral": "cloudsql.instances.connect",
        "sql.operations.get": "cloudsql.instances.get",
        "sql.operations.list": "cloudsql.instances.get",
    }

    def answer(self, rpc: Rpc, message: Message, token: str, entry: Entry) -> Message:
        """Answer a gRPC call as the REST request that it equals."""
        method = rest_of_grpc.method_of(self.api, rpc, _RENAMED)
        return rest_of_grpc.answer(self.host, method, rpc, message, token, lambda request: self.http(request, entry))

    def http(self, request: Request, entry: Entry) -> Response:
        """Answer a request, also of the version that gcloud and the connectors still speak."""
        request.path = request.path.replace("/sql/v1beta4/", "/v1/", 1)
        return super().http(request, entry)

    @rpc("sql.connect.get")
    def _connect_settings(self, call: Call) -> Json:
        instance = self._instance(call)
        shown = ("serverCaCert", "ipAddresses", "region", "databaseVersion", "backendType", "connectionName")
        settings = {key: instance[key] for key in shown if key in instance}
        return {"kind": "sql#connectSettings", "serverCaMode": "GOOGLE_MANAGED_INTERNAL_CA", **settings}

    @rpc("sql.connect.generateEphemeral")
    def _ephemeral(self, call: Call) -> Json:
        why = "is not supported by the sandbox: connectors heed no proxy; connect to the private address"
        raise unsupported(f"{HOST} generateEphemeralCert", why)

    @rpc("sql.instances.listServerCas")
    def _server_cas(self, call: Call) -> Json:
        certificates = self._behind(call).certificates
        active = certificates.active()["sha1Fingerprint"]
        return {"kind": "sql#instancesListServerCas", "certs": certificates.all(), "activeVersion": active}

    @rpc("sql.instances.addServerCa")
    def _add_server_ca(self, call: Call) -> Any:
        self._behind(call).certificates.add()
        return self._instance(call), None

    @rpc("sql.instances.rotateServerCa")
    def _rotate_server_ca(self, call: Call) -> Any:
        certificates = self._behind(call).certificates
        if not certificates.rotate():
            raise unmet("Invalid request: there is no upcoming server CA: add one with addServerCa.")
        self._change(call.message["instance"], serverCaCert=certificates.active())
        return self._instance(call), None

    @rpc("sql.sslCerts.list")
    def _client_certificates(self, call: Call) -> Json:
        self._instance(call)
        return {"kind": "sql#sslCertsList", "items": []}
