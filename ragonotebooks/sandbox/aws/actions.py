"""Which IAM actions an API operation needs, and whether it can change something. Facts as tables.

Source: AWS service authorization reference, read 2026-11.
"""

import re

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


def mutating(prefix: str, operation: str) -> bool:
    """Whether an operation can change something that a later call could see."""
    exception = _EXCEPTIONS.get(prefix, {}).get(operation)
    return exception if exception is not None else not _READS.match(operation)
