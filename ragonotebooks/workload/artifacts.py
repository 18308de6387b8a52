"""The artifact store: named bytes in a bucket, or in a folder for tests and for looking around.

Keys are relative to the prefix that ARTIFACTS names. Nothing is ever deleted: a job that cannot delete loses nothing.
"""

import json
import mimetypes
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

    def __init__(self, url: str) -> None:
        super().__init__(f"There is no {url}: put it there.")


class MissingBucketError(InputError):
    """There is no bucket of the name that ARTIFACTS gives."""

    def __init__(self, bucket: str) -> None:
        super().__init__(f"The bucket {bucket!r} that ARTIFACTS names does not exist.")


def open_artifacts(url: str) -> Artifacts:
    """The store at `s3://bucket/prefix`, `gs://bucket/prefix` or `file:///folder`; InputError refuses anything else."""
    parts = urlsplit(url)
    prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
    # each cloud's client takes 0.2 s or more to import, and is in the images for that cloud alone
    if parts.scheme == "s3" and parts.netloc:
        from .artifacts_s3 import S3Artifacts

        return S3Artifacts(parts.netloc, prefix)
    if parts.scheme == "gs" and parts.netloc:
        from .artifacts_gcs import GcsArtifacts

        return GcsArtifacts(parts.netloc, prefix)
    if parts.scheme == "file" and not parts.netloc and parts.path.strip("/"):
        return FolderArtifacts(Path(unquote(parts.path)))
    forms = "s3://bucket/prefix, gs://bucket/prefix or file:///folder"
    raise InputError(f"ARTIFACTS is {url!r}, which is no artifact store: give {forms}.")


def media_type(key: str) -> str:
    """The media type that an artifact's key tells."""
    return mimetypes.guess_type(key)[0] or "application/octet-stream"


def to_json(value: Any) -> bytes:
    """How results are written: readable, and the same bytes for the same value."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


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
            raise MissingArtifactError(path.as_uri())
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
