"""Logs Insights: each query as the rows that it finds."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws.insights import QueryError, parse
from ragonotebooks.sandbox.aws.insights_run import Found, run
from tests.sandbox.conftest import Sandbox

START = 1_795_500_000  # seconds; the start of an hour


@dataclass
class Event:
    timestamp: int
    message: str
    ingestion_time: int = START * 1000
    event_id: int = 0


@dataclass
class Stream:
    log_stream_name: str
    events: list[Event]


@dataclass
class Group:
    streams: dict[str, Stream]
    name: str = "api"
    account_id: str = "123456789012"


@dataclass
class Log:
    """Messages, one a minute."""

    lines: list[Any] = field(default_factory=list)

    @property
    def group(self) -> Group:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in self.lines]
        events = [Event((START + 60 * number) * 1000, text) for number, text in enumerate(texts)]
        return Group({"task-1": Stream("task-1", events)})


LOG = Log(
    [
        {"level": "info", "route": "/ask", "status": 200, "ms": 10, "request": {"id": "a"}},
        {"level": "info", "route": "/ask", "status": 200, "ms": 30, "request": {"id": "b"}},
        {"level": "error", "route": "/ask", "status": 500, "ms": 200, "request": {"id": "c"}, "papers": [7, 8]},
        {"level": "info", "route": "/search", "status": 200, "ms": "5"},
        "plain text: user=ada, ms=41",
        {"level": "warning", "route": "/search", "status": 404, "ms": 15.5},
    ]
)


def found(query: str, **more: Any) -> Found:
    return run(parse(query), [LOG.group], START, START + 3600, **more)


def rows(query: str) -> list[tuple[str, ...]]:
    """The values of all rows, without pointers."""
    return [tuple(value for name, value in row.items() if name != "@ptr") for row in found(query).rows]


FOUND = [
    ("fields level, ms | filter status = 500", [("error", "200")]),
    ("fields request.id | filter route = '/ask' | sort ms desc", [("c",), ("b",), ("a",)]),
    ("fields papers.1 | filter ispresent(papers.0)", [("8",)]),
    ("filter level != 'info' and status >= 404 | sort status | display level", [("warning",), ("error",)]),
    ("filter not (level = 'info' or level = 'error') and ispresent(level) | display level", [("warning",)]),
    ("filter @message like /user=(ada|bob)/ | display @message", [("plain text: user=ada, ms=41",)]),
    ("filter @message like 'plain' | display @logStream, @log", [("task-1", "123456789012:api")]),
    ("filter @message not like /level/ | stats count(*)", [("1",)]),
    ("filter @message =~ /(?i)USER=/ | stats count(*)", [("1",)]),
    ("filter route in ['/search', '/none'] | stats count(*) as n", [("2",)]),
    ("filter status in [404, 500] | stats count(*)", [("2",)]),
    ("parse 'user=*, ms=*' as user, took | filter ispresent(user) | display user, took * 2 as twice", [("ada", "82")]),
    ("parse @message /user=(?<who>\\w+)/ | filter who = 'ada' | display who", [("ada",)]),
    ("stats count(*) as n by level | sort n desc, level", [("info", "3"), ("1",), ("error", "1"), ("warning", "1")]),
    ("stats count(ms), sum(ms), min(ms), max(ms)", [("5", "260.5", "5", "200")]),
    ("stats avg(ms) as a by route | sort a desc | limit 1", [("/ask", "80")]),
    ("stats pct(ms, 50), pct(ms, 100)", [("15.5", "200")]),
    ("stats count_distinct(level)", [("3",)]),
    ("stats sum(status >= 400) / count(*) as bad by route | filter bad > 0 | sort bad", [("/ask", "0.3333"), ("/search", "0.5")]),
    ("stats count(*) by bin(5m)", [("2026-11-24 06:05:00.000", "1"), ("2026-11-24 06:00:00.000", "5")]),
    ("stats count(*) by bin(1h), route | sort count(*) desc | limit 1", [("2026-11-24 06:00:00.000", "/ask", "3")]),
    ("fields @timestamp, @message | sort @timestamp asc | limit 1 | display @timestamp", [("2026-11-24 06:00:00.000",)]),
    ("fields ms + 1 as more, ms - 10, ms / 0 | filter ms = 10", [("11", "0")]),
    ("filter status = 404 | fields toupper(level), strlen(route)", [("WARNING", "7")]),
    ("filter status = 404 | fields concat(level, '-', status), coalesce(none, 'x')", [("warning-404", "x")]),
    ("fields abs(0 - 3), floor(ms), ceil(ms) | filter status = 404", [("3", "15", "16")]),
    ("fields strcontains(route, 'search') as s | filter status = 500", [("0",)]),
    ("# the slowest\nfields ms # milliseconds\n| filter ms > 100", [("200",)]),
    ("filter nothing = 1 | stats count(*), avg(ms)", [("0",)]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), FOUND)
def test_query_finds(query: str, expected: list[tuple[str, ...]]) -> None:
    assert rows(query) == expected


def test_newest_come_first_with_time_message_and_pointer_unless_told() -> None:
    first = found("filter level = 'info'").rows[0]
    assert list(first) == ["@timestamp", "@message", "@ptr"]
    assert first["@timestamp"] == "2026-11-24 06:03:00.000"


def test_what_is_missing_in_a_row_is_not_shown() -> None:
    assert [list(row) for row in found("fields level, route | filter not ispresent(level)").rows] == [["@ptr"]]


def test_column_is_called_as_it_is_written() -> None:
    assert list(found("stats  pct( ms,95 ) , count(*) as n by bin(5m)").rows[0]) == ["bin(5m)", "pct( ms,95 )", "n"]


def test_statistics_count_what_was_read_and_matched() -> None:
    statistics = found("filter level = 'info' | limit 1").statistics
    assert (statistics["recordsScanned"], statistics["recordsMatched"]) == (6, 3)


def test_only_the_time_asked_for_counts() -> None:
    events = [LOG.group]
    assert len(run(parse("fields level"), events, START + 60, START + 120).rows) == 2
    assert len(run(parse("fields level"), events, (START + 60) * 1000, (START + 120) * 1000).rows) == 2


def test_limit_of_the_call_counts_when_the_query_has_none() -> None:
    assert len(found("fields level", limit=2).rows) == 2
    assert len(found("fields level | limit 3", limit=2).rows) == 3


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("dedup level", "the command dedup is not supported"),
        ("fields a | pattern @message", "the command pattern is not supported"),
        ("stats median(ms)", "the aggregate median is not supported"),
        ("stats ms by level", "ms stands inside of an aggregate"),
        ("fields isIpv4InSubnet(a)", "the function isIpv4InSubnet is not supported"),
        ("filter ms >", "the end of the query"),
        ("filter ms > 1 1", "unexpected at: 1"),
        ("filter a like 5", "expected /a regular expression/"),
        ("filter a like /(/", "the regular expression is malformed"),
        ("limit many", "expected a whole number"),
        ("parse @message '* *' as one", "2 \\* and 1 names"),
        ("parse @message /user/", "groups with names"),
        ("stats count(*) by bin(soon)", "expected a time such as 5m"),
        ("stats pct(ms, 200)", "from 0 to 100"),
        ("", "expected the name"),
    ],
)
def test_what_is_not_supported_is_named(query: str, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        run(parse(query), [LOG.group], START, START + 3600)


def test_query_is_complete_as_soon_as_it_has_started(sandbox: Sandbox) -> None:
    logs = sandbox.client("logs")
    logs.create_log_group(logGroupName="asked")
    logs.create_log_stream(logGroupName="asked", logStreamName="s")
    events = [{"timestamp": START * 1000, "message": json.dumps(line)} for line in LOG.lines]
    logs.put_log_events(logGroupName="asked", logStreamName="s", logEvents=events)
    window = {"startTime": START - 60, "endTime": START + 60}
    query = "filter status >= 500 | stats count(*) as errors by route"
    started = logs.start_query(logGroupNames=["asked"], queryString=query, **window)["queryId"]
    answer = logs.get_query_results(queryId=started)
    assert answer["status"] == "Complete"
    assert answer["results"] == [[{"field": "route", "value": "/ask"}, {"field": "errors", "value": "1"}]]
    assert answer["statistics"]["recordsScanned"] == 6
    [listed] = logs.describe_queries(logGroupName="asked")["queries"]
    assert (listed["queryId"], listed["queryString"]) == (started, query)
    with pytest.raises(ClientError, match=r"MalformedQueryException.*the command dedup"):
        logs.start_query(logGroupName="asked", queryString="dedup route", **window)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.start_query(logGroupName="absent", queryString=query, **window)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.get_query_results(queryId="none")
