"""The artifact store: named bytes in a bucket, or in a folder for tests and for looking around.

Keys are relative to the prefix that ARTIFACTS names. Nothing is ever deleted: a job that cannot delete loses nothing.
"""

import json
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from .errors import InputError


@dataclass(frozen=True)
class Artifact:
    """The bytes of an artifact, and the version of it that was read (None where versions are not kept)."""

    data: bytes
    version: str | None


class Artifacts(Protocol):
    """What a job needs of an artifact store."""

    def list(self, prefix: str) -> list[str]:
        """The keys that start with `prefix`, sorted."""

    def read(self, key: str) -> Artifact:
        """Raises MissingArtifactError when there is none."""

    def write(self, key: str, data: bytes) -> str | None:
        """Write or overwrite; the version that was made, None where versions are not kept."""

    def reach(self) -> None:
        """Raises when the store cannot be reached; cheap enough to be asked all day."""


class MissingArtifactError(InputError):
    """There is no artifact of that key."""


def open_artifacts(url: str) -> Artifacts:
    """The store at `s3://bucket/prefix` or `file:///folder`; anything else is refused with InputError."""
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        return S3Artifacts(parts.netloc, parts.path)
    if parts.scheme == "file" and not parts.netloc and parts.path.strip("/"):
        return FolderArtifacts(Path(unquote(parts.path)))
    raise InputError(f"ARTIFACTS is {url!r}, which is no artifact store: give s3://bucket/prefix or file:///folder.")


def to_json(value: Any) -> bytes:
    """How results are written: readable, and the same bytes for the same value."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


class S3Artifacts:
    """Artifacts in an S3 bucket, reached with whatever credentials and region the environment gives to boto3."""

    def __init__(self, bucket: str, prefix: str = "") -> None:
        import boto3  # 0.2 s that a job without a bucket does not pay
        from botocore.config import Config

        # the defaults wait for a minute, five times
        patience = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
        self._s3 = boto3.client("s3", config=patience)
        self._bucket = bucket
        self._root = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

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
        kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
        with self._explained(key):
            answer = self._s3.put_object(Bucket=self._bucket, Key=self._root + key, Body=data, ContentType=kind)
        version: str | None = answer.get("VersionId")
        return version

    def reach(self) -> None:
        with self._explained(""):
            self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._root, MaxKeys=1)

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        from botocore.exceptions import ClientError

        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchBucket":
                raise InputError(f"The bucket {self._bucket!r} that ARTIFACTS names does not exist.") from error
            if code == "NoSuchKey":
                raise MissingArtifactError(
                    f"There is no s3://{self._bucket}/{self._root}{key}: put it there."
                ) from error
            raise


class FolderArtifacts:
    """Artifacts as files below a folder, without versions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self, prefix: str) -> list[str]:
        files = (path.relative_to(self._folder) for path in self._folder.rglob("*") if path.is_file())
        return sorted(key for key in map(Path.as_posix, files) if key.startswith(prefix))

    def read(self, key: str) -> Artifact:
        path = self._folder / key
        if not path.is_file():
            raise MissingArtifactError(f"There is no {path.as_uri()}: put it there.")
        return Artifact(path.read_bytes(), None)

    def write(self, key: str, data: bytes) -> None:
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(data)
        new.replace(path)  # a reader sees the old bytes or the new ones, never half of them

    def reach(self) -> None:
        if not self._folder.is_dir():
            raise InputError(f"The folder {self._folder.as_uri()} that ARTIFACTS names does not exist.")
