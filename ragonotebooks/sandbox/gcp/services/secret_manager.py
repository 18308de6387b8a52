"""Secret Manager: secrets and their versions. Payloads are kept apart from what the API shows of a version.

A schedule of rotations is kept, and no Pub/Sub topic is told; an expiry is kept, and the secret stays.
"""

import re
import time
from typing import Any, ClassVar, Final

import google_crc32c
from google.cloud.secretmanager_v1 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud, new_etag
from ragonotebooks.sandbox.gcp.errors import changed_meanwhile, invalid, not_found, unmet
from ragonotebooks.sandbox.gcp.fields import copy_of
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.service import Call, Service, creating, deleting, rpc, showing

_LARGEST: Final = 65536  # bytes of a payload; Secret Manager, "Quotas and limits"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_State: Any = types.SecretVersion.State


class SecretManager(Service):
    """Secrets, versions, `latest`, aliases, disable, destroy, checksums, delayed destruction."""

    host = "secretmanager.googleapis.com"
    title = "Secret Manager API"
    clients = ("google.cloud.secretmanager_v1:SecretManagerServiceClient",)
    keeps = frozenset(("Secret", "SecretVersion"))
    numbered = True
    permissions: ClassVar = {"AddSecretVersion": "secretmanager.versions.add"}

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._payloads: dict[str, bytes] = {}

    @creating("Secret")
    def _creating(self, call: Call, secret: Any) -> None:
        if not _ID.fullmatch(secret.name.rpartition("/")[2]):
            raise invalid(
                f"The secret id {secret.name.rpartition('/')[2]!r} must match {_ID.pattern}.",
                {"secret_id": _ID.pattern},
            )
        if "/locations/" not in secret.name and not secret.replication.WhichOneof("replication"):
            raise invalid(
                "The secret has no replication policy: set automatic or user_managed.",
                {"secret.replication": "required"},
            )
        if secret.HasField("rotation") and not secret.topics:
            raise invalid("Topics must be set to configure a rotation.", {"secret.topics": "required"})
        if secret.HasField("ttl"):
            secret.expire_time.FromDatetime(secret.create_time.ToDatetime() + secret.ttl.ToTimedelta())
            secret.ClearField("ttl")

    @deleting("Secret")
    def _deleting(self, call: Call, secret: Any) -> None:
        for name in [name for name in self._payloads if name.startswith(f"{secret.name}/")]:
            del self._payloads[name]

    @rpc("AddSecretVersion")
    def _add(self, call: Call) -> Made:
        store, payload = call.cloud.store, call.message.payload
        secret = store.get(self.host, call.path)
        _check_payload(payload)
        number = max((int(name.rpartition("/")[2]) for name in self._names(secret.name)), default=0) + 1
        version = types.SecretVersion.pb(
            types.SecretVersion(name=f"{secret.name}/versions/{number}", state=_State.ENABLED)
        )
        version.create_time.GetCurrentTime()
        version.etag = new_etag()
        version.client_specified_payload_checksum = payload.HasField("data_crc32c")
        version.replication_status.automatic.SetInParent()
        store.put(self.host, version.name, version)
        self._payloads[version.name] = payload.data
        return copy_of(version), None

    @rpc("GetSecretVersion")
    def _get(self, call: Call) -> Made:
        return copy_of(self._version(call.path)), None

    @rpc("AccessSecretVersion")
    def _access(self, call: Call) -> Made:
        version = self._version(call.path)
        if version.state != _State.ENABLED:
            raise unmet(f"Secret Version [{version.name}] is in {_State(version.state).name} state.")
        data = self._payloads[version.name]
        payload = {"data": data, "data_crc32c": google_crc32c.value(data)}
        return call.method.response(name=version.name, payload=payload), None

    @rpc("EnableSecretVersion")
    def _enable(self, call: Call) -> Made:
        return self._change(call, _State.ENABLED)

    @rpc("DisableSecretVersion")
    def _disable(self, call: Call) -> Made:
        return self._change(call, _State.DISABLED)

    @rpc("DestroySecretVersion")
    def _destroy(self, call: Call) -> Made:
        secret = call.cloud.store.get(self.host, call.path.partition("/versions/")[0])
        if not secret.HasField("version_destroy_ttl"):
            return self._change(call, _State.DESTROYED)
        self._change(call, _State.DISABLED)
        version = self._version(call.path)
        version.scheduled_destroy_time.GetCurrentTime()
        version.scheduled_destroy_time.seconds += secret.version_destroy_ttl.seconds
        return copy_of(version), None

    def _change(self, call: Call, state: int) -> Made:
        version = self._version(call.path)
        if call.message.etag and call.message.etag != version.etag:
            raise changed_meanwhile(version.name)
        if version.state == _State.DESTROYED:
            raise unmet(f"Secret Version [{version.name}] is in DESTROYED state.")
        version.state = state
        version.etag = new_etag()
        if state == _State.ENABLED:
            version.ClearField("scheduled_destroy_time")
        if state == _State.DESTROYED:
            self._wipe(version)
        return copy_of(version), None

    def _version(self, name: str) -> Any:
        """A version by its number, an alias, or `latest`, which is the newest one whatever its state."""
        secret_name, _, wanted = name.rpartition("/versions/")
        secret = self.cloud.store.get(self.host, secret_name)
        if wanted == "latest":
            names = self._names(secret_name)
            if not names:
                raise not_found(f"Secret [{secret_name}] has no versions: {name}")
            wanted = names[-1].rpartition("/")[2]
        elif not wanted.isdecimal() and wanted in secret.version_aliases:
            wanted = str(secret.version_aliases[wanted])
        return self._kept(f"{secret_name}/versions/{wanted}")

    def _kept(self, name: str) -> Any:
        version = self.cloud.store.find(self.host, name)
        if version is None:
            raise not_found(f"Secret Version [{name}]")
        if version.HasField("scheduled_destroy_time") and version.scheduled_destroy_time.seconds <= time.time():
            self._wipe(version)
        return version

    def _wipe(self, version: Any) -> None:
        version.state = _State.DESTROYED
        version.ClearField("scheduled_destroy_time")
        version.destroy_time.GetCurrentTime()
        self._payloads.pop(version.name, None)

    @showing("SecretVersion")
    def _showing(self, call: Call, version: Any) -> None:
        version.CopyFrom(self._kept(version.name))

    def _names(self, secret: str) -> list[str]:
        return [entry.name for entry in self.cloud.store.children(self.host, f"{secret}/versions")]


def _check_payload(payload: Any) -> None:
    if len(payload.data) > _LARGEST:
        raise invalid(
            f"The payload has {len(payload.data)} bytes; {_LARGEST} is the most.", {"payload.data": "too large"}
        )
    if payload.HasField("data_crc32c") and payload.data_crc32c != google_crc32c.value(payload.data):
        raise invalid(
            "The payload's checksum is not that of its data: it was damaged on the way.",
            {"payload.data_crc32c": "mismatch"},
        )
