"""The artifact store on Google Cloud Storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from google.api_core.exceptions import NotFound
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY

from .artifacts import Artifact, MissingArtifactError, MissingBucketError, media_type

# the defaults wait for a minute, and repeat for two
_PATIENCE: Final[dict[str, Any]] = {"timeout": (5, 30), "retry": DEFAULT_RETRY.with_timeout(60)}


class GcsArtifacts:
    """Artifacts in a bucket of Cloud Storage, reached with Application Default Credentials. A version is a generation.

    Args:
        bucket: The bucket's name.
        root: What all keys are below: empty, or a prefix that ends with a slash.
    """

    def __init__(self, bucket: str, root: str) -> None:
        self._client = Client()
        self._bucket = self._client.bucket(bucket)
        self._root = root

    def list(self, prefix: str) -> list[str]:
        with self._explained():
            blobs = self._client.list_blobs(self._bucket, prefix=self._root + prefix, **_PATIENCE)
            keys = [blob.name.removeprefix(self._root) for blob in blobs]
        return sorted(key for key in keys if not key.endswith("/"))  # consoles make "folders" of empty objects

    def read(self, key: str) -> Artifact:
        blob = self._bucket.blob(self._root + key)
        with self._explained(key):
            blob.reload(**_PATIENCE)  # names the generation, of which the bytes then are
            data = blob.download_as_bytes(**_PATIENCE)
        return Artifact(data, str(blob.generation))

    def write(self, key: str, data: bytes) -> str | None:
        blob = self._bucket.blob(self._root + key)
        with self._explained():
            blob.upload_from_string(data, content_type=media_type(key), **_PATIENCE)
        return str(blob.generation)

    def reach(self) -> None:
        with self._explained():
            next(iter(self._client.list_blobs(self._bucket, prefix=self._root, max_results=1, **_PATIENCE)), None)

    @contextmanager
    def _explained(self, key: str | None = None) -> Iterator[None]:
        """Say what is missing: the bucket, unless a key was asked for and the bucket is not what the answer names."""
        try:
            yield
        except NotFound as error:
            if key is None or "bucket does not exist" in str(error):
                raise MissingBucketError(self._bucket.name) from error
            raise MissingArtifactError(f"gs://{self._bucket.name}/{self._root}{key}") from error
