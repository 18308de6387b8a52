"""S3, RDS and ElastiCache: what holds the deployment's data."""

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from ragonotebooks.cleanup.aws.listing import pages, tagged
from ragonotebooks.cleanup.kind import DELETION_PROTECTION, Found, Kind, belonging

#: No tags, or a bucket whose tags we may not read: it is nobody's or somebody else's.
_NOT_OURS: Final = frozenset({"NoSuchTagSet", "AccessDenied", "NoSuchBucket"})
_CHUNK: Final = 1000  # as many as DeleteObjects takes


def _find_buckets(s3: Any) -> Iterator[Found]:
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        for found in belonging(_bucket_tags(s3, name), name, made=bucket.get("CreationDate")):
            if _bucket_region(s3, name) == s3.meta.region_name:
                yield found


def _bucket_tags(s3: Any, name: str) -> list[dict[str, str]]:
    try:
        tags: list[dict[str, str]] = s3.get_bucket_tagging(Bucket=name)["TagSet"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOT_OURS:
            return []
        raise
    return tags


def _bucket_region(s3: Any, name: str) -> str:
    # S3 says nothing for the region that it began with
    return str(s3.get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1")


def _delete_bucket(s3: Any, name: str) -> None:
    for upload in list(pages(s3, "list_multipart_uploads", "Uploads", Bucket=name)):
        s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    while objects := _some_versions(s3, name):
        answer = s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
        if answer.get("Errors"):
            code, key, message = (answer["Errors"][0][part] for part in ("Code", "Key", "Message"))
            raise ClientError({"Error": {"Code": code, "Message": f"{key}: {message}"}}, "DeleteObjects")
    s3.delete_bucket(Bucket=name)


def _some_versions(s3: Any, name: str) -> list[dict[str, str]]:
    answer = s3.list_object_versions(Bucket=name, MaxKeys=_CHUNK)
    listed = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed][:_CHUNK]


def _find_instances(rds: Any) -> Iterator[Found]:
    for instance in pages(rds, "describe_db_instances", "DBInstances"):
        yield from belonging(
            instance["TagList"],
            instance["DBInstanceIdentifier"],
            made=instance.get("InstanceCreateTime"),  # none while it is being created
            leaving=instance["DBInstanceStatus"] == "deleting",
            protected=DELETION_PROTECTION if instance.get("DeletionProtection") else "",
        )


def _delete_instance(rds: Any, name: str) -> None:
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)


def _find_snapshots(rds: Any) -> Iterator[Found]:
    for snapshot in pages(rds, "describe_db_snapshots", "DBSnapshots", SnapshotType="manual"):
        yield from belonging(
            snapshot["TagList"],
            snapshot["DBSnapshotIdentifier"],
            made=snapshot.get("SnapshotCreateTime"),  # none while it is being created
            leaving=snapshot["Status"] == "deleting",
        )


def _delete_snapshot(rds: Any, name: str) -> None:
    rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def _find_subnet_groups(rds: Any) -> Iterator[Found]:
    for group in pages(rds, "describe_db_subnet_groups", "DBSubnetGroups"):
        tags = rds.list_tags_for_resource(ResourceName=group["DBSubnetGroupArn"])["TagList"]
        yield from belonging(tags, group["DBSubnetGroupName"])


def _delete_subnet_group(rds: Any, name: str) -> None:
    rds.delete_db_subnet_group(DBSubnetGroupName=name)


def _find_caches(cache: Any) -> Iterator[Found]:
    for group in pages(cache, "describe_replication_groups", "ReplicationGroups"):
        yield from belonging(
            _group_tags(cache, group),
            group["ReplicationGroupId"],
            made=group.get("ReplicationGroupCreateTime"),
            leaving=group["Status"] == "deleting",
        )


def _group_tags(cache: Any, group: Any) -> Any:
    try:
        return _cache_tags(cache, group["ARN"])
    except ClientError:
        if group["Status"] != "deleting":
            raise
        # AWS no longer tells the tags of what is going; there is nothing to do for it
        return []


def _cache_tags(cache: Any, arn: str) -> Any:
    return cache.list_tags_for_resource(ResourceName=arn)["TagList"]


BUCKETS: Final = Kind("s3", "bucket", _find_buckets, _delete_bucket)
DATABASES: Final = Kind("rds", "database instance", _find_instances, _delete_instance)
SNAPSHOTS: Final = Kind("rds", "manual snapshot", _find_snapshots, _delete_snapshot)
SUBNET_GROUPS: Final = Kind("rds", "subnet group", _find_subnet_groups, _delete_subnet_group)
CACHES: Final = Kind(
    "elasticache",
    "replication group",
    _find_caches,
    lambda cache, name: cache.delete_replication_group(ReplicationGroupId=name),
)
CACHE_SUBNET_GROUPS: Final = tagged(
    "elasticache",
    "cache subnet group",
    lambda cache: pages(cache, "describe_cache_subnet_groups", "CacheSubnetGroups"),
    lambda group: str(group["CacheSubnetGroupName"]),
    lambda cache, group: _cache_tags(cache, group["ARN"]),
    lambda cache, name: cache.delete_cache_subnet_group(CacheSubnetGroupName=name),
)
CACHE_PARAMETER_GROUPS: Final = tagged(
    "elasticache",
    "cache parameter group",
    lambda cache: pages(cache, "describe_cache_parameter_groups", "CacheParameterGroups"),
    lambda group: str(group["CacheParameterGroupName"]),
    lambda cache, group: _cache_tags(cache, group["ARN"]),
    lambda cache, name: cache.delete_cache_parameter_group(CacheParameterGroupName=name),
)
