"""What an exception inside of moto tells the caller: that what was named does not exist, or that the sandbox is at fault."""

from collections.abc import Iterator
from typing import Any, Final
from xml.parsers.expat import ExpatError

from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.incoming import Incoming
from ragonotebooks.sandbox.ledger import Call

#: The error code of a fault of the sandbox itself.
FAULT: Final = "SandboxFailure"
_ABSENT: Final = ("NotFound", "DoesNotExist", "NoSuch")
# services whose models do not say how an operation fails; S3 fails so only over uploads
_UNMODELLED: Final = {"ec2": ("InvalidParameterValue", 400), "s3": ("NoSuchUpload", 404)}
_MALFORMED: Final = "The XML you provided was not well-formed or did not validate against our published schema"


def explain(incoming: Incoming | None, call: Call, error: Exception) -> ApiError:
    """Return the service's own error for what the request is to blame for, a fault of the sandbox for everything else.

    moto looks many things up without asking whether they are there; then the key that is missing is a value of the request.
    """
    if isinstance(error, ExpatError):
        return ApiError("MalformedXML", _MALFORMED)
    # read only if they could be read before: they may be what failed
    parameters = vars(incoming).get("parameters") if incoming else None
    if incoming and isinstance(error, KeyError) and error.args[0] in _texts(parameters):
        code, status = _absence(incoming)
        if code:
            return ApiError(code, f"{error.args[0]} does not exist", status)
    what = f"{call.service}:{call.action} failed inside of the sandbox: {type(error).__name__}: {error}"
    return ApiError(FAULT, what)


def _absence(incoming: Incoming) -> tuple[str, int]:
    """How the service says that something does not exist, by its model."""
    for shape in incoming.model.operation_model(incoming.operation).error_shapes:
        if any(word in shape.name for word in _ABSENT):
            return shape.error_code, shape.metadata.get("error", {}).get("httpStatusCode", 400)
    return _UNMODELLED.get(incoming.service, ("", 0))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
