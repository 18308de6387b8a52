"""The artifact store on Amazon S3."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .artifacts import Artifact, MissingArtifactError, MissingBucketError, media_type


class S3Artifacts:
    """Artifacts in an S3 bucket, reached with whatever credentials and region the environment gives to boto3.

    Args:
        bucket: The bucket's name.
        root: What all keys are below: empty, or a prefix that ends with a slash.
    """

    def __init__(self, bucket: str, root: str) -> None:
        # the defaults wait for a minute, five times
        patience = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
        self._s3 = boto3.client("s3", config=patience)
        self._bucket = bucket
        self._root = root

    def list(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._root + prefix)
        with self._explained(prefix):
            keys = [item["Key"].removeprefix(self._root) for page in pages for item in page.get("Contents", [])]
        return sorted(key for key in keys if not key.endswith("/"))  # consoles make "folders" of empty objects

    def read(self, key: str) -> Artifact:
        with self._explained(key):
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._root + key)
        return Artifact(answer["Body"].read(), answer.get("VersionId"))

    def write(self, key: str, data: bytes) -> str | None:
        kind = media_type(key)
        with self._explained(key):
            answer = self._s3.put_object(Bucket=self._bucket, Key=self._root + key, Body=data, ContentType=kind)
        version: str | None = answer.get("VersionId")
        return version

    def reach(self) -> None:
        with self._explained(""):
            self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._root, MaxKeys=1)

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchBucket":
                raise MissingBucketError(self._bucket) from error
            if code == "NoSuchKey":
                raise MissingArtifactError(f"s3://{self._bucket}/{self._root}{key}") from error
            raise
