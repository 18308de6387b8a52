"""Reading before changing: `first`, `maybe` and `refused` make a look at the cloud fit in one line, for both clouds alike."""

import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

# AWS names absence in many ways (NoSuchBucket, DBInstanceNotFound, ResourceNotFoundException, 404), Google in one.
_ABSENT = re.compile(r"NotFound|NoSuch|^404$|NonExistent|does not exist|^NOT_FOUND$", re.IGNORECASE)


def first(items: Iterable[Mapping[str, Any]], **where: Any) -> Any:
    """Return the first item whose keys have the given values, or None.

    Args:
        items: Mappings as a describe or list call returns them.
        where: Key and value pairs that must all match: `first(buckets, Name="papers")`.
    """
    return next((item for item in items if all(item.get(key) == value for key, value in where.items())), None)


def maybe(call: Callable[..., Any], **arguments: Any) -> Any:
    """Return what `call(**arguments)` returns, or None when the thing asked for is not there; other errors are raised."""
    try:
        return call(**arguments)
    except Exception as error:
        if _ABSENT.search(_code(error)):
            return None
        raise


def refused(call: Callable[..., Any], **arguments: Any) -> str | None:
    """Return the error code with which the cloud refuses `call(**arguments)`, or None when it allows the call.

    AWS gives a code, `AccessDenied`. Google gives a reason, `SERVICE_DISABLED`; where it gives none, this is the name of the
    status: `FAILED_PRECONDITION` of a gRPC API, `FORBIDDEN` of an HTTP one.

    Raises:
        Exception: Whatever is not the cloud's own answer, such as a broken connection or a wrong argument.
    """
    try:
        call(**arguments)
    except Exception as error:
        if code := _code(error):
            return _reason(error) or code
        raise
    return None


def _code(error: Exception) -> str:
    """The cloud's error code, empty for what is no answer of a cloud."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        return str(response.get("Error", {}).get("Code", ""))
    if answer := getattr(error, "resp", None):  # google-api-python-client
        return HTTPStatus(answer.status).name
    # google-api-core, and the registry client of this package
    code = getattr(error, "code", None)
    if isinstance(code, int) and code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ""  # gRPC says UNAVAILABLE of a connection that broke
    status = getattr(error, "grpc_status_code", None) or code
    return str(getattr(status, "name", status or ""))


def _reason(error: Exception) -> str:
    """What Google's ErrorInfo says, empty where there is none (AIP-193)."""
    details = getattr(error, "error_details", None)  # google-api-python-client, whose `reason` is a sentence
    if details is None:
        return getattr(error, "reason", None) or ""
    infos = [one for one in details if isinstance(one, dict) and one.get("@type", "").endswith("ErrorInfo")]
    return str(infos[0]["reason"]) if infos else ""
