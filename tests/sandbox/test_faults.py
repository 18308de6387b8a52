"""Calls that a test wants refused: on both clouds, as often as it says, and seen for what they are."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.cleanup.gcp.rest import ApiError
from ragonotebooks.sandbox import faults
from ragonotebooks.sandbox.faults import Refusal
from ragonotebooks.sandbox.ledger import Call, read_ledger
from tests.google import api
from tests.sandbox.conftest import Sandbox

MAKE = "s3:CreateBucket"
TOPICS = "pubsub.googleapis.com:pubsub.projects.topics.list"


@pytest.fixture(autouse=True)
def afterwards(sandbox: Sandbox) -> Iterator[None]:
    """The sandbox is shared: nothing is refused in it for other tests."""
    yield
    faults.tell(sandbox.state, [])


def made(s3: Any, bucket: str) -> str:
    """`made`, or the code of the refusal."""
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "made"


def calls(sandbox: Sandbox, resource: str) -> list[Call]:
    return [call for call in read_ledger(sandbox.folder) if call.resource.endswith(resource)]


def test_a_call_is_refused_as_often_as_told_and_then_answered(sandbox: Sandbox) -> None:
    faults.tell(sandbox.state, [Refusal(MAKE, "AccessDenied", 2)])
    s3 = sandbox.client("s3")
    assert [made(s3, "twice-refused") for _ in range(3)] == ["AccessDenied", "AccessDenied", "made"]


def test_the_ledger_says_that_a_refusal_is_injected_and_changed_nothing(sandbox: Sandbox) -> None:
    faults.tell(sandbox.state, [Refusal(MAKE, "OperationAborted", 1)])
    s3 = sandbox.client("s3")
    made(s3, "once-refused")
    made(s3, "once-refused")
    told = [(call.error, call.injected, call.mutating) for call in calls(sandbox, "once-refused")]
    assert told == [("OperationAborted", True, False), (None, False, True)]


def test_what_is_told_replaces_what_was_told_before(sandbox: Sandbox) -> None:
    faults.tell(sandbox.state, [Refusal(MAKE, "AccessDenied")])
    faults.tell(sandbox.state, [Refusal("s3:DeleteBucket", "AccessDenied")])
    assert made(sandbox.client("s3"), "not-refused") == "made"


def test_google_cloud_refuses_with_its_own_codes(sandbox: Sandbox) -> None:
    api(sandbox.state.name, "serviceusage").call("POST", "v1/{project}/services/pubsub.googleapis.com:enable", {})
    pubsub = api(sandbox.state.name, "pubsub")
    faults.tell(sandbox.state, [Refusal(TOPICS, "RESOURCE_EXHAUSTED", 1)])
    with pytest.raises(ApiError, match="a test wants this call refused") as raised:
        pubsub.call("GET", "v1/{project}/topics")
    assert (raised.value.status, raised.value.code) == (429, "RESOURCE_EXHAUSTED")
    assert pubsub.call("GET", "v1/{project}/topics") == {"topics": []}
    listed = [call for call in read_ledger(sandbox.folder) if f"{call.service}:{call.action}" == TOPICS]
    assert [call.injected for call in listed] == [True, False]
