"""Searching logs: filter patterns as CloudWatch Logs reads them."""

import json
from typing import Any

from moto.logs import models
from moto.logs.responses import LogsResponse

from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.filter_patterns import PatternError, matcher


def install() -> None:
    """Put the differences into moto's CloudWatch Logs."""
    module: Any = models
    module.EventMessageFilter = _Filter
    LogsResponse.filter_log_events = _filter_log_events


class _Filter:
    """Takes the place of moto's, which matches everything that it cannot read."""

    def __init__(self, pattern: str | None) -> None:
        self.matches = matcher(pattern or "")


def _filter_log_events(self: Any) -> str:
    name = self._get_param("logGroupName") or str(self._get_param("logGroupIdentifier")).partition(":log-group:")[2]
    group = self.logs_backend.groups.get(name or self._get_param("logGroupIdentifier"))
    if group is None:
        raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
    pattern = self._get_param("filterPattern") or ""
    try:
        matcher(pattern)
    except PatternError as error:
        raise ApiError("InvalidParameterException", f"Invalid filter pattern: {error}") from None
    events, token = _page(self, group, pattern)
    return json.dumps({"events": events, "nextToken": token, "searchedLogStreams": []})


def _page(self: Any, group: Any, pattern: str) -> tuple[list[dict[str, Any]], str | None]:
    names, prefix = self._get_param("logStreamNames") or [], self._get_param("logStreamNamePrefix")
    if names and prefix:
        raise ApiError("InvalidParameterException", "Take either logStreamNames or logStreamNamePrefix, not both.")
    if prefix:
        names = [name for name in group.streams if name.startswith(prefix)]
        if not names:
            return [], None
    times = (self._get_param("startTime"), self._get_param("endTime"))
    # the streams' events come in the order of time, whatever `interleaved` says, since 2019-06
    events, token, _ = self.logs_backend.filter_log_events(
        group.name, names, *times, self._get_param("limit"), self._get_param("nextToken"), pattern, True
    )
    return events, token
