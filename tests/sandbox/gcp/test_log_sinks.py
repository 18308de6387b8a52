"""Sinks of Cloud Logging: entries become files in a bucket that lets the sink's writer in."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import google.auth
import pytest
from google.api_core import exceptions
from google.auth.transport.requests import AuthorizedSession
from google.cloud import logging as cloud_logging
from google.cloud import storage
from google.cloud.logging_v2.services.config_service_v2 import ConfigServiceV2Client

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT

LOG = "of-the-sink"


@pytest.fixture
def bucket(gcp: Sandbox) -> storage.Bucket:
    return storage.Client().create_bucket(f"sink-{secrets.token_hex(4)}")


@pytest.fixture
def sink(gcp: Sandbox, bucket: storage.Bucket) -> Iterator[Any]:
    """A sink of one log to the bucket, which does not let it in yet."""
    config = ConfigServiceV2Client()
    wanted = {"name": f"to-{bucket.name}", "destination": f"storage.googleapis.com/{bucket.name}"}
    wanted |= {"filter": f'log_id("{LOG}") severity>=NOTICE', "description": "for the tests"}
    yield config.create_sink(request={"parent": PROJECT, "sink": wanted, "unique_writer_identity": True})
    config.delete_sink(sink_name=f"{PROJECT}/sinks/{wanted['name']}")


def let_in(bucket: storage.Bucket, member: str) -> None:
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectCreator", "members": {member}})
    bucket.set_iam_policy(policy)


def wait_for(found: Callable[[], Any]) -> Any:
    """What `found` finds, within half a minute."""
    end = time.monotonic() + 30
    while not (there := found()) and time.monotonic() < end:
        time.sleep(0.2)
    return there


def test_what_a_sink_wants_is_in_its_bucket_an_entry_a_line(bucket: storage.Bucket, sink: Any) -> None:
    assert sink.writer_identity.endswith("@gcp-sa-logging.iam.gserviceaccount.com")
    let_in(bucket, sink.writer_identity)
    logger = cloud_logging.Client().logger(LOG)
    logger.log_text("too low", severity="INFO")
    logger.log_struct({"message": "wanted"}, severity="NOTICE")
    [file] = wait_for(lambda: list(bucket.list_blobs(prefix=f"{LOG}/")))
    entries = [json.loads(line) for line in file.download_as_text().splitlines()]
    assert [entry.get("jsonPayload", {}).get("message") for entry in entries] == ["wanted"]
    day, hour = entries[0]["timestamp"][:10].replace("-", "/"), entries[0]["timestamp"][11:13]
    assert file.name == f"{LOG}/{day}/{hour}:00:00_{hour}:59:59_S0.json"


def test_a_bucket_that_does_not_let_the_writer_in_gets_nothing_and_a_log_says_so(
    bucket: storage.Bucket, sink: Any
) -> None:
    client = cloud_logging.Client()
    client.logger(LOG).log_text("lost", severity="ERROR")
    text = f'log_id("logging.googleapis.com/sink_error") "{sink.name}"'
    [told] = wait_for(lambda: list(client.list_entries(filter_=text)))
    assert "does not have storage.objects.create access" in told.payload
    assert list(bucket.list_blobs()) == []


def test_a_sink_is_listed_changed_and_deleted_by_the_older_client_too(gcp: Sandbox, bucket: storage.Bucket) -> None:
    client = cloud_logging.Client()
    sink = client.sink("by-hand", filter_="severity>=ERROR", destination=f"storage.googleapis.com/{bucket.name}")
    sink.create()
    assert sink.exists()
    sink.filter_ = "severity>=CRITICAL"
    sink.update()
    assert {one.name: one.filter_ for one in client.list_sinks()}["by-hand"] == "severity>=CRITICAL"
    over_rest = AuthorizedSession(google.auth.default()[0])
    told = over_rest.get(f"https://logging.googleapis.com/v2/{PROJECT}/sinks/by-hand", timeout=30).json()
    assert (told["name"], told["filter"]) == ("by-hand", "severity>=CRITICAL")
    sink.delete()
    assert not sink.exists()


@pytest.mark.parametrize(
    ("change", "error", "problem"),
    [
        ({"destination": "bigquery.googleapis.com/projects/p/datasets/d"}, exceptions.MethodNotImplemented, "bigquery"),
        ({"destination": "storage.googleapis.com/Not_A_Bucket"}, exceptions.InvalidArgument, "is no bucket"),
        ({"filter": "nothing=1"}, exceptions.InvalidArgument, "Field not found"),
        ({"include_children": True}, exceptions.MethodNotImplemented, "include_children"),
        ({"name": "not a name"}, exceptions.InvalidArgument, "name"),
    ],
)
def test_what_a_sink_cannot_be_is_refused_by_name(
    gcp: Sandbox, change: dict[str, Any], error: type[Exception], problem: str
) -> None:
    wanted = {"name": "wrong", "destination": "storage.googleapis.com/some-bucket", **change}
    with pytest.raises(error, match=problem):
        ConfigServiceV2Client().create_sink(request={"parent": PROJECT, "sink": wanted})
