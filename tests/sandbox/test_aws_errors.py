"""What fails in the control plane leaves it in the service's own words, and is not repeated by clients."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.ledger import Call, current_call
from tests.sandbox.conftest import ControlPlane

# operations that botocore knows and moto does not, in each wire format
UNSUPPORTED: list[tuple[str, str, dict[str, Any], str]] = [
    ("rds", "describe_integrations", {}, "rds:DescribeIntegrations"),
    ("ec2", "describe_spot_datafeed_subscription", {}, "ec2:DescribeSpotDatafeedSubscription"),
    ("s3", "get_bucket_analytics_configuration", {"Bucket": "b", "Id": "i"}, "s3:GetBucketAnalyticsConfiguration"),
    ("ssm", "describe_sessions", {"State": "Active"}, "ssm:DescribeSessions"),
    ("lambda", "list_code_signing_configs", {}, "lambda:ListCodeSigningConfigs"),
    ("sts", "get_session_token", {}, "sts:GetSessionToken"),
    ("iam", "list_service_specific_credentials", {}, "iam:ListServiceSpecificCredentials"),
    ("route53domains", "list_prices", {}, "route53domains:ListPrices"),
    ("outposts", "list_outposts", {}, "outposts:ListOutposts"),
]


@pytest.mark.parametrize(("service", "operation", "arguments", "name"), UNSUPPORTED)
def test_unsupported_operation_is_refused_by_name(
    aws: ControlPlane, service: str, operation: str, arguments: dict[str, Any], name: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(aws.client(service), operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert caught.value.response["Error"]["Message"] == f"{name} is not supported by the sandbox"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_mistaken_operation_does_not_do_something_else(aws: ControlPlane) -> None:
    s3 = aws.client("s3")
    configuration = {"Id": "i", "StorageClassAnalysis": {}}
    with pytest.raises(ClientError, match="s3:PutBucketAnalyticsConfiguration is not supported"):
        s3.put_bucket_analytics_configuration(Bucket="papers", Id="i", AnalyticsConfiguration=configuration)
    assert s3.list_buckets()["Buckets"] == []


@pytest.mark.parametrize("service", ["rds", "ec2", "s3", "ecs", "lambda"])
def test_fault_inside_is_told_and_logged_and_not_repeated(
    aws: ControlPlane, service: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from moto.core.authorization import ActionAuthenticatorMixin

    calls = []

    def fail(*_: Any, **__: Any) -> None:
        calls.append(1)
        raise KeyError("the fault")

    for name in ("_authenticate_and_authorize_normal_action", "_authenticate_and_authorize_s3_action"):
        monkeypatch.setattr(ActionAuthenticatorMixin, name, fail)
    operations = {
        "rds": "describe_db_instances",
        "ec2": "describe_vpcs",
        "s3": "list_buckets",
        "ecs": "list_clusters",
        "lambda": "list_functions",
    }
    client = aws.client(service, config={"retries": {"total_max_attempts": 3}})
    with pytest.raises(
        ClientError, match=f"{service}:.* failed inside of the sandbox: KeyError: 'the fault'"
    ) as caught:
        getattr(client, operations[service])()
    assert caught.value.response["Error"]["Code"] == "SandboxFailure"
    assert len(calls) == 1
    assert "Traceback" in capfd.readouterr().err


def test_region_that_does_not_exist_is_named(aws: ControlPlane) -> None:
    with pytest.raises(ClientError, match="the region eu-north-9 does not exist"):
        aws.client("rds", region="eu-north-9").describe_db_instances()


def test_service_that_does_not_exist_is_named(aws: ControlPlane) -> None:
    scope = "AKIAOPERATOR00000000/20261124/us-east-1/teleport/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    answer = aws.fetch("https://teleport.us-east-1.amazonaws.com/", headers={"Authorization": authorization})
    assert answer.status_code == 400
    assert "<Code>UnknownService</Code>" in answer.text
    assert "teleport" in answer.text


def test_operation_that_does_not_exist_is_named(aws: ControlPlane) -> None:
    rds = aws.client("rds")

    def rename(params: dict[str, Any], **_: Any) -> None:
        params["body"]["Action"] = "CreateMiracle"

    rds.meta.events.register("before-call.rds.DescribeDBInstances", rename)
    with pytest.raises(ClientError, match="rds:CreateMiracle is not supported by the sandbox"):
        rds.describe_db_instances()


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code"),
    [
        ("s3", "get_bucket_policy", {"Bucket": "none"}, "NoSuchBucket"),
        ("secretsmanager", "get_secret_value", {"SecretId": "none"}, "ResourceNotFoundException"),
        ("rds", "describe_db_instances", {"DBInstanceIdentifier": "none"}, "DBInstanceNotFound"),
        ("ec2", "describe_vpcs", {"VpcIds": ["vpc-1"]}, "InvalidVpcID.NotFound"),
        ("iam", "get_role", {"RoleName": "none"}, "NoSuchEntity"),
    ],
)
def test_error_of_the_service_passes_and_is_told_to_the_ledger(
    aws: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    operation: str,
    arguments: dict[str, Any],
    code: str,
) -> None:
    from ragonotebooks.sandbox.aws import guard

    call = Call()
    monkeypatch.setattr(guard, "Call", lambda: call)
    with pytest.raises(ClientError) as caught:
        getattr(aws.client(service), operation)(**arguments)
    assert caught.value.response["Error"]["Code"] in (code, f"{code}Fault")
    assert call.error == caught.value.response["Error"]["Code"]
    assert call.mutating is False
    assert current_call.get() is None
