"""Which IAM actions an API operation needs, and whether it can change something. Facts as tables.

Source: AWS service authorization reference, read 2026-11.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# S3's actions are not called like its operations
_S3 = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
# those that are another action when they name a version
_S3_VERSIONED = {
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
}

# what a call needs besides that gives what it makes tags
_TAGGING = {
    "application-autoscaling": "TagResource",
    "cloudtrail": "AddTags",
    "cloudwatch": "TagResource",
    "ec2": "CreateTags",
    "ecr": "TagResource",
    "ecs": "TagResource",
    "elasticache": "AddTagsToResource",
    "elasticloadbalancing": "AddTags",
    "events": "TagResource",
    "iam": "Tag{kind}",
    "kms": "TagResource",
    "logs": "TagResource",
    "rds": "AddTagsToResource",
    "secretsmanager": "TagResource",
    "sns": "TagResource",
    "sqs": "TagQueue",
    "ssm": "AddTagsToResource",
}
_TAGS = ("Tags", "tags", "TagSpecifications", "TagsList")
# the parameters that hand a role to a service, which then acts with it
_HANDED = {
    "cloudtrail": {"CloudWatchLogsRoleArn": "cloudtrail.amazonaws.com"},
    "codebuild": {"serviceRole": "codebuild.amazonaws.com", "serviceRoleOverride": "codebuild.amazonaws.com"},
    "ec2": {"DeliverLogsPermissionArn": "vpc-flow-logs.amazonaws.com"},
    "events": {"RoleArn": "events.amazonaws.com"},
    "rds": {"MonitoringRoleArn": "monitoring.rds.amazonaws.com"},
}

_READS = re.compile(
    r"(Get|List|Describe|Head|Lookup|Search|Simulate|Query|Scan|Select|Check|Validate|Test|Estimate|Filter|Preview"
    r"|Batch(Get|Check|Describe)|Decode|Discover)"
)
# operations that change nothing though their names sound like it, and the other way round
_EXCEPTIONS = {
    "dynamodb": {"TransactGetItems": False},
    "iam": {"GenerateCredentialReport": False, "GenerateServiceLastAccessedDetails": False},
    "kms": dict.fromkeys(
        (
            "Decrypt",
            "DeriveSharedSecret",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateMac",
            "GenerateRandom",
            "ReEncrypt",
            "Sign",
            "Verify",
            "VerifyMac",
        ),
        False,
    ),
    "logs": {"StartLiveTail": False, "StartQuery": False, "StopQuery": False, "TestMetricFilter": False},
    "rds": {"DownloadDBLogFilePortion": False},
    "sqs": {"ReceiveMessage": False},
    "sts": dict.fromkeys(("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"), False),
}


def action_of(prefix: str, operation: str, *, versioned: bool = False) -> str:
    """Return the IAM action of an operation, such as `s3:ListBucket` of `ListObjectsV2`.

    `versioned`: the call names a version of an object.
    """
    if prefix != "s3":
        return f"{prefix}:{operation}"
    action = _S3.get(operation, operation)
    return f"s3:{_S3_VERSIONED.get(action, action) if versioned else action}"


def tagging_of(prefix: str, operation: str, parameters: Mapping[str, Any]) -> str | None:
    """Return the IAM action that a call needs besides because it gives what it makes tags, such as `iam:TagRole`; None for none."""
    action = _TAGGING.get(prefix)
    if action is None or "Tag" in operation or not mutating(prefix, operation):
        return None
    given = any(parameters.get(name) for name in _TAGS)
    return f"{prefix}:{action.format(kind=operation.removeprefix('Create'))}" if given else None


def handed_by(prefix: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each role that a call hands to a service, with the service."""
    for given in (parameters, *(parameters.get("Targets") or () if prefix == "events" else ())):
        for name, service in _HANDED.get(prefix, {}).items():
            if given.get(name):
                yield given[name], service


def mutating(prefix: str, operation: str) -> bool:
    """Whether an operation can change something that a later call could see."""
    exception = _EXCEPTIONS.get(prefix, {}).get(operation)
    return exception if exception is not None else not _READS.match(operation)
