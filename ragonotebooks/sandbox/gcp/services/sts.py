"""Security Token Service: a token of another issuer for an access token of Google's, as a pool's provider says."""

from typing import Any, Final
from urllib.parse import parse_qsl

from ragonotebooks.sandbox.gcp import federation
from ragonotebooks.sandbox.gcp.errors import ApiError, unsupported
from ragonotebooks.sandbox.gcp.http_front import Request, Response, json_response
from ragonotebooks.sandbox.gcp.identity import TOKEN_LIFE
from ragonotebooks.sandbox.gcp.service import Service
from ragonotebooks.sandbox.ledger import Call as Entry

_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
_FOREIGN: Final = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")


class SecurityTokens(Service):
    """`https://sts.googleapis.com/v1/token`."""

    host = "sts.googleapis.com"
    title = "Security Token Service API"
    always_enabled = True

    def http(self, request: Request, entry: Entry) -> Response:
        """Answer a request for a token; OAuth clients ask in form's encoding, discovery clients in JSON."""
        if (request.method, request.path) != ("POST", "/v1/token"):
            raise unsupported(f"{self.host} {request.method} {request.path}")
        is_form = "form" in request.headers.get("content-type", "")
        asked = dict(parse_qsl(request.body.decode())) if is_form else _snake(request.json())
        entry.service, entry.action, entry.caller = self.host, "ExchangeToken", "anonymous"
        entry.resource = asked.get("audience", "")
        if asked.get("grant_type") != _EXCHANGE or asked.get("subject_token_type") not in _FOREIGN:
            raise ApiError("INVALID_ARGUMENT", "The grant type or the type of the token is wrong.", "invalid_request")
        with self.cloud.context.lock:
            caller = federation.bearer_of(self.cloud, entry.resource, asked.get("subject_token", ""))
            entry.caller = caller.email
            token = self.cloud.identities.give_token_to(caller)
        told = {"access_token": token, "issued_token_type": _ACCESS_TOKEN, "token_type": "Bearer"}
        return json_response({**told, "expires_in": TOKEN_LIFE})

    def error_body(self, error: ApiError) -> dict[str, Any]:
        """As OAuth tells errors (RFC 6749), but for what the sandbox lacks."""
        if error.code == "UNIMPLEMENTED":
            return error.body()
        return {"error": error.reason or error.code.lower(), "error_description": error.message}


def _snake(given: dict[str, Any]) -> dict[str, str]:
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): str(value) for key, value in given.items()}
