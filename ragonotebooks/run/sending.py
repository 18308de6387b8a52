"""Sends a report to a bucket, `s3://…` or `gs://…`, with the clients and the credentials that this process has."""

import re
from dataclasses import dataclass
from typing import Any, Final

from ragonotebooks.errors import RagonotebooksError, UsageError

FORMS: Final = {
    "html": ("html", "text/html; charset=utf-8"),
    "json": ("json", "application/json"),
    "junit": ("xml", "application/xml"),
    "md": ("md", "text/markdown; charset=utf-8"),
}
"""Forms of a report → the end of its file's name, and its content type."""

_ADDRESS: Final = re.compile(r"(?P<scheme>s3|gs)://(?P<bucket>[a-z0-9][a-z0-9._-]+[a-z0-9])(?:/(?P<key>.*))?")


@dataclass(frozen=True)
class Address:
    """Where in a bucket a report goes.

    Attributes:
        scheme: `s3` or `gs`.
        bucket: The bucket's name.
        key: The object's name; one that ends in a slash, or is empty, is a folder for it.
    """

    scheme: str
    bucket: str
    key: str

    def of(self, file: str) -> "Address":
        """The address of a file: this one, or in the folder that this one is."""
        in_folder = not self.key or self.key.endswith("/")
        return Address(self.scheme, self.bucket, f"{self.key}{file}") if in_folder else self

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


def address(text: str) -> Address:
    """Read an address.

    Raises:
        UsageError: It is none.
    """
    found = _ADDRESS.fullmatch(text)
    if not found:
        raise UsageError(f"'{text}' is no place for a report; give s3://BUCKET/KEY or gs://BUCKET/KEY")
    return Address(found["scheme"], found["bucket"], found["key"] or "")


def send(text: str, form: str, run: str, where: Address) -> Address:
    """Write a report to a bucket, and return where it is; what was there under that name is replaced.

    Args:
        text: The report.
        form: Its form, such as `html`.
        run: The name of the run: that of the file in a folder.
        where: The place.

    Raises:
        UsageError: Google's clients are not installed.
        RagonotebooksError: The cloud refuses it.
    """
    ending, content_type = FORMS[form]
    place = where.of(f"{run}.{ending}")
    (_to_s3 if place.scheme == "s3" else _to_gs)(text.encode(), content_type, place)
    return place


def _to_s3(body: bytes, content_type: str, where: Address) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        s3 = boto3.Session().client("s3")
        s3.put_object(Bucket=where.bucket, Key=where.key, Body=body, ContentType=content_type)
    except ClientError as error:
        raise _refused(where, "{Code}: {Message}".format_map(error.response["Error"])) from error
    except BotoCoreError as error:
        raise _refused(where, str(error)) from error


def _to_gs(body: bytes, content_type: str, where: Address) -> None:
    try:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
        from requests import RequestException
    except ImportError:
        raise UsageError("Google's clients are not installed; install them with: pip install -e '.[gcp]'") from None
    try:
        # a bucket is found by its name alone: no project is needed, and none has to be set up
        blob = storage.Client(project=None).bucket(where.bucket).blob(where.key)
        blob.upload_from_string(body, content_type=content_type)
    except (GoogleAPIError, GoogleAuthError, RequestException) as error:
        raise _refused(where, _reason(error)) from error


def _reason(error: Any) -> str:
    """What the bucket's service says; around it, the client says which requests it sent."""
    try:
        return str(error.response.json()["error"]["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(error)


def _refused(where: Address, why: str) -> RagonotebooksError:
    return RagonotebooksError(f"the report was not sent to {where}: {why}")
