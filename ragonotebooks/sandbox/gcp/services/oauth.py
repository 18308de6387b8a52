"""Google's token endpoint and what clients ask about tokens."""

import json
import time
from typing import Any, Final
from urllib.parse import parse_qsl

from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.http_front import Request, Response, json_response
from ragonotebooks.sandbox.gcp.identity import OPERATOR, TOKEN_LIFE, claims_of
from ragonotebooks.sandbox.gcp.service import Service
from ragonotebooks.sandbox.ledger import Call as Entry

_JWT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class OAuth(Service):
    """`https://oauth2.googleapis.com/token` and its neighbours."""

    host = "oauth2.googleapis.com"
    title = "OAuth 2.0"
    always_enabled = True

    def http(self, request: Request, entry: Entry) -> Response:
        """Answer a request for a token, or a question about one. Neither is in the ledger: getting a token is no call to an API."""
        path = request.path.rstrip("/")
        if path in ("/token", "/oauth2/v4/token", "/oauth2/v3/token"):
            return self._token(dict(parse_qsl(request.body.decode())))
        if path.endswith("/tokeninfo"):
            return self._about(request)
        if path.endswith("/userinfo"):
            return self._user(request)
        if path in ("/oauth2/v3/certs", "/oauth2/v1/certs"):
            key = self.cloud.keys.own
            return json_response({"keys": [key.jwk()]} if "v3" in path else {key.id: key.public_pem()})
        if path == "/revoke":
            return json_response({})
        raise ApiError(
            "UNIMPLEMENTED", f"{request.host}{request.path} is not supported by the sandbox", "UNSUPPORTED_BY_SANDBOX"
        )

    def _token(self, form: dict[str, str]) -> Response:
        kind = form.get("grant_type", "")
        if kind == "refresh_token":
            if form.get("refresh_token") != self.cloud.context.state.refresh_token:
                return _refused("invalid_grant", "Token has been expired or revoked.")
            return self._given(
                OPERATOR, {"id_token": self.cloud.keys.identity_token(OPERATOR, form.get("client_id", ""))}
            )
        if kind == _JWT:
            return self._exchanged(form.get("assertion", ""))
        return _refused("unsupported_grant_type", f"Invalid grant_type: {kind}")

    def _exchanged(self, assertion: str) -> Response:
        """A service account's own word, signed with one of its keys, for a token."""
        email = self.cloud.keys.signer(assertion)
        if email is None:
            return _refused("invalid_grant", "Invalid JWT Signature.")
        audience = claims_of(assertion).get("target_audience")
        if audience:
            return json_response({"id_token": self.cloud.keys.identity_token(email, audience)})
        return self._given(email, {})

    def _given(self, email: str, more: dict[str, Any]) -> Response:
        with self.cloud.context.lock:
            token = self.cloud.identities.give_token(email)
        return json_response({"access_token": token, "expires_in": TOKEN_LIFE - 1, "token_type": "Bearer", **more})

    def _about(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode()))
        if token := request.parameter("id_token") or form.get("id_token", ""):
            email = self.cloud.keys.identity_of(token)
            return json_response(claims_of(token)) if email else _refused("invalid_token", "Invalid Value")
        token = request.parameter("access_token") or form.get("access_token", "")
        caller = self.cloud.identities.find(token)
        if caller is None:
            return _refused("invalid_token", "Invalid Value")
        left = self.cloud.identities.seconds_left(token)
        return json_response(
            {"email": caller.email, "expires_in": str(left), "exp": str(int(time.time()) + left), "scope": _SCOPE}
        )

    def _user(self, request: Request) -> Response:
        caller = self.cloud.identities.find(request.token)
        if caller is None:
            return Response(
                401, json.dumps({"error": "invalid_request"}).encode(), {"Content-Type": "application/json"}
            )
        return json_response({"sub": caller.email, "id": caller.email, "email": caller.email, "email_verified": True})


_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"


def _refused(error: str, description: str) -> Response:
    return json_response({"error": error, "error_description": description}, 400)
