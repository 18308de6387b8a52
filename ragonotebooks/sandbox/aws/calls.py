"""Calls that the sandbox itself makes with the permissions of a role, as Fargate, CodeBuild and EventBridge do.

Made of botocore's models, signer and parsers, without its clients: one of these takes a megabyte and 50 ms, and a task needs three.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.credentials import Credentials
from botocore.endpoint import convert_to_response_dict
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from moto.core.utils import get_service_model

_ERROR = 300  # the first status that is none of success
_CONNECTIONS = 24


def host_of(service: str, region: str) -> str:
    """The host that answers for a service, by botocore's name."""
    return f"{'api.ecr' if service == 'ecr' else service}.{region}.amazonaws.com"


def call(
    port: int, credentials: Mapping[str, str], service: str, region: str, operation: str, **parameters: Any
) -> dict[str, Any]:
    """Call an operation, as `call(…, "secretsmanager", "us-east-1", "GetSecretValue", SecretId="key")`, and return its answer.

    Args:
        port: The gateway's.
        credentials: What `identity.assume_role_for_service` returns.
        service: As botocore calls it; one whose answers are not streams.
        region: Where it is called.
        operation: Its name in the API.
        parameters: The operation's.

    Raises:
        ClientError: It is refused.
        BotoCoreError: A parameter is wrong, or nobody answers.
    """
    model = get_service_model(service)
    described, protocol = model.operation_model(operation), model.resolved_protocol
    request = create_serializer(protocol).serialize_to_request(parameters, described)
    # the gateway is in this process: TLS would only take time
    prepare_request_dict(request, f"http://{host_of(service, region)}")
    signed = create_request_object(request)
    who = Credentials(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["Token"])
    SigV4Auth(who, model.signing_name, region).add_auth(signed)
    answered = _session(port).send(signed.prepare())
    answer: Any = create_parser(protocol).parse(convert_to_response_dict(answered, described), described.output_shape)
    if answered.status_code >= _ERROR:
        raise ClientError(answer, operation)
    return dict(answer)


@cache
def _session(port: int) -> URLLib3Session:
    return URLLib3Session(proxies={"http": f"http://127.0.0.1:{port}"}, max_pool_connections=_CONNECTIONS)
