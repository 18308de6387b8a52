"""Reading before changing: `first`, `maybe` and `refused` make a look at the cloud fit in one line, for both clouds alike."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# AWS names absence in many ways (NoSuchBucket, DBInstanceNotFound, ResourceNotFoundException, 404), Google in one (NotFound).
_ABSENT = re.compile(r"NotFound|NoSuch|^404$|NonExistent|does not exist", re.IGNORECASE)


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

    Raises:
        Exception: Whatever is not the cloud's own answer, such as a broken connection or a wrong argument.
    """
    try:
        call(**arguments)
    except Exception as error:
        if code := _code(error):
            return code
        raise
    return None


def _code(error: Exception) -> str:
    """The cloud's error code: botocore keeps it in the response, google-api-core in the status."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    status = getattr(error, "grpc_status_code", None) or getattr(error, "code", None)
    return str(getattr(status, "name", status or ""))
