"""`first`, `maybe` and `refused` with the errors that clients really raise."""

import io
import json
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, EndpointConnectionError
from google.api_core.exceptions import Conflict, Forbidden, NotFound, PermissionDenied, ServiceUnavailable
from google.auth.exceptions import TransportError
from google.rpc.error_details_pb2 import ErrorInfo
from googleapiclient.errors import HttpError
from httplib2 import Response

from ragonotebooks import first, maybe, refused
from ragonotebooks.images import RegistryError

BUCKETS = [{"Name": "a", "Size": 1}, {"Name": "b", "Size": 2}, {"Name": "b", "Size": 3}]


def aws(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "Because."}}, "DescribeIt")


def discovered(status: int, **error: Any) -> HttpError:
    """What clients of google-api-python-client raise."""
    body = json.dumps({"error": {"code": status, "message": "Because.", **error}})
    return HttpError(Response({"status": status, "content-type": "application/json"}), body.encode())


def raising(error: Exception) -> Any:
    def call(**arguments: Any) -> Any:
        raise error

    return call


def echo(**arguments: Any) -> Any:
    return arguments


def test_first_finds_the_first_that_matches_all() -> None:
    assert first(BUCKETS, Name="b") == {"Name": "b", "Size": 2}
    assert first(BUCKETS, Name="b", Size=3) == {"Name": "b", "Size": 3}


def test_first_finds_none_where_nothing_matches_or_a_key_is_missing() -> None:
    assert first(BUCKETS, Name="c") is None
    assert first(BUCKETS, Colour="red") is None
    assert first([]) is None


def test_first_without_a_condition_takes_the_first() -> None:
    assert first(iter(BUCKETS)) == BUCKETS[0]


def test_maybe_returns_what_the_call_returns() -> None:
    assert maybe(echo, Bucket="a") == {"Bucket": "a"}


@pytest.mark.parametrize(
    "code",
    [
        "NoSuchBucket",
        "NoSuchLifecycleConfiguration",
        "NoSuchEntity",
        "404",
        "DBInstanceNotFound",
        "ResourceNotFoundException",
        "InvalidGroup.NotFound",
        "ParameterNotFound",
        "AWS.SimpleQueueService.NonExistentQueue",
    ],
)
def test_maybe_is_none_for_every_word_for_absence(code: str) -> None:
    assert maybe(raising(aws(code))) is None


@pytest.mark.parametrize("error", [NotFound("No such object"), discovered(404)])
def test_maybe_is_none_for_absence_in_each_of_googles_clients(error: Exception) -> None:
    assert maybe(raising(error)) is None


@pytest.mark.parametrize(
    "error",
    [
        aws("AccessDenied"),
        KeyError("404"),
        EndpointConnectionError(endpoint_url="nowhere"),
        Forbidden("Not yours"),
        PermissionDenied("denied", error_info=ErrorInfo(reason="SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED")),
        discovered(403),
    ],
)
def test_maybe_raises_everything_else(error: Exception) -> None:
    with pytest.raises(type(error)):
        maybe(raising(error))


def test_refused_is_none_when_the_call_is_allowed() -> None:
    assert refused(echo, Bucket="a") is None


def test_refused_is_the_clouds_own_code() -> None:
    assert refused(raising(aws("AccessDenied"))) == "AccessDenied"


def test_refused_knows_what_registries_say() -> None:
    answer = requests.Response()
    answer.status_code = 400
    answer.raw = io.BytesIO(b'{"errors": [{"code": "TAG_INVALID", "message": "the tag is immutable"}]}')
    assert refused(raising(RegistryError("registry.test", answer))) == "TAG_INVALID"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionDenied("disabled", error_info=ErrorInfo(reason="SERVICE_DISABLED")), "SERVICE_DISABLED"),
        (PermissionDenied("denied"), "PERMISSION_DENIED"),
        (Forbidden("Not yours"), "FORBIDDEN"),
        (Conflict("It is in use"), "CONFLICT"),
        (discovered(409), "CONFLICT"),
        (discovered(403, errors=[{"reason": "forbidden", "message": "Because."}]), "FORBIDDEN"),
        (
            discovered(
                403, details=[{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
            ),
            "API_KEY_INVALID",
        ),
    ],
)
def test_refused_is_googles_reason_or_its_status(error: Exception, code: str) -> None:
    assert refused(raising(error)) == code


def test_refused_raises_what_is_no_answer_of_the_cloud() -> None:
    broken = (EndpointConnectionError(endpoint_url="nowhere"), TransportError("broken"), ServiceUnavailable("broken"))
    for error in (TypeError("wrong argument"), *broken):
        with pytest.raises(type(error)):
            refused(raising(error))
