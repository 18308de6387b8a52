"""Reads what a request to an AWS API is about: the service, the operation, its parameters, and how it is signed."""

import io
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import BackendRequest
from werkzeug.exceptions import NotFound

from ragonotebooks.sandbox.aws.errors import ApiError

Environ = dict[str, Any]

# the names by which services are signed for, where botocore calls them something else
_BOTOCORE_NAMES = {
    "access-analyzer": "accessanalyzer",
    "elasticfilesystem": "efs",
    "elasticmapreduce": "emr",
    "execute-api": "apigatewaymanagementapi",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
# the prefixes of IAM actions, where they are not the name that is signed for
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag", "email": "ses"}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_CLASSIC_ELB_VERSION = "2012-06-01"


def botocore_name(prefix: str) -> str:
    """Return botocore's name of a service, given the prefix of its IAM actions."""
    signed_for = next((name for name, one in _PREFIXES.items() if one == prefix), prefix)
    return "elbv2" if prefix == "elasticloadbalancing" else _BOTOCORE_NAMES.get(signed_for, signed_for)


@dataclass(frozen=True, slots=True)
class Credential:
    """How a request is signed.

    Attributes:
        access_key: The access key id.
        date: The day of the scope, `20261124`; empty for the old signature of presigned URLs.
        region: The region of the scope.
        service: The service of the scope.
        signed_headers: Lower-case names, in order.
        signature: As sent.
        token: The session token; empty without one.
        presigned: Whether all this stands in the URL.
    """

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    token: str
    presigned: bool


@dataclass
class Incoming:
    """One request to an API.

    Attributes:
        environ: The WSGI environment; its body can still be read from the start.
        credential: How it is signed, None when it is not.
    """

    environ: Environ
    credential: Credential | None
    query: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, environ: Environ) -> "Incoming":
        """Read a request. Raises an ApiError for a signature of a kind that AWS gave up."""
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        return cls(environ, _credential(environ, query), query)

    @property
    def signed_for(self) -> str:
        """The service that the request is signed for; without a signature, the one that its host names."""
        return self.credential.service.lower() if self.credential else self._host[0]

    @property
    def prefix(self) -> str:
        """The service as IAM actions spell it."""
        return _PREFIXES.get(self.signed_for, self.signed_for)

    @property
    def region(self) -> str:
        return self.credential.region if self.credential else self._host[1]

    @cached_property
    def service(self) -> str:
        """The service as botocore calls it."""
        name, path = self.signed_for, self.environ.get("PATH_INFO", "")
        if name == "elasticloadbalancing":
            return "elb" if self.values.get("Version") == _CLASSIC_ELB_VERSION else "elbv2"
        if name == "apigateway" and path.startswith("/v2/"):
            return "apigatewayv2"
        if name == "ses" and path.startswith("/v2/"):
            return "sesv2"
        if name == "s3" and (path.startswith("/v20180820/") or ".s3-control." in self.environ.get("HTTP_HOST", "")):
            return "s3control"
        return _BOTOCORE_NAMES.get(name, name)

    @cached_property
    def model(self) -> Any:
        """botocore's model of the service. Raises UnknownServiceError when there is none."""
        return get_service_model(self.service)

    @cached_property
    def protocol(self) -> str:
        """`query`, `ec2`, `json`, `rest-json` or `rest-xml`."""
        return str(determine_request_protocol(self.model, self.environ.get("CONTENT_TYPE")))

    @cached_property
    def operation(self) -> str:
        """The name of the API operation; empty when the service has none like this."""
        return self._matched[0]

    @cached_property
    def named(self) -> str:
        """What the client asked for, for messages: the operation, or else how it was asked for."""
        target = self.environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        asked = f"{self.environ['REQUEST_METHOD']} {self.environ.get('PATH_INFO', '/')}"
        return self.operation or target or self.values.get("Action") or asked

    @cached_property
    def body(self) -> bytes:
        """The body, but for objects on their way to S3, which are neither needed here nor small."""
        if self.service == "s3" and self.operation in ("PutObject", "UploadPart"):
            return b""
        return _read_body(self.environ)

    @cached_property
    def values(self) -> dict[str, str]:
        """The parameters in the query and, of a form, in the body."""
        form = self.environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
        if not form or self.signed_for == "s3":
            return self.query
        return self.query | dict(parse_qsl(_read_body(self.environ).decode(), keep_blank_values=True))

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The operation's parameters by the names of botocore's model."""
        request, model = self.request, self.model.operation_model(self.operation)
        parser = PROTOCOL_PARSERS[self.protocol](model)
        parsed: dict[str, Any] = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": self.body,
                "url_path": request.path,
                "url_params": self._matched[1],
            }
        )
        self._rewind()
        return parsed

    @cached_property
    def _host(self) -> tuple[str, str]:
        """The service and the region that the host names: `rds.us-east-1.amazonaws.com`, else S3."""
        *names, last = self.environ.get("HTTP_HOST", "").removesuffix(".amazonaws.com").split(".")
        region = last if _REGION.fullmatch(last) else "us-east-1"
        labels = names if last == region else [*names, last]
        on_s3 = not labels or any(label.startswith("s3") for label in labels)
        return "s3" if on_s3 else labels[-1], region

    @cached_property
    def request(self) -> Request:
        """The request as moto reads it."""
        self.environ.setdefault("RAW_URI", self.environ.get("REQUEST_URI", ""))
        return BackendRequest(dict(self.environ))

    @cached_property
    def _matched(self) -> tuple[str, dict[str, Any]]:
        if self.signed_for != "s3":
            _read_body(self.environ)
        try:
            operation, uri_parameters = get_service_router(self.service).match(self.request)
        except NotFound:
            return "", {}
        finally:
            self._rewind()
        return operation.name, uri_parameters

    def _rewind(self) -> None:
        self.environ["wsgi.input"].seek(0)


def _read_body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    if not stream.seekable():
        stream = environ["wsgi.input"] = io.BytesIO(stream.read(int(environ.get("CONTENT_LENGTH") or 0)))
    stream.seek(0)
    body: bytes = stream.read()
    stream.seek(0)
    return body


def _credential(environ: Environ, query: dict[str, str]) -> Credential | None:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if authorization.startswith("AWS4-HMAC-SHA256 "):
        parts = dict(part.strip().split("=", 1) for part in authorization[len("AWS4-HMAC-SHA256 ") :].split(","))
        return _version_4(
            parts["Credential"],
            parts["SignedHeaders"],
            parts["Signature"],
            environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""),
            presigned=False,
        )
    if query.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256":
        token = query.get("X-Amz-Security-Token", "")
        signed = (query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Signature"])
        return _version_4(*signed, token, presigned=True)
    if "AWSAccessKeyId" in query and "Signature" in query:
        token = query.get("x-amz-security-token", "")
        return Credential(query["AWSAccessKeyId"], "", "us-east-1", "s3", (), query["Signature"], token, presigned=True)
    if authorization or "X-Amz-Algorithm" in query:
        message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        raise ApiError("InvalidRequest", message)
    return None


def _version_4(scope: str, headers: str, signature: str, token: str, *, presigned: bool) -> Credential:
    access_key, date, region, service, _ = scope.rsplit("/", 4)
    return Credential(access_key, date, region, service, tuple(headers.split(";")), signature, token, presigned)
