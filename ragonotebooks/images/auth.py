"""How a registry is logged in to: it says so itself, in the challenge of its first refusal (RFC 7235)."""

import base64
import re
from typing import Final

import requests
from requests.auth import AuthBase

from ragonotebooks.errors import RagonotebooksError

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class Authorization(AuthBase):
    """Sends one Authorization header, or none: not even what a .netrc file says."""

    def __init__(self, value: str | None = None) -> None:
        self._value = value

    @classmethod
    def basic(cls, username: str, password: str) -> "Authorization":
        """Make the header of a name and password."""
        return cls("Basic " + base64.b64encode(f"{username}:{password}".encode()).decode())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value:
            request.headers["Authorization"] = self._value
        return request


def answer(challenge: str, session: requests.Session, login: Authorization | None) -> Authorization | None:
    """Return the answer to a `WWW-Authenticate` header, or None when there is none.

    Basic is answered with the login. Bearer is answered with a token from the realm that the challenge names, which
    public registries give to anybody.

    Raises:
        RagonotebooksError: The realm refuses the login.
    """
    scheme, _, parameters = challenge.partition(" ")
    if scheme.lower() == "basic":
        return login
    if scheme.lower() == "bearer":
        wanted = dict(_PARAMETER.findall(parameters))
        realm = wanted.pop("realm", "")
        response = session.get(realm, params=wanted, auth=login or Authorization(), timeout=60)
        if not response.ok:
            raise RagonotebooksError(
                f"The token service {realm} answered {response.status_code}: check the name and password"
            )
        granted = response.json()
        return Authorization(f"Bearer {granted.get('token') or granted['access_token']}")
    return None
