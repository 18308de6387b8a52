"""The plug-in: what one service of the sandbox's Google Cloud is. The package's docstring tells how to write one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from ragonotebooks.sandbox.gcp import apis
from ragonotebooks.sandbox.gcp.apis import Rpc
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.rules import Rule
from ragonotebooks.sandbox.gcp.standard import Standard, standards

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from ragonotebooks.sandbox.gcp.cloud import Cloud
    from ragonotebooks.sandbox.gcp.http_front import Request, Response
    from ragonotebooks.sandbox.gcp.identity import Caller
    from ragonotebooks.sandbox.ledger import Call as Entry

#: What goes on behind a long-running operation: done on a worker's thread, without the lock; what it raises fails the operation.
Work = Callable[[], None]

_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_MARK = "_of_sandbox"


class Method(Protocol):
    """What the engine must know of an RPC, or of a method of a discovery document."""

    @property
    def name(self) -> str: ...
    @property
    def rules(self) -> tuple[Rule, ...]: ...


@dataclass
class Call:
    """One call, authenticated and allowed.

    Attributes:
        cloud: What the services of one sandbox share.
        service: The service that is called.
        method: The RPC, or the method of a discovery document.
        message: The request: a protobuf message, or JSON with the parameters of a discovery method.
        path: What it is about: a resource (`projects/p/secrets/s`) or a collection (`projects/p/secrets`).
        caller: Who calls; None for an anonymous caller, which only methods open to all see.
        body: The JSON body of a discovery method.
    """

    cloud: Cloud
    service: Service
    method: Any
    message: Any
    path: str
    caller: Caller | None
    body: Any = None

    @property
    def email(self) -> str:
        """The caller's e-mail address."""
        return self.caller.email if self.caller else "anonymous"


@dataclass(frozen=True)
class _Mark:
    moment: str
    name: str


def _marked(moment: str, name: str) -> Callable[[_Handler], _Handler]:
    def mark(function: _Handler) -> _Handler:
        marks = [*getattr(function, _MARK, ()), _Mark(moment, name)]
        setattr(function, _MARK, marks)
        return function

    return mark


def rpc(name: str) -> Callable[[_Handler], _Handler]:
    """`handler(call) -> answer` answers this RPC (`AccessSecretVersion`), or this method of a discovery document
    (`compute.networks.insert`). A long-running RPC's handler returns the resource, or `(resource, work)`.
    """
    return _marked("rpc", name)


def creating(kind: str) -> Callable[[_Handler], _Handler]:
    """`hook(call, resource)` before a resource is kept: checks and defaults. Its name is set already."""
    return _marked("creating", kind)


def created(kind: str) -> Callable[[_Handler], _Handler]:
    """`hook(call, resource) -> Work | None` after a resource was kept."""
    return _marked("created", kind)


def updating(kind: str) -> Callable[[_Handler], _Handler]:
    """`hook(call, before, after)` before a changed resource is kept."""
    return _marked("updating", kind)


def updated(kind: str) -> Callable[[_Handler], _Handler]:
    """`hook(call, before, after) -> Work | None` after a changed resource was kept."""
    return _marked("updated", kind)


def deleting(kind: str) -> Callable[[_Handler], _Handler]:
    """`hook(call, resource) -> Work | None` before a resource is forgotten; when there is work, it is forgotten behind it."""
    return _marked("deleting", kind)


def showing(kind: str) -> Callable[[_Handler], _Handler]:
    """`hook(call, resource)` on the copy that a get or list shows: what is computed when asked, what only a full view shows."""
    return _marked("showing", kind)


class Service:
    """One service. Subclasses set the class attributes and mark methods with the decorators of this module.

    Args:
        cloud: What the services of one sandbox share.
    """

    #: `secretmanager.googleapis.com`
    host: ClassVar[str]
    #: `Secret Manager API`, as errors name it.
    title: ClassVar[str]
    #: Its generated clients: `("google.cloud.secretmanager_v1:SecretManagerServiceClient",)`.
    clients: ClassVar[tuple[str, ...]] = ()
    #: The discovery document that has the HTTP rules which the clients lack: `("iam", "v1")`.
    discovery: ClassVar[tuple[str, str] | None] = None
    #: The RPC behind a discovery method where their names do not tell.
    discovered: ClassVar[Mapping[str, str]] = {}
    #: The kinds of resources that the generic engine keeps; a standard method on any other is refused by name.
    keeps: ClassVar[frozenset[str]] = frozenset()
    #: Standard methods on these kinds that are refused all the same.
    refuses: ClassVar[frozenset[str]] = frozenset()
    #: Whether names hold the project's number instead of its id.
    numbered: ClassVar[bool] = False
    #: What its permissions start with; the first label of the host when empty.
    prefix: ClassVar[str] = ""
    #: The permission of a method whose name does not follow from its rule; empty for none.
    permissions: ClassVar[Mapping[str, str]] = {}
    #: Whether it is called without being enabled.
    always_enabled: ClassVar[bool] = False
    _hooks: ClassVar[dict[tuple[str, str], str]] = {}

    def __init_subclass__(cls) -> None:
        cls._hooks = dict(cls._hooks)
        for name, value in vars(cls).items():
            for mark in getattr(value, _MARK, ()):
                cls._hooks[mark.moment, mark.name] = name

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def hook(self, moment: str, name: str) -> Callable[..., Any] | None:
        """Return the method that is marked for a moment and a kind or an RPC."""
        found = self._hooks.get((moment, name))
        return getattr(self, found) if found else None

    @cached_property
    def rpcs(self) -> dict[str, Rpc]:
        """The RPCs that the service's clients know, by path."""
        found: dict[str, Rpc] = {}
        for module, client in self._client_classes():
            found.update({one.path: one for one in apis.rpcs_of(getattr(import_module(module), client))})
        if self.discovery:
            from ragonotebooks.sandbox.gcp import discovery

            rules = discovery.rules(*self.discovery, tuple(found.values()), self.discovered)
            found = {path: one if one.rules else discovery.ruled(one, rules) for path, one in found.items()}
        return found

    @cached_property
    def standards(self) -> dict[str, Standard]:
        """The standard methods among them, by path."""
        by_api: dict[str, list[Rpc]] = {}
        for path, one in self.rpcs.items():
            by_api.setdefault(path.rpartition("/")[0], []).append(one)
        return {path: one for rpcs in by_api.values() for path, one in standards(rpcs).items()}

    @cached_property
    def behaviours(self) -> dict[str, dict[str, frozenset[str]]]:
        """What each field of each message may do."""
        found: dict[str, dict[str, frozenset[str]]] = {}
        for package in {module.partition(".services.")[0] for module, _ in self._client_classes()}:
            found.update(apis.behaviour(package))
        return found

    def _client_classes(self) -> list[tuple[str, str]]:
        return [(module, client) for module, _, client in (one.partition(":") for one in self.clients)]

    def stream(self, rpc: Rpc) -> Any:
        """Return grpc's handler of a streaming RPC, None for one that is refused."""
        return None

    def answer(self, rpc: Rpc, message: Message, token: str, entry: Entry) -> Message:
        """Answer a gRPC call, and tell the ledger's entry what it was."""
        from ragonotebooks.sandbox.gcp import engine

        return engine.answer(self.cloud, self, rpc, message, token, entry)

    def http(self, request: Request, entry: Entry) -> Response:
        """Answer a REST request, and tell the ledger's entry what it was."""
        from ragonotebooks.sandbox.gcp import transcoding

        found = transcoding.find(self.rpcs.values(), request.method, request.path)
        if found is None:
            raise ApiError(
                "UNIMPLEMENTED",
                f"{self.host} {request.method} {request.path} is not supported by the sandbox",
                "UNSUPPORTED_BY_SANDBOX",
                "ragonotebooks",
            )
        rpc, rule, bound = found
        message = transcoding.message_of(request, rpc, rule, bound)
        return transcoding.response_of(self.answer(rpc, message, request.token, entry), request)

    def error_body(self, error: ApiError) -> dict[str, Any]:
        """The JSON of an error."""
        return error.body()

    def permission(self, method: Method, path: str, action: str) -> str:
        """Return the permission that a method needs: `secretmanager.secrets.create`; empty for none.

        Args:
            method: The RPC, or method of a discovery document.
            path: What it is about.
            action: `create`, or a custom verb.
        """
        if method.name in self.permissions:
            return self.permissions[method.name]
        parts = path.split("/")
        collection = parts[-1] if len(parts) % 2 else parts[-2]
        return f"{self.prefix or self.host.partition('.')[0]}.{collection}.{action}"
