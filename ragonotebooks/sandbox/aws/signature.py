"""Checks AWS signatures: Version 4 in headers and in presigned URLs, and Version 2 in the S3 URLs that boto3 presigns.

Source: AWS IAM user guide, "Create a signed AWS API request", read 2026-11. The gateway leaves the Host header as the
client signed it. The signatures of the chunks of a streamed body are not checked, its first one is.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, urlsplit

from botocore.auth import HmacV1Auth
from botocore.utils import normalize_url_path
from moto.s3.responses import S3Response
from moto.s3.utils import bucket_name_from_url

from ragonotebooks.sandbox.aws.incoming import Credential, Environ, Incoming

_SPACES = re.compile(r"\s+")
_UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def is_signed_with(incoming: Incoming, credential: Credential, secret: str) -> bool:
    """Whether the request carries the signature that `secret` gives it."""
    sign = _version_4 if credential.date else _version_2
    return hmac.compare_digest(sign(incoming, credential, secret), credential.signature)


def has_expired(incoming: Incoming, now: Callable[[], float] = time.time) -> bool:
    """Whether the request is a presigned URL past its time."""
    query = incoming.query
    if "X-Amz-Expires" in query:
        signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        return now() > signed + int(query["X-Amz-Expires"])
    return "Expires" in query and now() > int(query["Expires"])


def _version_4(incoming: Incoming, credential: Credential, secret: str) -> str:
    canonical = "\n".join(
        (
            incoming.environ["REQUEST_METHOD"],
            _path(incoming, credential),
            _query(incoming.environ.get("QUERY_STRING", "")),
            *(f"{name}:{_header(incoming.environ, name)}" for name in credential.signed_headers),
            "",
            ";".join(credential.signed_headers),
            _payload(incoming, credential),
        )
    )
    moment = incoming.query["X-Amz-Date"] if credential.presigned else incoming.environ.get("HTTP_X_AMZ_DATE", "")
    scope = f"{credential.date}/{credential.region}/{credential.service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"
    key = _signing_key(secret, credential.date, credential.region, credential.service)
    return hmac.digest(key, text.encode(), "sha256").hex()


@lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _raw_path(environ: Environ) -> str:
    """The path as it was sent, still quoted."""
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI") or quote(environ.get("PATH_INFO", "/"))
    return str(urlsplit(raw).path if "://" in raw else raw.partition("?")[0])


def _path(incoming: Incoming, credential: Credential) -> str:
    path = _raw_path(incoming.environ) or "/"
    return path if credential.service == "s3" else quote(normalize_url_path(path), safe="/~")


def _query(text: str) -> str:
    pairs = (part.partition("=") for part in text.split("&") if part)
    return "&".join(sorted(f"{name}={value}" for name, _, value in pairs if name != "X-Amz-Signature"))


def _header(environ: Environ, name: str) -> str:
    value = environ.get(_UNPREFIXED.get(name) or f"HTTP_{name.upper().replace('-', '_')}", "")
    return _SPACES.sub(" ", value.strip())


def _payload(incoming: Incoming, credential: Credential) -> str:
    declared: str | None = incoming.environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if declared:
        return declared
    if credential.presigned and credential.service == "s3":
        return "UNSIGNED-PAYLOAD"
    return hashlib.sha256(incoming.body).hexdigest()


def _version_2(incoming: Incoming, credential: Credential, secret: str) -> str:
    """Sign as boto3 presigns S3 URLs by default; `x-amz-` parameters of the URL stand for headers."""
    environ, query = incoming.environ, incoming.query
    resource = _raw_path(environ)
    if S3Response.subdomain_based_buckets(incoming.request):
        bucket = bucket_name_from_url(f"https://{environ['HTTP_HOST']}/")
        resource = f"/{bucket}{resource}"
    parts = sorted((name, value) for name, value in query.items() if name in HmacV1Auth.QSAOfInterest)
    if parts:
        resource += "?" + "&".join(f"{name}={value}" if value else name for name, value in parts)
    lines = (
        environ["REQUEST_METHOD"],
        *(query.get(name) or _header(environ, name) for name in ("content-md5", "content-type")),
        query["Expires"],
        *sorted(f"{name}:{value}" for name, value in query.items() if name.startswith("x-amz-")),
        resource,
    )
    return base64.b64encode(hmac.digest(secret.encode(), "\n".join(lines).encode(), "sha1")).decode()
