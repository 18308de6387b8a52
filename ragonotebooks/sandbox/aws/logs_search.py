"""Searching logs: filter patterns as CloudWatch Logs reads them, and Insights queries refused where moto would ignore a part."""

import json
import re
from typing import Any, Final

from moto.logs import models
from moto.logs.responses import LogsResponse

from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.filter_patterns import PatternError, matcher

_COMMANDS: Final = frozenset({"fields", "limit", "sort"})


def install() -> None:
    """Put the differences into moto's CloudWatch Logs."""
    module: Any = models
    module.EventMessageFilter = _Filter
    start_query = LogsResponse.start_query

    def start_checked_query(self: Any) -> Any:
        _check_query(self._get_param("queryString"))
        return start_query(self)

    LogsResponse.filter_log_events = _filter_log_events
    LogsResponse.start_query = start_checked_query


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


def _check_query(query: str) -> None:
    """Refuse what moto would leave out: all commands but three."""
    outside_of_texts = re.sub(r'"[^"]*"|/[^/]*/', "", query or "")
    for part in outside_of_texts.split("|"):
        command = part.split()[0] if part.split() else ""
        if command and command not in _COMMANDS:
            what = f"logs:StartQuery with the command {command}"
            raise ApiError("InvalidParameterException", f"{what} is not supported by the sandbox; use FilterLogEvents")
