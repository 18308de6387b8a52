"""Keys: those with which service accounts sign their own tokens, and the sandbox's own, with which it signs identity tokens."""

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ragonotebooks.sandbox.gcp.identity import claims_of

_ISSUER: Final = "https://accounts.google.com"
_BITS: Final = 2048


@dataclass
class Key:
    """A key pair.

    Attributes:
        email: The service account that it is of.
        private: The private half.
        id: How a token's header names it.
        made: When it was made.
    """

    email: str
    private: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, _BITS))
    id: str = field(default_factory=lambda: secrets.token_hex(20))
    made: datetime = field(default_factory=lambda: datetime.now(UTC))

    def sign(self, data: bytes) -> bytes:
        """Return the RS256 signature of `data`."""
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Whether this key signed `data`."""
        try:
            self.private.public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        except Exception:
            return False
        return True

    def pem(self) -> str:
        """The private half, as key files hold it."""
        form = serialization.PrivateFormat.PKCS8
        return self.private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def public_pem(self) -> str:
        """The public half."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def jwt(self, claims: dict[str, Any]) -> str:
        """A signed JWT."""
        return self.jwt_of(_json(claims).decode())

    def jwt_of(self, payload: str) -> str:
        """A signed JWT of claims that are JSON already."""
        header = _json({"alg": "RS256", "kid": self.id, "typ": "JWT"})
        signed = f"{_encoded(header)}.{_encoded(payload.encode())}"
        return f"{signed}.{_encoded(self.sign(signed.encode()))}"

    def jwk(self) -> dict[str, str]:
        """The public half as a JSON web key."""
        numbers = self.private.public_key().public_numbers()
        parts = {"n": numbers.n, "e": numbers.e}
        shown = {name: _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big")) for name, value in parts.items()}
        return {"kid": self.id, "kty": "RSA", "alg": "RS256", "use": "sig", **shown}


class Keys:
    """All keys of a sandbox. Each account has one that Google keeps, made when it is first needed, and those it was given."""

    def __init__(self) -> None:
        self._given: dict[str, Key] = {}
        self._kept: dict[str, Key] = {}

    def give(self, email: str) -> Key:
        """Make a key that a person will hold."""
        key = Key(email)
        self._given[key.id] = key
        return key

    def take(self, key_id: str) -> None:
        """What a key signs is nobody's word any more."""
        self._given.pop(key_id, None)

    def is_given(self, key_id: str) -> bool:
        """Whether a key is one that a person holds."""
        return key_id in self._given

    def kept(self, email: str) -> Key:
        """The key of an account that never leaves the sandbox: for signBlob, signJwt and the like."""
        if email not in self._kept:
            self._kept[email] = Key(email)
        return self._kept[email]

    @cached_property
    def own(self) -> Key:
        """The sandbox's key for identity tokens."""
        return Key("")

    def of(self, email: str) -> list[Key]:
        """All keys of an account."""
        return [key for key in (*self._kept.values(), *self._given.values()) if key.email == email]

    def signer(self, token: str) -> str | None:
        """Return the e-mail of the account that signed a JWT, None when nobody of here did or it has ended."""
        signed, _, signature = token.rpartition(".")
        try:
            claims = claims_of(token)
            raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        except ValueError:
            return None
        if claims.get("exp", 0) < time.time():
            return None
        email = str(claims.get("iss", ""))
        return email if any(key.verifies(signed.encode(), raw) for key in self.of(email)) else None

    def identity_token(self, email: str, audience: str, seconds: int = 3600) -> str:
        """Return an OpenID Connect token that says who `email` is, to `audience`."""
        now = int(time.time())
        claims = {"iss": _ISSUER, "aud": audience, "azp": email, "sub": email, "email": email, "email_verified": True}
        return self.own.jwt({**claims, "iat": now, "exp": now + seconds})

    def identity_of(self, token: str, audience: str | None = None) -> str | None:
        """Return whose identity token this is, None when it is not one that holds (for `audience`)."""
        signed, _, signature = token.rpartition(".")
        try:
            claims = claims_of(token)
            raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        except (ValueError, IndexError):
            return None
        if (
            claims.get("iss") != _ISSUER
            or claims.get("exp", 0) < time.time()
            or not self.own.verifies(signed.encode(), raw)
        ):
            return None
        return str(claims["email"]) if audience is None or claims.get("aud") == audience else None


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
