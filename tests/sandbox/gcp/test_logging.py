"""Cloud Logging, by Google's client: what is written is found again by the filters that people write."""

import time
from collections.abc import Callable

import google.auth
import pytest
from google.api_core import exceptions
from google.auth.transport.requests import AuthorizedSession
from google.cloud import logging as cloud_logging
from google.cloud import monitoring_v3
from google.cloud.logging_v2 import Resource
from google.cloud.logging_v2.services.metrics_service_v2 import MetricsServiceV2Client

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT

JOB = Resource(type="cloud_run_job", labels={"job_name": "index", "location": "us-central1"})


@pytest.fixture
def client(gcp: Sandbox) -> cloud_logging.Client:
    return cloud_logging.Client()


@pytest.fixture
def texts(client: cloud_logging.Client) -> Callable[[str], list[str]]:
    """Six entries, and what finds their messages by a filter."""
    logger = client.logger("filters")
    if not list(client.list_entries(filter_='log_id("filters")')):
        logger.log_text("one started", severity="INFO", resource=JOB, labels={"run": "a"})
        logger.log_struct({"message": "two counted", "chunks": 12, "done": True}, severity="NOTICE", resource=JOB)
        logger.log_struct({"message": "three is slow", "chunks": 700, "where": {"shard": "b"}}, severity="WARNING")
        logger.log_struct({"message": "four failed", "error": "KeyError"}, severity="ERROR", labels={"run": "b"})
        request = {"requestMethod": "GET", "status": 503, "latency": "1.5s", "responseSize": 900}
        labels = {"run.googleapis.com/execution_name": "seven-abcde"}
        logger.log_text("zero asked", severity="ALERT", http_request=request, labels=labels)
        logger.log_text("five ended", trace=f"{PROJECT}/traces/abc", resource=JOB)

    def find(text: str) -> list[str]:
        # the library tells of itself in the first log that it writes
        of_the_library = 'jsonPayload."logging.googleapis.com/diagnostic":*'
        found = client.list_entries(filter_=f'log_id("filters") AND NOT {of_the_library} AND ({text})')
        said = [entry.payload if isinstance(entry.payload, str) else entry.payload["message"] for entry in found]
        return [words.partition(" ")[0] for words in said]

    return find


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("severity>=WARNING AND severity<ALERT", ["three", "four"]),
        ('severity = "NOTICE"', ["two"]),
        ("severity<INFO", ["five"]),
        ('resource.type="cloud_run_job" resource.labels.job_name="index"', ["one", "two", "five"]),
        ('resource.type="cloud_run_job" AND NOT severity>=INFO', ["five"]),
        ("jsonPayload.chunks>100", ["three"]),
        ("jsonPayload.done=true", ["two"]),
        ('jsonPayload.where.shard="b" OR jsonPayload.error:"Key"', ["three", "four"]),
        ('textPayload:"ended"', ["five"]),
        ('textPayload=~"^one|ended$"', ["one", "five"]),
        ("labels.run=b", ["four"]),
        ('"counted"', ["two"]),
        ('-"counted" severity>DEFAULT', ["one", "three", "four", "zero"]),
        ('trace="projects/ragonometrics-sandbox/traces/abc"', ["five"]),
        ('timestamp>="2020-01-01T00:00:00Z" jsonPayload.error:*', ["four"]),
        ('timestamp<"2020-01-01T00:00:00Z"', []),
        ('labels.run=("a" OR "b")', ["one", "four"]),
        ('"severity>=ERROR"', []),
        ("httpRequest.status>=500", ["zero"]),
        ('httpRequest.latency>"1s" httpRequest.responseSize>100', ["zero"]),
        ('httpRequest.latency>"20s"', []),
        ('labels."run.googleapis.com/execution_name"="seven-abcde"', ["zero"]),
    ],
)
def test_a_filter_finds_what_it_says(texts: Callable[[str], list[str]], text: str, found: list[str]) -> None:
    assert texts(text) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('message="x"', "Field not found: 'message'"),
        ('SEARCH("x")', "SEARCH"),
        ("severity>=LOUD", "LOUD is not a severity"),
        ("(a OR b", "not closed"),
    ],
)
def test_a_filter_that_is_not_understood_is_refused_by_name(
    client: cloud_logging.Client, text: str, problem: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=problem):
        list(client.list_entries(filter_=text))


def test_entries_are_paged_in_either_order(client: cloud_logging.Client) -> None:
    logger = client.logger("paged")
    for number in range(7):
        logger.log_text(str(number))
    newest_first = client.list_entries(filter_='log_id("paged")', order_by=cloud_logging.DESCENDING, page_size=3)
    assert [entry.payload for entry in newest_first] == ["6", "5", "4", "3", "2", "1", "0"]
    assert [entry.payload for entry in client.list_entries(filter_='log_id("paged")', page_size=2)][:3] == [
        "0",
        "1",
        "2",
    ]


def test_the_name_of_a_metric_may_have_slashes_which_are_encoded_where_it_is_part_of_another(
    client: cloud_logging.Client,
) -> None:
    metrics = MetricsServiceV2Client()
    body = {"name": "api/refused", "filter": 'jsonPayload.refused="yes"'}
    metrics.create_log_metric(parent=PROJECT, metric=body)
    with pytest.raises(exceptions.AlreadyExists):
        metrics.create_log_metric(parent=PROJECT, metric=body)
    assert [one.name for one in client.list_metrics()] == ["api/refused"]
    client.logger("slashed").log_struct({"refused": "yes"})
    assert metrics.get_log_metric(metric_name=f"{PROJECT}/metrics/api%2Frefused").name == "api/refused"
    session = AuthorizedSession(google.auth.default()[0])
    where = f"https://logging.googleapis.com/v2/{PROJECT}/metrics/api%2Frefused"
    assert session.get(where).json()["metricDescriptor"]["type"] == "logging.googleapis.com/user/api/refused"
    interval = {"start_time": {"seconds": int(time.time()) - 300}, "end_time": {"seconds": int(time.time()) + 1}}
    chosen = 'metric.type = "logging.googleapis.com/user/api/refused"'
    request = {"name": PROJECT, "filter": chosen, "interval": interval}
    [series] = monitoring_v3.MetricServiceClient().list_time_series(request=request)
    assert series.points[0].value.int64_value == 1
    assert session.put(where, json={**body, "description": "changed"}).json()["name"] == "api/refused"
    assert session.delete(where).ok
    assert list(client.list_metrics()) == []


def test_a_deleted_log_is_empty(client: cloud_logging.Client) -> None:
    logger = client.logger("deleted")
    logger.log_text("something")
    logger.delete()
    assert list(logger.list_entries()) == []
    with pytest.raises(exceptions.NotFound):
        logger.delete()


def test_the_batches_of_python_s_logging_arrive(client: cloud_logging.Client) -> None:
    with client.logger("batched").batch() as batch:
        batch.log_struct({"message": "a"}, severity="ERROR")
        batch.log_text("b")
    found = list(client.list_entries(filter_='log_id("batched")'))
    assert [(entry.severity, entry.resource.type) for entry in found] == [("ERROR", "global"), (None, "global")]
    assert found[0].resource.labels["project_id"] == "ragonometrics-sandbox"


def test_a_log_based_metric_is_kept_changed_and_deleted(client: cloud_logging.Client) -> None:
    metric = client.metric("errors", filter_="severity>=ERROR", description="all errors")
    assert not metric.exists()
    metric.create()
    assert [(one.name, one.filter_) for one in client.list_metrics()] == [("errors", "severity>=ERROR")]
    metric.filter_ = "severity>=CRITICAL"
    metric.update()
    metric.reload()
    assert (metric.filter_, metric.description) == ("severity>=CRITICAL", "all errors")
    metric.delete()
    assert not metric.exists()
    with pytest.raises(exceptions.InvalidArgument, match="Field not found"):
        client.metric("wrong", filter_="nothing=1").create()
