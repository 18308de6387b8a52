"""Signed URLs, version 4: what a service account signed, anybody may do until it ends.

Source: Cloud Storage, "V4 signing process with your own program".
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.http_front import Request
from ragonotebooks.sandbox.gcp.identity import Caller, caller_of
from ragonotebooks.sandbox.gcp.keys import Keys

_ALGORITHM: Final = "GOOG4-RSA-SHA256"
_LONGEST: Final = timedelta(days=7)


def is_signed(request: Request) -> bool:
    """Whether a request comes by a signed URL."""
    return bool(request.parameter("X-Goog-Signature") or request.parameter("x-goog-signature"))


def signer(request: Request, keys: Keys) -> Caller:
    """Return who signed a request's URL.

    Raises:
        ApiError: Nobody of here did, or it has ended.
    """
    query = {key.lower(): value for key, value in request.query}
    if query.get("x-goog-algorithm") != _ALGORITHM:
        raise _refused("INVALID_ARGUMENT", f"The signing algorithm must be {_ALGORITHM}.")
    email, _, scope = query.get("x-goog-credential", "").partition("/")
    made = datetime.strptime(query["x-goog-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    life = timedelta(seconds=int(query.get("x-goog-expires", "0")))
    if life > _LONGEST or datetime.now(UTC) > made + life:
        raise _refused(
            "INVALID_ARGUMENT", f"The provided token has expired: it was signed at {made} for {life}.", "ExpiredToken"
        )
    digest = hashlib.sha256(_canonical(request, query).encode()).hexdigest()
    text = f"{_ALGORITHM}\n{query['x-goog-date']}\n{scope}\n{digest}".encode()
    if not any(key.verifies(text, _signature(query)) for key in keys.of(email)):
        raise _refused(
            "PERMISSION_DENIED", "The request signature we calculated does not match the signature you provided."
        )
    return caller_of(email)


def _signature(query: dict[str, str]) -> bytes:
    try:
        return bytes.fromhex(query["x-goog-signature"])
    except ValueError:
        return b""


def _canonical(request: Request, query: dict[str, str]) -> str:
    pairs = sorted(
        (quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in request.query if k.lower() != "x-goog-signature"
    )
    names = query.get("x-goog-signedheaders", "host").split(";")
    headers = "".join(f"{name}:{_header(request, name)}\n" for name in names)
    payload = query.get("x-goog-content-sha256") or request.headers.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD")
    parts = [request.method, request.path, "&".join(f"{k}={v}" for k, v in pairs), headers, ";".join(names), payload]
    return "\n".join(parts)


def _header(request: Request, name: str) -> str:
    return request.host if name == "host" else " ".join(request.headers.get(name, "").split())


def _refused(code: str, message: str, reason: str = "SignatureDoesNotMatch") -> ApiError:
    return ApiError(code, message, reason)
