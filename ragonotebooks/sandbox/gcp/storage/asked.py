"""What is asked of Cloud Storage, and whether who asks may have it."""

from dataclasses import dataclass
from typing import Any

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.http_front import Request
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.gcp.storage.model import Content, Json
from ragonotebooks.sandbox.ledger import Call as Entry

HOST = "storage.googleapis.com"


@dataclass
class Asked:
    """One request.

    Attributes:
        cloud: What the services share.
        request: As it came.
        method: `storage.objects.get`.
        parameters: Those of the path and of the query.
        caller: Who asks, None for an anonymous caller.
        entry: The ledger's.
        wanted: The resource that it brings.
        content: The bytes that it brings.
    """

    cloud: Cloud
    request: Request
    method: str
    parameters: dict[str, str]
    caller: Caller | None
    entry: Entry
    wanted: Any = None
    content: Content | None = None

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.parameters.get("bucket", "") or self.parameters.get("destinationBucket", "")

    @property
    def object(self) -> str:
        """The object's name."""
        return (
            self.parameters.get("object") or self.parameters.get("destinationObject") or self.parameters.get("name", "")
        )

    @property
    def path(self) -> str:
        """What it is about, as audit logs name it."""
        if not self.bucket:
            return self.cloud.project.name
        return f"{bucket_path(self.bucket)}/objects/{self.object}" if self.object else bucket_path(self.bucket)

    def json(self) -> Json:
        """The resource that it brings."""
        found: Json = self.wanted if self.wanted is not None else self.request.json()
        return found

    def require(self, permission: str, path: str | None = None) -> None:
        """Let the caller on who has a permission.

        Raises:
            ApiError: No policy gives it.
        """
        path = self.path if path is None else path
        if self.cloud.policies.allows(self.caller, permission, HOST, path):
            return
        kind = {"buckets": "bucket", "objects": "object"}.get(permission.split(".")[1], "resource")
        who = self.caller.email if self.caller else "Anonymous caller"
        message = (
            f"{who} does not have {permission} access to the Google Cloud Storage {kind}. "
            f"Permission '{permission}' denied on resource (or it may not exist)."
        )
        raise ApiError("PERMISSION_DENIED" if self.caller else "UNAUTHENTICATED", message)


def bucket_path(name: str) -> str:
    """A bucket's full name."""
    return f"projects/_/buckets/{name}"
