"""Filter patterns match what CloudWatch Logs would match, and what cannot be read is refused by name."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws.filter_patterns import PatternError, matcher
from tests.sandbox.conftest import ControlPlane

PLAIN = "ERROR job failed: no papers"
EVENT = json.dumps(
    {
        "event": "paper-indexed",
        "level": "info",
        "ms": 12.5,
        "ok": True,
        "note": "a [b] c?",
        "job": {"id": "7", "tries": [1, 2]},
    }
)

MATCHES = [
    ("", PLAIN),
    ("  ", PLAIN),
    ("ERROR", PLAIN),
    ("papers ERROR", PLAIN),
    ('"job failed"', PLAIN),
    ('"failed:" papers', PLAIN),
    ("ERROR -warning", PLAIN),
    ('-"job passed"', PLAIN),
    ("?WARN ?ERROR", PLAIN),
    ("indexed", EVENT),
    ('{ $.event = "paper-indexed" }', EVENT),
    ('{$.event="paper-indexed"}', EVENT),
    ("{ $.event = paper-indexed }", EVENT),
    ('{ $.event = "paper-*" && $.level != "error" }', EVENT),
    ("{ $.event = *indexed }", EVENT),
    ('{ $.note = "a [b] *" }', EVENT),
    ("{ $.ms > 12 && $.ms <= 12.5 }", EVENT),
    ("{ $.ms < 1e3 }", EVENT),
    ('{ $.job.id = "7" }', EVENT),
    ("{ $.job.tries[1] = 2 }", EVENT),
    ('{ $.level = "error" || $.ms >= 10 && $.event = "paper*" }', EVENT),
    ('{ ($.level = "error" || $.level = "info") && $.ms != 3 }', EVENT),
]
DIFFERS = [
    ("error", PLAIN),
    ("ERROR missing", PLAIN),
    ('"failed job"', PLAIN),
    ("ERROR -papers", PLAIN),
    ("?WARN ?INFO", PLAIN),
    ('{ $.event = "x" }', PLAIN),
    ('{ $.event = "paper" }', EVENT),
    ('{ $.note = "a b c?" }', EVENT),
    ('{ $.event != "paper-*" }', EVENT),
    ('{ $.absent != "x" }', EVENT),
    ("{ $.job.tries[2] = 2 }", EVENT),
    ("{ $.job.id = 7 }", EVENT),
    ('{ $.ms = "12.5" }', EVENT),
    ("{ $.ok = 1 }", EVENT),
    ("{ $.ms > 12.5 }", EVENT),
    ('{ ($.level = "error" || $.ms >= 10) && $.event = "x" }', EVENT),
]
REFUSED = [
    ("[ip, user, ...]", "space-delimited"),
    ("%ERR.R%", "regular expressions"),
    ("job.failed", "quote terms with other signs .*: job.failed"),
    ("ERROR my-term", "quote terms .*: my-term"),
    ('"never ends', "quote terms"),
    ("ERROR ?WARN", "ignores \\?terms"),
    ('{ $.event = "x"', "ends with }"),
    ("{ $.event IS NULL }", "not this: \\$.event IS NULL"),
    ("{ $.event NOT EXISTS }", "not this: \\$.event NOT EXISTS"),
    ('{ $.event = "x" && }', "not this: its end"),
    ('{ ($.event = "x" }', "not this: its end"),
    ('{ $.event = "x" $.ms = 1 }', "not this: \\$.ms = 1"),
    ("{ $.event = %x% }", "not this"),
    ('{ $.event > "x" }', "> needs a number"),
    ("{ }", "not this: its end"),
]


@pytest.mark.parametrize(("pattern", "message"), MATCHES)
def test_pattern_matches(pattern: str, message: str) -> None:
    assert matcher(pattern)(message)


@pytest.mark.parametrize(("pattern", "message"), DIFFERS)
def test_pattern_does_not_match(pattern: str, message: str) -> None:
    assert not matcher(pattern)(message)


@pytest.mark.parametrize(("pattern", "reason"), REFUSED)
def test_pattern_that_cannot_be_read_is_refused_by_name(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=reason):
        matcher(pattern)


@pytest.fixture
def logs(aws: ControlPlane) -> Any:
    """A client, with events in three streams of the group `/jobs`."""
    client = aws.client("logs")
    client.create_log_group(logGroupName="/jobs")
    lines = [("job/1", 1000, "first"), ("job/2", 2000, "second"), ("job/1", 3000, EVENT), ("ui/1", 4000, "fourth")]
    for stream in ("job/1", "job/2", "ui/1"):
        client.create_log_stream(logGroupName="/jobs", logStreamName=stream)
    now = 1795550000000
    for stream, at, message in lines:
        event = {"timestamp": now + at, "message": message}
        client.put_log_events(logGroupName="/jobs", logStreamName=stream, logEvents=[event])
    return client


def messages(logs: Any, **more: Any) -> list[str]:
    return [event["message"] for event in logs.filter_log_events(**{"logGroupName": "/jobs", **more})["events"]]


def test_events_of_all_streams_come_in_the_order_of_time(logs: Any) -> None:
    assert messages(logs) == ["first", "second", EVENT, "fourth"]
    assert messages(logs, logStreamNames=["job/2", "ui/1"]) == ["second", "fourth"]
    assert messages(logs, logStreamNamePrefix="job/") == ["first", "second", EVENT]
    assert messages(logs, logStreamNamePrefix="none/") == []
    assert messages(logs, startTime=1795550002000, endTime=1795550003000) == ["second", EVENT]


def test_events_are_found_by_pattern_and_page_by_page(logs: Any) -> None:
    assert messages(logs, filterPattern='{ $.event = "paper-*" && $.ms > 10 }') == [EVENT]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/jobs", filterPattern="?first ?fourth", PaginationConfig={"PageSize": 1}
    )
    assert [event["message"] for page in pages for event in page["events"]] == ["first", "fourth"]


def test_ten_thousand_events_are_read_back_whole_and_in_order(aws: ControlPlane) -> None:
    logs, now = aws.client("logs"), 1795550000000
    lines = [{"timestamp": now + number, "message": f"line {number}"} for number in range(10_000)]
    logs.create_log_group(logGroupName="/jobs")
    for parity in (0, 1):  # a line goes to the one stream, the next to the other
        logs.create_log_stream(logGroupName="/jobs", logStreamName=f"job/{parity}")
        for start in range(0, 10_000, 2_500):
            part = lines[start : start + 2_500][parity::2]
            logs.put_log_events(logGroupName="/jobs", logStreamName=f"job/{parity}", logEvents=part)

    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/jobs", PaginationConfig={"PageSize": 700})
    found = [{key: event[key] for key in ("timestamp", "message")} for page in pages for event in page["events"]]
    assert found == lines
    assert messages(logs, filterPattern='"line 9999"') == ["line 9999"]
    assert list(forward(logs, "job/1", 900)) == [line["message"] for line in lines[1::2]]


def forward(logs: Any, stream: str, limit: int) -> Iterator[str]:
    """A stream's messages from its first on, read page by page until the token stays the same, as AWS says."""
    more: dict[str, str] = {}
    while True:
        answer = logs.get_log_events(
            logGroupName="/jobs", logStreamName=stream, startFromHead=True, limit=limit, **more
        )
        yield from (event["message"] for event in answer["events"])
        if answer["nextForwardToken"] == more.get("nextToken"):
            return
        more = {"nextToken": answer["nextForwardToken"]}


def test_group_is_found_by_its_arn(logs: Any) -> None:
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    for identifier in (arn, "/jobs"):
        found = logs.filter_log_events(logGroupIdentifier=identifier, filterPattern="second")["events"]
        assert [event["message"] for event in found] == ["second"]
    with pytest.raises(ClientError, match="The specified log group does not exist"):
        logs.filter_log_events(logGroupName="/none")


@pytest.mark.parametrize("pattern", ["%regex%", "[a, b]", "my-term", "{ $.a IS TRUE }"])
def test_invalid_pattern_is_an_invalid_parameter_though_there_is_no_event(aws: ControlPlane, pattern: str) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/empty")
    with pytest.raises(ClientError, match="Invalid filter pattern: ") as caught:
        logs.filter_log_events(logGroupName="/empty", filterPattern=pattern)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_retention_is_kept(logs: Any) -> None:
    logs.put_retention_policy(logGroupName="/jobs", retentionInDays=14)
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 14
    logs.delete_retention_policy(logGroupName="/jobs")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
