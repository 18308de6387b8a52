"""From a reference to the secret that a cloud keeps, by the cloud's own client."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from google.cloud import secretmanager
from google.cloud.secretmanager_v1 import AccessSecretVersionResponse

from ragonotebooks import secret


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    client = boto3.client("secretsmanager", **keys)
    stub = Stubber(client)
    stub.activate()
    monkeypatch.setattr(boto3, "client", lambda service: {"secretsmanager": client}[service])
    return stub


@pytest.mark.parametrize("answer", [{"SecretString": "correct-horse"}, {"SecretBinary": b"correct-horse"}], ids=list)
def test_secrets_manager_is_asked_by_name_or_arn(aws: Stubber, answer: dict[str, Any]) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:012345678901:secret:api-AbCdEf"
    for name in ("ragonometrics/api", arn):
        aws.add_response("get_secret_value", answer, {"SecretId": name})
        assert secret(f"secretsmanager:{name}") == "correct-horse"


def test_what_the_cloud_refuses_is_told_as_it_says_it(aws: Stubber) -> None:
    aws.add_client_error("get_secret_value", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        secret("secretsmanager:ragonometrics/api")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("api-key", "projects/ours/secrets/api-key/versions/latest"),
        ("projects/theirs/secrets/api-key", "projects/theirs/secrets/api-key/versions/latest"),
        ("projects/theirs/secrets/api-key/versions/3", "projects/theirs/secrets/api-key/versions/3"),
    ],
)
def test_secret_manager_is_asked_for_the_newest_version_of_our_project(
    monkeypatch: pytest.MonkeyPatch, name: str, asked: str
) -> None:
    class Client:
        def access_secret_version(self, *, name: str) -> AccessSecretVersionResponse:
            return AccessSecretVersionResponse(payload={"data": f"what is in {name}".encode()})

    monkeypatch.setattr(secretmanager, "SecretManagerServiceClient", Client)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ours")
    assert secret(f"secretmanager:{name}") == f"what is in {asked}"
