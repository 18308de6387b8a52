"""Errors of the AWS control plane, each in the wire format of its service."""

import json
from dataclasses import dataclass
from xml.sax.saxutils import escape

_JSON = ("json", "rest-json")


@dataclass
class ApiError(Exception):
    """A request that is answered with an error.

    Attributes:
        code: The service's error code.
        message: What a person reads.
        status: The HTTP status; below 500, because clients repeat what fails with a 5xx.
    """

    code: str
    message: str
    status: int = 400


def body_of(refusal: ApiError, service: str, protocol: str) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the answer to a request of botocore's `service` and `protocol`."""
    if protocol in _JSON:
        text = json.dumps({"__type": refusal.code, "message": refusal.message})
        return {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": refusal.code}, text.encode()
    error = f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>"
    if service == "s3":
        text = f"<Error>{error}<RequestId>sandbox</RequestId></Error>"
    elif protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>sandbox</RequestID></Response>"
    else:
        error = f"<Error><Type>Sender</Type>{error}</Error>"
        text = f"<ErrorResponse>{error}<RequestId>sandbox</RequestId></ErrorResponse>"
    return {"Content-Type": "text/xml"}, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)
_TOKEN = "The security token included in the request is {}"
_UNSIGNED = "Request is missing Authentication Token"
_CREDENTIALS = "AWS was not able to validate the provided access credentials"

# What can be wrong with a caller, by the style of the service: code, message, HTTP status.
# Source: "Common error types" of each service's API reference, read 2026-11.
_AUTHENTICATION = {
    "s3": {
        "unknown key": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
        "wrong token": ("InvalidToken", "The provided token is malformed or otherwise invalid.", 400),
        "expired": ("ExpiredToken", "The provided token has expired.", 400),
        "wrong signature": ("SignatureDoesNotMatch", _SIGNATURE, 403),
        "denied": ("AccessDenied", "Access Denied", 403),
    },
    "ec2": {
        "unsigned": ("MissingAuthenticationToken", _UNSIGNED, 403),
        "unknown key": ("AuthFailure", _CREDENTIALS, 401),
        "wrong token": ("AuthFailure", _CREDENTIALS, 401),
        "expired": ("RequestExpired", "Request has expired.", 400),
        "wrong signature": ("AuthFailure", _CREDENTIALS, 401),
        "denied": ("UnauthorizedOperation", "You are not authorized to perform this operation.", 403),
    },
    "query": {
        "unsigned": ("MissingAuthenticationToken", _UNSIGNED, 403),
        "unknown key": ("InvalidClientTokenId", _TOKEN.format("invalid."), 403),
        "wrong token": ("InvalidClientTokenId", _TOKEN.format("invalid."), 403),
        "expired": ("ExpiredToken", _TOKEN.format("expired"), 403),
        "wrong signature": ("SignatureDoesNotMatch", _SIGNATURE, 403),
        "denied": ("AccessDenied", "Access Denied", 403),
    },
    "json": {
        "unsigned": ("MissingAuthenticationTokenException", _UNSIGNED, 400),
        "unknown key": ("UnrecognizedClientException", _TOKEN.format("invalid."), 400),
        "wrong token": ("UnrecognizedClientException", _TOKEN.format("invalid."), 400),
        "expired": ("ExpiredTokenException", _TOKEN.format("expired"), 400),
        "wrong signature": ("InvalidSignatureException", _SIGNATURE, 400),
        "denied": ("AccessDeniedException", "Access Denied", 400),
    },
}


def unauthenticated(problem: str, service: str, protocol: str, message: str = "") -> ApiError:
    """Return what the service says to a caller.

    `problem`: `unsigned`, `unknown key`, `wrong token`, `expired`, `wrong signature` or `denied`; `message` replaces the usual one.
    """
    style = "s3" if service == "s3" else {"rest-json": "json", "rest-xml": "query"}.get(protocol, protocol)
    code, usual, status = _AUTHENTICATION[style][problem]
    return ApiError(code, message or usual, 403 if protocol == "rest-json" else status)


def unsupported(prefix: str, operation: str, why: str = "is not supported by the sandbox") -> ApiError:
    """Return the refusal of an operation that the sandbox lacks, named like `rds:CreateBlueGreenDeployment`."""
    return ApiError("NotImplemented", f"{prefix}:{operation} {why}")


def injected(code: str) -> ApiError:
    """Return the refusal that a test wants, with the status that a denial has, or a mistake."""
    denied = "Denied" in code or "Unauthorized" in code
    return ApiError(code, "a test wants this call refused", 403 if denied else 400)
