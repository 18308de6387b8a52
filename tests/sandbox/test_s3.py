"""S3 as the lessons use it, with boto3 against the control plane in this process."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from tests.sandbox.conftest import ACCOUNT, ControlPlane
from tests.sandbox.test_identity import allow, refusal, session_of_task

OPEN = {
    "BlockPublicAcls": False,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}
MB = 1024 * 1024


def bucket_policy(effect: str = "Allow", principal: Any = "*", action: str = "s3:GetObject", **more: Any) -> str:
    resources = ["arn:aws:s3:::papers", "arn:aws:s3:::papers/*"]
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resources, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def s3(aws: ControlPlane) -> Any:
    """The operator's client, with the bucket `papers` and an object `a` in it."""
    client = aws.client("s3")
    client.create_bucket(Bucket="papers")
    client.put_object(Bucket="papers", Key="a", Body=b"text")
    return client


def block(s3: Any, **switches: bool) -> None:
    s3.put_public_access_block(Bucket="papers", PublicAccessBlockConfiguration={**OPEN, **switches})


def anybody(aws: ControlPlane, url: str = "https://papers.s3.amazonaws.com/a") -> int:
    return aws.fetch(url).status_code


def test_new_bucket_has_the_defaults_of_aws(s3: Any) -> None:
    rules = s3.get_bucket_encryption(Bucket="papers")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert all(s3.get_public_access_block(Bucket="papers")["PublicAccessBlockConfiguration"].values())
    controls = s3.get_bucket_ownership_controls(Bucket="papers")["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert s3.put_object(Bucket="papers", Key="b", Body=b"")["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket="papers", Key="a")["ServerSideEncryption"] == "AES256"


def test_bucket_encrypts_with_the_key_it_was_given(aws: ControlPlane, s3: Any) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket="papers", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.put_object(Bucket="papers", Key="b", Body=b"")["ServerSideEncryption"] == "aws:kms"
    head = s3.head_object(Bucket="papers", Key="b")
    assert (head["SSEKMSKeyId"], head["BucketKeyEnabled"]) == (key, True)
    s3.delete_bucket_encryption(Bucket="papers")
    assert s3.put_object(Bucket="papers", Key="b", Body=b"")["ServerSideEncryption"] == "AES256"


def test_creating_a_bucket_again_changes_nothing(s3: Any) -> None:
    block(s3)
    s3.create_bucket(Bucket="papers")
    assert s3.get_object(Bucket="papers", Key="a")["Body"].read() == b"text"
    assert not any(s3.get_public_access_block(Bucket="papers")["PublicAccessBlockConfiguration"].values())


def test_public_policy_is_refused_while_blocked(aws: ControlPlane, s3: Any) -> None:
    error = refusal(s3.put_bucket_policy, Bucket="papers", Policy=bucket_policy())
    assert error.response["Error"]["Code"] == "AccessDenied"
    assert "BlockPublicPolicy" in error.response["Error"]["Message"]
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="papers")
    private = bucket_policy(principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    narrowed = bucket_policy(Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}})
    for policy in (private, narrowed, bucket_policy("Deny")):
        s3.put_bucket_policy(Bucket="papers", Policy=policy)


def test_account_blocks_public_policies_too(aws: ControlPlane, s3: Any) -> None:
    block(s3)
    control = aws.client("s3control")
    switches = {**OPEN, "BlockPublicPolicy": True}
    control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=switches)
    assert "BlockPublicPolicy" in str(refusal(s3.put_bucket_policy, Bucket="papers", Policy=bucket_policy()))


def test_anybody_reads_a_public_bucket_until_it_is_restricted(aws: ControlPlane, s3: Any) -> None:
    assert anybody(aws) == 403
    block(s3)
    s3.put_bucket_policy(Bucket="papers", Policy=bucket_policy())
    assert anybody(aws) == 200
    assert anybody(aws, "https://papers.s3.amazonaws.com/?list-type=2") == 403
    assert anybody(aws, "https://s3.amazonaws.com/") == 403
    unsigned = aws.client("s3", config={"signature_version": UNSIGNED})
    assert unsigned.get_object(Bucket="papers", Key="a")["Body"].read() == b"text"
    assert refusal(unsigned.put_object, Bucket="papers", Key="a").response["Error"]["Code"] == "AccessDenied"
    block(s3, RestrictPublicBuckets=True)
    assert anybody(aws) == 403
    assert s3.get_object(Bucket="papers", Key="a")["Body"].read() == b"text"


def test_public_acl_needs_acls_and_no_block(aws: ControlPlane, s3: Any) -> None:
    public = {"Bucket": "papers", "Key": "a", "ACL": "public-read"}
    error = refusal(s3.put_object_acl, **public)
    assert error.response["Error"]["Code"] == "AccessControlListNotSupported"
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    s3.put_bucket_ownership_controls(Bucket="papers", OwnershipControls=controls)
    assert "BlockPublicAcls" in str(refusal(s3.put_object_acl, **public))
    assert "BlockPublicAcls" in str(refusal(s3.put_object, **public))
    assert "BlockPublicAcls" in str(refusal(s3.put_bucket_acl, Bucket="papers", ACL="public-read"))
    assert anybody(aws) == 403
    block(s3)
    s3.put_object_acl(**public)
    assert anybody(aws) == 200
    block(s3, IgnorePublicAcls=True)
    assert anybody(aws) == 403


def test_transport_without_tls_is_denied_even_to_the_operator(aws: ControlPlane, s3: Any) -> None:
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    s3.put_bucket_policy(Bucket="papers", Policy=bucket_policy("Deny", action="s3:*", Condition=plain))
    assert s3.get_object(Bucket="papers", Key="a")["Body"].read() == b"text"

    def over_http(request: Any, **_: Any) -> None:
        request.headers["X-Test-Scheme"] = "http"

    s3.meta.events.register("before-send.s3", over_http)
    error = refusal(s3.get_object, Bucket="papers", Key="a")
    assert "with an explicit deny in a resource-based policy" in error.response["Error"]["Message"]


def test_upload_that_is_not_encrypted_as_asked_is_denied(aws: ControlPlane, s3: Any) -> None:
    header = "s3:x-amz-server-side-encryption"
    condition = {"StringNotEquals": {header: "aws:kms"}, "Null": {header: "false"}}
    s3.put_bucket_policy(Bucket="papers", Policy=bucket_policy("Deny", action="s3:PutObject", Condition=condition))
    s3.put_object(Bucket="papers", Key="b", Body=b"")
    assert "explicit deny" in str(refusal(s3.put_object, Bucket="papers", Key="b", ServerSideEncryption="AES256"))


def test_bucket_policy_lets_a_role_in_that_has_no_policy_of_its_own(aws: ControlPlane, s3: Any) -> None:
    task = aws.client("s3", **session_of_task(aws))
    assert refusal(task.get_object, Bucket="papers", Key="a")
    role = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/job"}
    s3.put_bucket_policy(Bucket="papers", Policy=bucket_policy(principal=role))
    assert task.get_object(Bucket="papers", Key="a")["Body"].read() == b"text"
    assert refusal(task.put_object, Bucket="papers", Key="a", Body=b"")


def test_malformed_policy_is_refused(s3: Any) -> None:
    for policy in ("no json", "{}", allow("s3:GetObject")):
        error = refusal(s3.put_bucket_policy, Bucket="papers", Policy=policy)
        assert error.response["Error"]["Code"] == "MalformedPolicy"


def test_versions_are_kept_and_come_back(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="papers", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="papers", Key="v", Body=b"one")["VersionId"]
    s3.put_object(Bucket="papers", Key="v", Body=b"two")
    marker = s3.delete_object(Bucket="papers", Key="v")
    assert marker["DeleteMarker"] is True
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="papers", Key="v")
    assert s3.get_object(Bucket="papers", Key="v", VersionId=first)["Body"].read() == b"one"
    s3.delete_object(Bucket="papers", Key="v", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket="papers", Key="v")["Body"].read() == b"two"
    listed = s3.list_object_versions(Bucket="papers", Prefix="v")["Versions"]
    assert [version["IsLatest"] for version in listed] == [True, False]


def test_lifecycle_rules_are_told_as_they_were_given(s3: Any) -> None:
    rule = {
        "ID": "old versions",
        "Status": "Enabled",
        "Filter": {"Prefix": "index/"},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    s3.put_bucket_lifecycle_configuration(Bucket="papers", LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket="papers")["Rules"] == [rule]
    s3.delete_bucket_lifecycle(Bucket="papers")
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket="papers")


def test_fifty_megabytes_arrive_in_parts_as_they_left(s3: Any, tmp_path: Path) -> None:
    content = hashlib.sha256(b"seed").digest() * (50 * MB // 32)
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(content)
    parts = TransferConfig(multipart_threshold=8 * MB, multipart_chunksize=8 * MB, max_concurrency=4)
    s3.upload_file(str(source), "papers", "large", Config=parts)
    head = s3.head_object(Bucket="papers", Key="large")
    assert (head["ContentLength"], head["ETag"].rpartition("-")[2]) == (50 * MB, '7"')
    assert head["ServerSideEncryption"] == "AES256"
    s3.download_file("papers", "large", str(copy), Config=parts)
    assert copy.read_bytes() == content


def test_abandoned_upload_can_be_found_and_given_up(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="papers", Key="m")["UploadId"]
    s3.upload_part(Bucket="papers", Key="m", UploadId=upload, PartNumber=1, Body=b"x")
    assert s3.list_multipart_uploads(Bucket="papers")["Uploads"][0]["UploadId"] == upload
    assert s3.list_parts(Bucket="papers", Key="m", UploadId=upload)["Parts"][0]["Size"] == 1
    s3.abort_multipart_upload(Bucket="papers", Key="m", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="papers")


def test_unusual_keys_and_empty_objects_come_back(s3: Any) -> None:
    keys = ["folder/", "a b+c%d", "ä/ü?#", "x//y", "quo'te\"&<>"]
    for key in keys:
        s3.put_object(Bucket="papers", Key=key, Body=b"", Metadata={"one_name": "v", "an-other": "w"})
        assert s3.head_object(Bucket="papers", Key=key)["Metadata"] == {"one_name": "v", "an-other": "w"}
    listed = {entry["Key"] for entry in s3.list_objects_v2(Bucket="papers")["Contents"]}
    assert listed == {"a", *keys}


def test_browser_may_ask_whether_it_may_call(aws: ControlPlane, s3: Any) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://papers.example"]}
    s3.put_bucket_cors(Bucket="papers", CORSConfiguration={"CORSRules": [rule]})
    asked = {"Origin": "https://papers.example", "Access-Control-Request-Method": "GET"}
    answer = aws.fetch("https://papers.s3.amazonaws.com/a", "OPTIONS", headers=asked)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET"
