"""Errors of Google's APIs: one class, told over gRPC as a rich status and over REST as JSON.

Source of codes and their HTTP statuses: google.rpc.Code, AIP-193.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2

_HTTP: Final = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}


@dataclass
class ApiError(Exception):
    """A request that is answered with an error.

    Attributes:
        code: The name of a google.rpc.Code: `NOT_FOUND`.
        message: What a person reads.
        reason: The reason of an ErrorInfo: `SERVICE_DISABLED`; empty for none.
        domain: The domain of that reason.
        metadata: What the ErrorInfo tells besides.
        violations: What is wrong with fields of the request, by the field's path.
    """

    code: str
    message: str
    reason: str = ""
    domain: str = "googleapis.com"
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Mapping[str, str] = field(default_factory=dict)

    @property
    def http(self) -> int:
        """The HTTP status."""
        return _HTTP[self.code]

    def status(self) -> status_pb2.Status:
        """What gRPC tells, and a failed operation holds."""
        status = status_pb2.Status(code=code_pb2.Code.Value(self.code), message=self.message)
        if self.reason:
            info = error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=dict(self.metadata))
            status.details.add().Pack(info)
        if self.violations:
            found = [
                error_details_pb2.BadRequest.FieldViolation(field=path, description=problem)
                for path, problem in self.violations.items()
            ]
            status.details.add().Pack(error_details_pb2.BadRequest(field_violations=found))
        return status

    def body(self) -> dict[str, Any]:
        """The JSON that REST tells."""
        error: dict[str, Any] = {"code": self.http, "message": self.message, "status": self.code}
        if details := [json_format.MessageToDict(detail) for detail in self.status().details]:
            error["details"] = details
        return {"error": error}


def not_found(name: str) -> ApiError:
    """There is nothing of this name."""
    return ApiError("NOT_FOUND", f"{name} was not found.")


def already_exists(name: str) -> ApiError:
    """There is something of this name already."""
    return ApiError("ALREADY_EXISTS", f"{name} already exists.")


def invalid(message: str, violations: Mapping[str, str] | None = None) -> ApiError:
    """The request is wrong, whatever the state of the world."""
    return ApiError("INVALID_ARGUMENT", message, violations=violations or {})


def unmet(message: str) -> ApiError:
    """The request is right and the state of the world is not."""
    return ApiError("FAILED_PRECONDITION", message)


def changed_meanwhile(name: str) -> ApiError:
    """The etag that the caller holds is not the resource's."""
    return ApiError("ABORTED", f"{name} has changed since it was read: the etag does not match. Read it again.")


def unsupported(method: str, why: str = "is not supported by the sandbox") -> ApiError:
    """The refusal of what the sandbox lacks; `method` names it: `secretmanager.googleapis.com CreateFolder`."""
    return ApiError("UNIMPLEMENTED", f"{method} {why}", "UNSUPPORTED_BY_SANDBOX", "ragonotebooks")
