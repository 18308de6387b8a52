"""Errors of Google's APIs: one class, told over gRPC as a rich status and over REST as JSON.

Source of codes and their HTTP statuses: google.rpc.Code, AIP-193.
"""

import sys
import traceback
from collections.abc import Callable, Mapping
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


# Source: Cloud Storage, "HTTP status and error codes for JSON"; Compute Engine, "Handling API errors".
_OLD_REASONS: Final = {
    "INVALID_ARGUMENT": "invalid",
    "NOT_FOUND": "notFound",
    "ALREADY_EXISTS": "conflict",
    "PERMISSION_DENIED": "forbidden",
    "UNAUTHENTICATED": "required",
    "FAILED_PRECONDITION": "resourceInUseByAnotherResource",
    "UNIMPLEMENTED": "notImplemented",
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
        status_code: The HTTP status, where it is not the code's usual one.
    """

    code: str
    message: str
    reason: str = ""
    domain: str = "googleapis.com"
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Mapping[str, str] = field(default_factory=dict)
    status_code: int = 0

    @property
    def http(self) -> int:
        """The HTTP status."""
        return self.status_code or _HTTP[self.code]

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

    def with_list(self) -> dict[str, Any]:
        """The JSON of older APIs, which hold a list of errors with reasons of their own."""
        body = self.body()
        if not self.reason.isupper():  # a reason of their own is in the list alone
            body["error"].pop("details", None)
        reason = self.reason or _OLD_REASONS.get(self.code, "backendError")
        body["error"]["errors"] = [{"message": self.message, "domain": "global", "reason": reason}]
        return body


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


def fault(what: str, error: Exception) -> ApiError:
    """The sandbox itself failed. Clients repeat what fails with INTERNAL or a 5xx, and with it what the call did: not with this."""
    traceback.print_exc(file=sys.stderr)
    return ApiError("UNKNOWN", f"{what} failed inside of the sandbox: {error!r}", status_code=400)


def problem_of(work: Callable[[], None], what: str) -> ApiError | None:
    """Do the work behind an operation; return what it failed with. `what` names it where the sandbox itself failed."""
    try:
        work()
    except ApiError as error:
        return error
    except Exception as error:
        return fault(what, error)
    return None


def unsupported(method: str, why: str = "is not supported by the sandbox") -> ApiError:
    """The refusal of what the sandbox lacks; `method` names it: `secretmanager.googleapis.com CreateFolder`."""
    return ApiError("UNIMPLEMENTED", f"{method} {why}", "UNSUPPORTED_BY_SANDBOX", "ragonotebooks")


def injected(code: str) -> ApiError:
    """The refusal that a test wants."""
    return ApiError(code, "a test wants this call refused")
