"""The ledger's calls as CloudTrail's records. A field that the ledger does not know is absent.

Source: AWS CloudTrail user guide, "CloudTrail record contents" and "Logging data events", read 2026-11.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from ragonotebooks.sandbox.aws.actions import mutating
from ragonotebooks.sandbox.ledger import Call

Record = dict[str, Any]

_S3_DATA: Final = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjects",
        "DeleteObjectTagging",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectLegalHold",
        "GetObjectRetention",
        "GetObjectTagging",
        "HeadBucket",
        "HeadObject",
        "ListMultipartUploads",
        "ListObjects",
        "ListObjectsV2",
        "ListObjectVersions",
        "ListParts",
        "PutObject",
        "PutObjectAcl",
        "PutObjectLegalHold",
        "PutObjectRetention",
        "PutObjectTagging",
        "RestoreObject",
        "SelectObjectContent",
        "UploadPart",
        "UploadPartCopy",
    }
)
# what flows through the other services is no management of them
_DATA: Final[Mapping[str, frozenset[str]]] = {
    "s3": _S3_DATA,
    "cloudwatch": frozenset({"GetMetricData", "PutMetricData"}),
    "logs": frozenset({"PutLogEvents"}),
    "sns": frozenset({"Publish", "PublishBatch"}),
    "sqs": frozenset(
        {
            f"{verb}Message{batch}"
            for verb in ("Send", "Delete", "Receive", "ChangeVisibility")
            for batch in ("", "Batch", "Visibility")
        }
        | {"ChangeMessageVisibility", "ChangeMessageVisibilityBatch"}
    ),
}
_SOURCES: Final = {"cloudwatch": "monitoring", "tag": "tagging"}
_NAMES: Final = {"ListObjectsV2": "ListObjects"}
_TYPES: Final = {
    "ec2": {"vpc": "VPC", "subnet": "Subnet", "security-group": "SecurityGroup"},
    "ecs": {"cluster": "Cluster", "service": "Service", "task-definition": "TaskDefinition"},
    "iam": {"role": "Role", "user": "User", "policy": "Policy", "group": "Group"},
    "kms": {"key": "Key"},
    "rds": {"db": "DBInstance"},
    "secretsmanager": {"secret": "Secret"},
}
_SPELLED: Final = {
    "ec2": "EC2",
    "ecs": "ECS",
    "iam": "IAM",
    "kms": "KMS",
    "rds": "RDS",
    "secretsmanager": "SecretsManager",
}


def is_recorded(call: Call) -> bool:
    """Whether CloudTrail writes a call down: one to a service, by somebody who is known or may be nobody."""
    return bool(call.service and call.caller)


def record_of(call: Call, number: int, sandbox: str, account: str) -> Record:
    """Return a call as a record.

    Args:
        call: The call.
        number: Its place in the ledger.
        sandbox: What the ledger is of; with the number it makes the event's id.
        account: The account id.
    """
    is_data = call.action in _DATA.get(call.service, ())
    record = {
        "eventVersion": "1.11",
        "userIdentity": _identity(call.caller),
        "eventTime": f"{call.time[:19]}Z",
        "eventSource": f"{_SOURCES.get(call.service, call.service)}.amazonaws.com",
        "eventName": _NAMES.get(call.action, call.action),
        "awsRegion": call.region,
        "eventID": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{sandbox}/{number}")),
        "readOnly": not mutating(call.service, call.action),
        "eventType": "AwsApiCall",
        "managementEvent": not is_data,
        "recipientAccountId": account,
        "eventCategory": "Data" if is_data else "Management",
    }
    if call.resource.startswith("arn:"):
        record["resources"] = [_resource(call.resource, account)]
    if call.error:
        record["errorCode"] = call.error
    return record


def user_name(record: Record) -> str:
    """Who called, as events are looked up: the user's name, or the name of the role's session."""
    return str(record["userIdentity"].get("arn", "")).rpartition("/")[2]


def resources(record: Record) -> list[dict[str, str]]:
    """Return the names and, where known, the types of what the call is about, as events are looked up."""
    return [
        {"ResourceName": one["ARN"].rpartition(":")[2].rpartition("/")[2] or one["ARN"]}
        | ({"ResourceType": one["type"]} if "type" in one else {})
        for one in record.get("resources", [])
    ]


def _identity(caller: str) -> dict[str, Any]:
    if not caller.startswith("arn:"):
        return {"type": "AWSAccount", "accountId": "ANONYMOUS_PRINCIPAL"}
    account, name = caller.split(":")[4:6]
    known = {"arn": caller, "accountId": account}
    if name.startswith("assumed-role/"):
        issuer = {"type": "Role", "accountId": account, "userName": name.split("/")[1]}
        return {"type": "AssumedRole", **known, "sessionContext": {"sessionIssuer": issuer}}
    return {"type": "IAMUser", **known, "userName": name.rpartition("/")[2]}


def _resource(arn: str, account: str) -> dict[str, str]:
    _, _, service, _, _, name = arn.split(":", 5)
    known = {"ARN": arn, "accountId": account}
    if service == "s3":
        return {**known, "type": "AWS::S3::Object" if "/" in name else "AWS::S3::Bucket"}
    kind = _TYPES.get(service, {}).get(name.replace("/", ":").partition(":")[0])
    return {**known, "type": f"AWS::{_SPELLED[service]}::{kind}"} if kind else known
