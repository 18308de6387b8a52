"""`ragonotebooks cleanup`: what is refused, what is said, and the exit code."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from ragonotebooks.cleanup import aws
from ragonotebooks.cleanup.aws import data
from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError

CLOUD = ["cleanup", "--target", "cloud", "--deployment", "tested"]
ACCOUNT = "123456789012"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A deployment that is one bucket, in an account that this process has credentials for."""
    # moto alone does not play every service that a deployment uses
    monkeypatch.setattr(aws, "ORDER", (data.BUCKETS,))
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="ours")
        tags = [{"Key": "deployment", "Value": "tested"}, {"Key": "managed-by", "Value": "ragonotebooks"}]
        s3.put_bucket_tagging(Bucket="ours", Tagging={"TagSet": tags})
        yield "ours"


def buckets() -> list[str]:
    return [bucket["Name"] for bucket in boto3.client("s3", region_name="us-east-1").list_buckets()["Buckets"]]


def refusal(*words: str) -> str:
    result = CliRunner().invoke(app, [*words])
    assert isinstance(result.exception, UsageError)
    return str(result.exception)


def test_without_yes_it_only_says_what_it_would_delete(bucket: str) -> None:
    result = CliRunner().invoke(app, CLOUD)
    assert result.exit_code == 0
    assert "ours: would delete" in result.output
    assert buckets() == [bucket]


def test_with_yes_and_the_account_it_deletes(bucket: str) -> None:
    result = CliRunner().invoke(app, [*CLOUD, "--yes", "--account", ACCOUNT])
    assert result.exit_code == 0
    assert "ours: deleted" in result.output
    assert buckets() == []
    assert "nothing is there" in CliRunner().invoke(app, CLOUD).output


def test_a_real_account_must_be_named(bucket: str) -> None:
    assert "--account" in refusal(*CLOUD, "--yes")
    assert buckets() == [bucket]


def test_another_account_than_the_credentials_are_for_is_refused(bucket: str) -> None:
    assert ACCOUNT in refusal(*CLOUD, "--yes", "--account", "999999999999")
    assert buckets() == [bucket]


def test_what_cannot_be_deleted_is_explained_and_the_exit_code_is_1(bucket: str) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    s3.put_bucket_tagging(Bucket="locked", Tagging={"TagSet": s3.get_bucket_tagging(Bucket=bucket)["TagSet"]})
    version = s3.put_object(Bucket="locked", Key="kept", Body=b"")["VersionId"]
    hold = {"Bucket": "locked", "Key": "kept", "VersionId": version}
    s3.put_object_legal_hold(**hold, LegalHold={"Status": "ON"})
    result = CliRunner().invoke(app, [*CLOUD, "--yes", "--account", ACCOUNT])
    assert result.exit_code == 1
    assert "locked: left: AccessDenied: kept: " in result.output
    assert "1 deleted, 1 left" in result.output


def test_a_sandbox_that_does_not_run_is_named() -> None:
    assert "clean-absent" in refusal("cleanup", "--name", "clean-absent")


def test_a_region_that_does_not_exist_is_named_with_the_nearest() -> None:
    assert (
        refusal("cleanup", "--region", "eu-central-11")
        == "region 'eu-central-11' does not exist on AWS; did you mean 'eu-central-1'?"
    )
