"""What the client packages know of an API: its RPCs, their types, HTTP rules and the behaviour of fields.

The packages ship neither services nor options in their descriptors, so a transport is asked for its stubs with a channel
that only records, and the rest is read from the client's source and docstrings.
"""

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import proto
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp.rules import Rule

MessageType = type[Message]

_METHOD: Final = re.compile(r"\n    def (\w+)\(")
_LONG_RUNNING: Final = re.compile(r"from_gapic\(\s*response,\s*[\w.]+,\s*([\w.]+),\s*metadata_type=([\w.]+),")
_BEHAVIOUR: Final = re.compile(
    r"^        (\w+) \([^)]*\):\n\s+((?:(?:Required|Optional|Output only|Immutable|Identifier|Input only|Unordered list)\.\s+)+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Rpc:
    """One RPC of an API.

    Attributes:
        name: `CreateSecret`.
        path: `/google.cloud.secretmanager.v1.SecretManagerService/CreateSecret`.
        request: The type of its request.
        response: The type of its answer; an Operation for a long-running one.
        rules: How it is called over HTTP, the first rule first.
        result: What the operation of a long-running RPC ends with.
        metadata: What that operation tells of itself.
        streams: Whether request or answer are streams.
    """

    name: str
    path: str
    request: MessageType
    response: MessageType
    rules: tuple[Rule, ...] = ()
    result: MessageType | None = None
    metadata: MessageType | None = None
    streams: bool = False

    @property
    def made(self) -> MessageType:
        """What the caller gets in the end."""
        return self.result or self.response


@dataclass(frozen=True)
class _Stub:
    path: str
    serializer: Any
    deserializer: Any
    streams: bool


class _Recorder:
    """A channel that opens nothing and returns what it was asked for."""

    def unary_unary(self, path: str, request_serializer: Any = None, response_deserializer: Any = None) -> _Stub:
        return _Stub(path, request_serializer, response_deserializer, False)

    def unary_stream(self, path: str, request_serializer: Any = None, response_deserializer: Any = None) -> _Stub:
        return _Stub(path, request_serializer, response_deserializer, True)

    stream_unary = stream_stream = unary_stream


def rpcs_of(client: type[Any]) -> Iterator[Rpc]:
    """Yield the RPCs that a generated client can call, those of operations, locations and policies included."""
    transport_class: type[Any] = client.get_transport_class("grpc")
    transport = object.__new__(transport_class)
    transport._stubs = {}
    transport._logged_channel = transport._grpc_channel = _Recorder()
    ends = _ends(client)
    http = _http_rules(transport_class)
    for attribute in sorted(_stub_names(transport_class)):
        stub = getattr(transport, attribute)
        if not isinstance(stub, _Stub):
            stub = stub()  # those of mixins are methods
        name = stub.path.rpartition("/")[2]
        result, metadata = ends.get(attribute, (None, None))
        request = _request_type(stub, client, attribute)
        response = _message_type(stub.deserializer.__self__) if stub.deserializer else empty_pb2.Empty
        yield Rpc(name, stub.path, request, response, http.get(name, ()), result, metadata, stub.streams)


def _stub_names(transport: type[Any]) -> Iterator[str]:
    for attribute in dir(transport):
        value = getattr(transport, attribute)
        if isinstance(value, property) and value.fget and "_stubs" in value.fget.__code__.co_names:
            yield attribute


def _request_type(stub: _Stub, client: type[Any], attribute: str) -> MessageType:
    if owner := getattr(stub.serializer, "__self__", None):
        return _message_type(owner)
    hints = typing.get_type_hints(getattr(client, attribute))
    choices = typing.get_args(hints["request"]) or (hints["request"],)
    found = next(one for one in choices if isinstance(one, type) and issubclass(one, Message))
    return typing.cast(MessageType, found)


def _message_type(owner: Any) -> MessageType:
    """The plain protobuf class of a message class."""
    return typing.cast(MessageType, owner.meta.pb if isinstance(owner, proto.message.MessageMeta) else owner)


def _ends(client: type[Any]) -> dict[str, tuple[MessageType, MessageType]]:
    """What long-running methods of a client end with, and the type of their metadata."""
    module = import_module(client.__module__)
    # not by `inspect`, which would keep it
    parts = _METHOD.split(Path(str(module.__file__)).read_text(encoding="utf-8"))
    found = {}
    for name, source in zip(parts[1::2], parts[2::2], strict=True):
        if types := _LONG_RUNNING.search(source):
            found[name] = (_resolve(module, types[1]), _resolve(module, types[2]))
    return found


def _resolve(module: Any, dotted: str) -> MessageType:
    found: Any = module
    for part in dotted.split("."):
        found = getattr(found, part)
    return _message_type(found)


def _http_rules(transport: type[Any]) -> dict[str, tuple[Rule, ...]]:
    package = transport.__module__.rpartition(".")[0]
    try:
        module = import_module(f"{package}.rest_base")
    except ModuleNotFoundError:
        return {}
    base = next(
        value for name, value in vars(module).items() if name.startswith("_Base") and name.endswith("Transport")
    )
    rules = {}
    for name, value in vars(base).items():
        if options := getattr(value, "_get_http_options", None):
            rules[name.removeprefix("_Base")] = tuple(
                Rule(one["method"].upper(), one["uri"], one.get("body", "")) for one in options()
            )
    return rules


@cache
def behaviour(package: str) -> dict[str, dict[str, frozenset[str]]]:
    """What each field of each message of a client package may do: `{"google.…Secret": {"name": {"Output only"}}}`."""
    found = {}
    for value in vars(import_module(f"{package}.types")).values():
        if isinstance(value, proto.message.MessageMeta):
            found.update(_behaviours(value))
    return found


def _behaviours(message: Any) -> dict[str, dict[str, frozenset[str]]]:
    fields = {
        name: frozenset(re.findall(r"(\w[\w ]+)\.", said)) for name, said in _BEHAVIOUR.findall(message.__doc__ or "")
    }
    found = {message.meta.pb.DESCRIPTOR.full_name: fields}
    for value in vars(message).values():
        if isinstance(value, proto.message.MessageMeta):
            found.update(_behaviours(value))
    return found


def is_operation(message: MessageType | Descriptor) -> bool:
    """Whether a type is the Operation of long-running calls."""
    descriptor = message if isinstance(message, Descriptor) else message.DESCRIPTOR
    return bool(descriptor.full_name == operations_pb2.Operation.DESCRIPTOR.full_name)


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field holds a list or a map."""
    return bool(field.is_repeated)


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field holds a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
