"""What moto's S3 lacks: the defaults of new buckets, Block Public Access that holds, and refusals by name.

Source: Amazon S3 user guide, "Blocking public access", "The meaning of public", "Default encryption", read 2026-11. New
buckets are encrypted with SSE-S3 (since 2023-01), block public access and switch ACLs off (since 2023-04).
"""

import json
from typing import Any, NamedTuple

from moto.backends import get_backend
from moto.core.responses import ActionResult
from moto.iam.access_control import PermissionResult
from moto.s3 import models
from moto.s3.responses import S3Response

from ragonotebooks.sandbox.aws.attached_policies import INCOMPLETE, is_resource_policy
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.policy import ALLOWED, Decision, as_list

_SSE_S3 = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}}
_EVERYBODY = ("/groups/global/AllUsers", "/groups/global/AuthenticatedUsers")
# condition keys with a fixed value that make a grant to everybody not public
_NARROWING = (
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
)
_ACL_ACTIONS = {"s3:GetObject": "READ", "s3:GetObjectVersion": "READ", "s3:GetObjectAcl": "READ_ACP"}
_BUCKET_ACL_ACTIONS = {
    "s3:ListBucket": "READ",
    "s3:ListBucketVersions": "READ",
    "s3:PutObject": "WRITE",
    "s3:GetBucketAcl": "READ_ACP",
}
_HARMLESS_ACLS = ("private", "bucket-owner-full-control")


class Block(NamedTuple):
    """The four switches of Block Public Access, as they hold for a bucket: the account's and its own together."""

    public_acls: bool
    ignore_acls: bool
    public_policy: bool
    restrict: bool


def install() -> None:
    """Put the differences into moto, before its S3 is used for the first time."""
    models.s3_backends.backend = _Backend
    # callers were judged before moto saw the request; its own judgement knows no conditions
    bucket: Any = models.FakeBucket
    bucket.get_permission = lambda *_: PermissionResult.PERMITTED
    responses: Any = S3Response
    responses._acl_from_headers = _refusing_public(responses._acl_from_headers)
    responses._acl_from_body = _refusing_public(responses._acl_from_body)
    responses._bucket_response_get = _telling_who_pays(responses._bucket_response_get)
    responses.get_bucket_notification = _telling_of_event_bridge(responses.get_bucket_notification)


def bucket_of(arn: str, account: str) -> models.FakeBucket | None:
    """Return the bucket that an S3 ARN is about, None when it is not there."""
    name = arn.removeprefix("arn:aws:s3:::").partition("/")[0]
    return models.s3_backends[account]["aws"].buckets.get(name)


def judge_anybody(action: str, arn: str, bucket: models.FakeBucket, by_policy: Decision) -> Decision:
    """Decide for a caller without a name: the bucket policy, else the ACL, within Block Public Access."""
    block = block_of(bucket)
    if by_policy.allowed and not (block.restrict and is_public(bucket.policy or b"")):
        return by_policy
    if not block.ignore_acls and _acl_allows(action, arn, bucket):
        return Decision(ALLOWED, kind="access control list")
    return Decision("implicit deny", kind="resource-based policy")


def block_of(bucket: models.FakeBucket) -> Block:
    """Return the switches that hold for a bucket."""
    accounts = get_backend("s3control")[bucket.account_id]["aws"].public_access_block
    both = [block for block in (bucket.public_access_block, accounts) if block]
    return Block(
        any(block.block_public_acls for block in both),
        any(block.ignore_public_acls for block in both),
        any(block.block_public_policy for block in both),
        any(block.restrict_public_buckets for block in both),
    )


def is_public(policy: bytes | str) -> bool:
    """Whether a bucket policy grants anything to everybody, with no condition that narrows everybody down."""
    return any(
        statement["Effect"] == "Allow" and _names_everybody(statement) and not _narrows(statement)
        for statement in as_list(json.loads(policy or "{}").get("Statement", []))
    )


def _names_everybody(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal", "*" if "NotPrincipal" in statement else {})
    return principal == "*" or "*" in as_list(principal.get("AWS", []))


def _narrows(statement: dict[str, Any]) -> bool:
    return any(
        key.lower() in _NARROWING and all("*" not in str(value) and value != "0.0.0.0/0" for value in as_list(values))
        for operator, keys in statement.get("Condition", {}).items()
        if "Not" not in operator and "IfExists" not in operator
        for key, values in keys.items()
    )


def _acls_are_off(bucket: Any) -> bool:
    return bool(bucket.ownership_rule == "BucketOwnerEnforced")


def _acl_allows(action: str, arn: str, bucket: models.FakeBucket) -> bool:
    if _acls_are_off(bucket):
        return False
    key = bucket.keys.get(arn.removeprefix("arn:aws:s3:::").partition("/")[2])
    acl, wanted = (key.acl, _ACL_ACTIONS.get(action)) if key else (None, None)
    if wanted is None:
        acl, wanted = bucket.acl, _BUCKET_ACL_ACTIONS.get(action)
    return acl is not None and wanted is not None and _grants_everybody(acl, wanted)


def _grants_everybody(acl: models.FakeAcl, *wanted: str) -> bool:
    return any(
        (not wanted or {"FULL_CONTROL", *wanted} & set(grant.permissions))
        and any(str(grantee.uri).endswith(_EVERYBODY) for grantee in grant.grantees)
        for grant in acl.grants
    )


def _refusing_public(read_acl: Any) -> Any:
    """Make moto refuse the ACLs that AWS refuses: all where ACLs are off, public ones where those are blocked."""

    def read(response: S3Response, *arguments: Any) -> models.FakeAcl | None:
        acl: models.FakeAcl | None = read_acl(response, *arguments)
        bucket = bucket_of(f"arn:aws:s3:::{response.bucket_name}", response.current_account)
        if (
            acl is None
            or bucket is None
            or response.headers.get("x-amz-acl") in ("private", "bucket-owner-full-control")
        ):
            return acl
        if _acls_are_off(bucket):
            raise ApiError("AccessControlListNotSupported", "The bucket does not allow ACLs")
        if block_of(bucket).public_acls and _grants_everybody(acl):
            raise ApiError("AccessDenied", "Access Denied: public ACLs are blocked by BlockPublicAcls", 403)
        return acl

    return read


def _telling_who_pays(answer: Any) -> Any:
    """Answer GetBucketRequestPayment, which moto takes for a list of objects; requester pays is not supported."""

    def get(response: S3Response, bucket_name: str, query: dict[str, Any]) -> Any:
        if "requestPayment" not in query:
            return answer(response, bucket_name, query)
        response.backend.get_bucket(bucket_name)
        response.data["Action"] = "GetBucketRequestPayment"
        return response.serialized(ActionResult({"Payer": "BucketOwner"}))

    return get


def _telling_of_event_bridge(answer: Any) -> Any:
    """Show the part of a bucket's notifications that moto keeps and does not show."""

    def get(response: S3Response) -> Any:
        wanted = response.backend.get_bucket_notification_configuration(response.bucket_name)
        if wanted is None or wanted.event_bridge is None:
            return answer(response)
        serialized = response.serialized
        more: Any = response
        more.serialized = lambda told: serialized(ActionResult({**told.result, "EventBridgeConfiguration": {}}))
        return answer(response)

    return get


class _Backend(models.S3Backend):
    # moto derives its addresses from the module's name
    __module__ = models.__name__

    def create_bucket(self, *arguments: Any, **more: Any) -> models.FakeBucket:
        bucket: Any = super().create_bucket(*arguments, **more)
        bucket.encryption = _SSE_S3
        bucket.public_access_block = models.PublicAccessBlock(True, True, True, True)
        bucket.ownership_rule = "BucketOwnerEnforced"
        created: models.FakeBucket = bucket
        return created

    def delete_bucket_encryption(self, bucket_name: str) -> None:
        self.get_bucket(bucket_name).encryption = _SSE_S3

    def put_bucket_policy(self, bucket_name: str, policy: bytes) -> None:
        bucket = self.get_bucket(bucket_name)
        if not is_resource_policy(policy):
            raise ApiError("MalformedPolicy", INCOMPLETE)
        if block_of(bucket).public_policy and is_public(policy):
            message = "public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
            raise ApiError("AccessDenied", f"Access Denied: {message}", 403)
        bucket.policy = policy
