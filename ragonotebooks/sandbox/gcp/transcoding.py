"""REST requests as RPCs and back, by the HTTP rules (google.api.http)."""

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp.apis import Rpc, is_repeated
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid
from ragonotebooks.sandbox.gcp.fields import find_field, set_at
from ragonotebooks.sandbox.gcp.http_front import Request, Response, json_response
from ragonotebooks.sandbox.gcp.rules import Rule

#: Parameters that any method has. Source: "parameters" of every discovery document.
_SYSTEM: Final = frozenset(
    (
        "alt",
        "fields",
        "key",
        "prettyPrint",
        "quotaUser",
        "userIp",
        "$alt",
        "$.xgafv",
        "access_token",
        "oauth_token",
        "uploadType",
        "upload_protocol",
        "callback",
    )
)


def find(rpcs: Iterable[Rpc], verb: str, path: str) -> tuple[Rpc, Rule, dict[str, str]] | None:
    """Return the RPC that a request means, by which rule, and the fields in its path."""
    for rpc in rpcs:
        for rule in rpc.rules:
            if (bound := rule.match(verb, path)) is not None:
                return rpc, rule, bound
    return None


def message_of(request: Request, rpc: Rpc, rule: Rule, bound: dict[str, str]) -> Message:
    """Return the RPC's request.

    Raises:
        ApiError: The body or a parameter is not the RPC's.
    """
    message = rpc.request()
    if rule.body:
        target = message if rule.body == "*" else getattr(message, rule.body)
        try:
            json_format.ParseDict(request.json(), target)
        except json_format.ParseError as error:
            raise invalid(f"Invalid JSON payload received. {error}", {rule.body.strip("*"): str(error)}) from None
        if rule.body != "*":
            target.SetInParent()
    for name, value in request.query:
        if name not in _SYSTEM:
            _set_parameter(message, name, value)
    for name, value in bound.items():
        set_at(message, name, _decoded(value))
    return message


def _decoded(value: str) -> str:
    """What a path binds; in more than one segment of it `%2F` stays as it is, since it is part of a name (google.api.http)."""
    if "/" not in value:
        return unquote(value)
    return "".join(part if index % 2 else unquote(part) for index, part in enumerate(re.split("(%2[Ff])", value)))


def response_of(answer: Message, request: Request) -> Response:
    """Return the JSON of an RPC's answer; enums are numbers when `$alt` says so."""
    numbers = "enum-encoding=int" in request.parameter("$alt")
    return json_response(json_format.MessageToDict(answer, use_integers_for_enums=numbers))


def _set_parameter(message: Message, path: str, value: str) -> None:
    *parents, last = path.split(".")
    for part in parents:
        field = find_field(message.DESCRIPTOR, part)
        if field is None or field.message_type is None:
            raise _unknown(path)
        message = getattr(message, field.name)
    field = find_field(message.DESCRIPTOR, last)
    if field is None:
        raise _unknown(path)
    try:
        json_format.ParseDict({field.name: [value] if is_repeated(field) else _plain(field, value)}, message)
    except json_format.ParseError as error:
        raise invalid(f"Invalid value at '{path}': {error}", {path: str(error)}) from None


def _plain(field: FieldDescriptor, value: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return value.casefold() == "true"
    if field.type == FieldDescriptor.TYPE_ENUM and value.lstrip("-").isdigit():
        return int(value)
    return value


def _unknown(path: str) -> ApiError:
    return invalid(f'Invalid JSON payload received. Unknown name "{path}": Cannot find field.', {path: "unknown"})
