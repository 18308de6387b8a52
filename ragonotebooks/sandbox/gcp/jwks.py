"""JSON web keys of others, and what they signed (RFC 7515, RFC 7517): RS256 only, as issuers of identities for workloads do."""

import base64
import json
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def claims_signed_by(keys: str, token: str) -> dict[str, Any] | None:
    """Return what a JWT claims when one of a set of keys signed it and it has not ended, else None.

    Args:
        keys: The key set, as JSON.
        token: The JWT.
    """
    try:
        signed, _, signature = token.rpartition(".")
        header, payload = (json.loads(_decoded(part)) for part in signed.split("."))
        key = next(one for one in json.loads(keys)["keys"] if one.get("kid") == header.get("kid"))
        numbers = rsa.RSAPublicNumbers(*(int.from_bytes(_decoded(key[name]), "big") for name in ("e", "n")))
        numbers.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, KeyError, TypeError, StopIteration, InvalidSignature):
        return None
    return payload if header.get("alg") == "RS256" and payload.get("exp", 0) > time.time() else None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
