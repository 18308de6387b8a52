"""What log events lead to: metrics in embedded format, metric filters, and the answers of Insights queries.

All ways into a log group pass here, the output of tasks and PutLogEvents alike. CloudWatch is loaded when the first event measures.
"""

import json
import time
import uuid
from typing import Any

from moto.logs import models
from moto.logs.responses import LogsResponse

from ragonotebooks.sandbox.aws import emf, metric_filters
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.context import Context


def install(context: Context) -> None:
    """Put the hooks into moto's CloudWatch Logs."""
    put, put_filter = models.LogStream.put_log_events, LogsResponse.put_metric_filter

    def put_log_events(self: Any, log_events: list[dict[str, Any]]) -> str:
        token: str = put(self, log_events)
        _measure(context, self, log_events)
        return token

    def put_metric_filter(self: Any) -> Any:
        if problem := metric_filters.check(json.loads(self.body)):
            raise ApiError("InvalidParameterException", problem)
        if self._get_param("logGroupName") not in self.logs_backend.groups:
            raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
        # moto would keep both
        self.logs_backend.delete_metric_filter(self._get_param("filterName"), self._get_param("logGroupName"))
        return put_filter(self)

    models.LogStream.put_log_events = put_log_events
    LogsResponse.put_metric_filter = put_metric_filter
    queries = {
        "start_query": _start_query,
        "get_query_results": _get_query_results,
        "describe_queries": _describe_queries,
        "stop_query": _stop_query,
    }
    for name, action in queries.items():
        setattr(LogsResponse, name, action)


def _measure(context: Context, stream: Any, events: list[dict[str, Any]]) -> None:
    group = stream.log_group
    backend = models.logs_backends[group.account_id][group.region]
    found = [one for event in events if emf.MARK in event["message"] for one in _embedded(group.name, event["message"])]
    for metric_filter in backend.filters.get_matching_filters(log_group_name=group.name):
        found += metric_filters.measurements(metric_filter, events)
    if not found:
        return
    # a sandbox whose logs measure nothing needs no CloudWatch
    from ragonotebooks.sandbox.aws import cloudwatch

    for namespace, datum in found:
        cloudwatch.of(context).put(group.region, namespace, [datum])


def _embedded(group: str, message: str) -> list[emf.Measurement]:
    try:
        return list(emf.measurements(message))
    except emf.Malformed as problem:
        dimensions = [{"Name": "LogGroupName", "Value": group}]
        return [("AWS/Logs", {"MetricName": str(problem), "Dimensions": dimensions, "Value": 1, "Unit": "Count"})]


def _start_query(self: Any) -> str:
    # a sandbox in which nobody asks needs no query language
    from ragonotebooks.sandbox.aws import insights, insights_run

    wanted = json.loads(self.body)
    groups = [self.logs_backend.groups.get(name) for name in _group_names(wanted)]
    if not groups or None in groups:
        raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
    if wanted.get("queryLanguage") not in (None, "CWLI"):
        raise ApiError(
            "InvalidParameterException", f"{wanted['queryLanguage']} is not supported by the sandbox; take CWLI."
        )
    try:
        commands = insights.parse(wanted["queryString"])
        found = insights_run.run(
            commands, groups, int(wanted["startTime"]), int(wanted["endTime"]), wanted.get("limit")
        )
    except insights.QueryError as error:
        raise ApiError("MalformedQueryException", str(error)) from None
    name = str(uuid.uuid4())
    self.logs_backend.queries[name] = _Query(name, wanted["queryString"], groups, found)
    return json.dumps({"queryId": name})


def _group_names(wanted: dict[str, Any]) -> list[str]:
    names = wanted.get("logGroupNames") or ([wanted["logGroupName"]] if wanted.get("logGroupName") else [])
    identifiers = wanted.get("logGroupIdentifiers") or []
    return [*names, *(one.partition(":log-group:")[2].removesuffix(":*") or one for one in identifiers)]


class _Query:
    """A query with its answer: it is complete as soon as it has started."""

    def __init__(self, name: str, text: str, groups: list[Any], found: Any) -> None:
        self.name, self.text, self.found = name, text, found
        self.groups = [group.name for group in groups]
        self.created = int(time.time() * 1000)


def _get_query_results(self: Any) -> str:
    query = _query(self)
    rows = [[{"field": name, "value": value} for name, value in row.items()] for row in query.found.rows]
    return json.dumps({"results": rows, "statistics": query.found.statistics, "status": "Complete"})


def _describe_queries(self: Any) -> str:
    group, status = self._get_param("logGroupName"), self._get_param("status")
    shown = [
        {
            "queryId": query.name,
            "queryString": query.text,
            "status": "Complete",
            "createTime": query.created,
            "logGroupName": query.groups[0],
        }
        for query in self.logs_backend.queries.values()
        if (group is None or group in query.groups) and status in (None, "Complete")
    ]
    return json.dumps({"queries": shown})


def _stop_query(self: Any) -> str:
    raise ApiError("InvalidParameterException", f"Query {_query(self).name} is not running: it is complete.")


def _query(self: Any) -> _Query:
    query: _Query | None = self.logs_backend.queries.get(self._get_param("queryId"))
    if query is None:
        raise ApiError("ResourceNotFoundException", "The specified query does not exist.")
    return query
