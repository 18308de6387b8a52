"""Who calls: access tokens and the identities behind them. Tokens are random, end after an hour, and open this sandbox alone."""

import base64
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: How long an access token lives, in seconds. Source: Google Cloud, "Token types", read 2026-11.
TOKEN_LIFE: Final = 3600

#: The person at the keyboard, an owner of the project.
OPERATOR: Final = "operator@ragonometrics.example"

_MARK: Final = "ya29.sandbox-"


@dataclass(frozen=True)
class Caller:
    """An authenticated identity.

    Attributes:
        email: Its e-mail address; of a principal of a workload identity pool, its name: `//iam.googleapis.com/…/subject/S`.
        kind: `user`, `serviceAccount` or `principal`.
        sets: The sets of principals to which it belongs, as policies name them: `principalSet://…`.
    """

    email: str
    kind: str
    sets: frozenset[str] = frozenset()

    @property
    def member(self) -> str:
        """As IAM policies name it: `serviceAccount:indexer@project.iam.gserviceaccount.com`."""
        return f"{self.kind}:{self.email}"


def caller_of(email: str) -> Caller:
    """The identity with an e-mail address; service accounts have addresses of their own kind."""
    if email.startswith("//"):
        return Caller(email, "principal")
    return Caller(email, "serviceAccount" if email.endswith(".gserviceaccount.com") else "user")


class Identities:
    """The tokens that were given out.

    Args:
        signed: Gives the e-mail of whoever signed a JWT, None when its signature is nobody's or it has ended.
    """

    def __init__(self, signed: Callable[[str], str | None]) -> None:
        self._given: dict[str, tuple[Caller, float]] = {}
        self._signed = signed

    def give_token(self, email: str, seconds: int = TOKEN_LIFE) -> str:
        """Return a new access token of an identity."""
        return self.give_token_to(caller_of(email), seconds)

    def give_token_to(self, caller: Caller, seconds: int = TOKEN_LIFE) -> str:
        """Return a new access token of whoever was found to be a caller."""
        now = time.time()
        self._given = {token: kept for token, kept in self._given.items() if kept[1] > now}
        token = f"{_MARK}{secrets.token_urlsafe(32)}"
        self._given[token] = (caller, now + seconds)
        return token

    def find(self, token: str) -> Caller | None:
        """Return who holds a token, None when it is nobody's or has ended. A JWT that a service account signed is one too."""
        if token.count(".") == 2 and not token.startswith(_MARK):
            email = self._signed(token)
            return caller_of(email) if email else None
        caller, end = self._given.get(token, (None, 0.0))
        return caller if end > time.time() else None

    def seconds_left(self, token: str) -> int:
        """How long a token that was given out lives on."""
        return max(0, int(self._given[token][1] - time.time())) if token in self._given else 0


def claims_of(token: str) -> dict[str, Any]:
    """What a JWT claims, whoever signed it."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def write_credentials(folder: Path, project: str, refresh_token: str, bundle: Path) -> None:
    """Write the files with which Google's clients and gsutil are the operator: nothing outside of `folder` is touched."""
    adc = {
        "type": "authorized_user",
        "client_id": "ragonotebooks.apps.googleusercontent.com",
        "client_secret": "not-a-secret",
        "refresh_token": refresh_token,
        "account": OPERATOR,
    }
    boto = (
        f"[Credentials]\ngs_oauth2_refresh_token = {refresh_token}\n"
        f"[Boto]\nca_certificates_file = {bundle}\nhttps_validate_certificates = True\n"
        f"[GSUtil]\ndefault_project_id = {project}\nsoftware_update_check_period = 0\nstate_dir = {folder / 'gsutil'}\n"
        f"[OAuth2]\nclient_id = {adc['client_id']}\nclient_secret = {adc['client_secret']}\n"
    )
    for name, text in ((ADC_FILE, json.dumps(adc)), (BOTO_FILE, boto)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text, encoding="utf-8")


ADC_FILE: Final = "application_default_credentials.json"
BOTO_FILE: Final = "boto.cfg"
