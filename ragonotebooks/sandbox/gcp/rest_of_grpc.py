"""gRPC calls of a service that a discovery document describes: each is put as the REST request that it equals."""

import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from google.protobuf import json_format
from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp import discovery
from ragonotebooks.sandbox.gcp.apis import Rpc
from ragonotebooks.sandbox.gcp.discovery import DiscoveryMethod
from ragonotebooks.sandbox.gcp.errors import invalid, unsupported
from ragonotebooks.sandbox.gcp.http_front import Request, Response

Json = dict[str, Any]


def answer(
    host: str, method: DiscoveryMethod, rpc: Rpc, message: Message, token: str, send: Callable[[Request], Response]
) -> Message:
    """Answer an RPC by the REST method that it equals.

    Args:
        host: The service's host.
        method: The method.
        rpc: The RPC.
        message: The RPC's request.
        token: The caller's access token.
        send: Answers a REST request.

    Raises:
        ApiError: The request names not what the method is about, or the method refuses it.
    """
    response = send(request_of(host, method, message, token))
    return json_format.ParseDict(json.loads(response.body), rpc.response(), ignore_unknown_fields=True)


def request_of(host: str, method: DiscoveryMethod, message: Message, token: str) -> Request:
    """The REST request that equals an RPC's."""
    body: Json = {}
    parameters: dict[str, str] = {}
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.name == method.request:
            body = json_format.MessageToDict(value)
        else:
            parameters[field.json_name] = _text(value)
    path = method.rule.expand(lambda name: quote(parameters.get(name, ""), safe="/"))
    if path is None:
        raise invalid(f"The request {method.name} lacks one of {', '.join(method.rule.fields)}.")
    action = f":{method.rule.action}" if method.rule.action else ""
    query = [(name, value) for name, value in parameters.items() if name not in method.rule.fields]
    version = method.rule.template.split("/")[1]
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return Request(
        method.rule.verb, host, f"/{version}/{path}{action}", query, headers, io.BytesIO(json.dumps(body).encode())
    )


def method_of(api: tuple[str, str], rpc: Rpc, renamed: dict[str, str]) -> DiscoveryMethod:
    """Return the method that an RPC equals: they have the same collection and verb, but for capitals.

    Args:
        api: The discovery document.
        rpc: The RPC, such as `/google.cloud.sql.v1.SqlInstancesService/Insert`.
        renamed: The method of an RPC (`SqlConnectService.GetConnectSettings`) where that is not so.

    Raises:
        ApiError: There is none.
    """
    service = rpc.path.split("/")[1].rpartition(".")[2]
    name = f"{service}.{rpc.name}"
    wanted = renamed.get(name, f"{service.removeprefix('Sql').removesuffix('Service')}.{rpc.name}").lower()
    for method in discovery.methods(*api):
        if f"{method.collection}.{method.verb}".lower() == wanted:
            return method
    raise unsupported(f"{api[0]}.googleapis.com {name}")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
