"""Services without protobuf types: driven by a discovery document, their resources are JSON.

Standard are `get`, `list`, `insert`/`create`, `patch`, `update` and `delete` on the collections in `keeps`.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.gcp import discovery, filters
from ragonotebooks.sandbox.gcp.access import admit, authenticate, meet_faults
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.discovery import DiscoveryMethod
from ragonotebooks.sandbox.gcp.engine import is_reading
from ragonotebooks.sandbox.gcp.errors import ApiError, already_exists, invalid, not_found, problem_of, unsupported
from ragonotebooks.sandbox.gcp.http_front import Request, Response, json_response
from ragonotebooks.sandbox.gcp.service import Call, Method, Service, Work
from ragonotebooks.sandbox.ledger import Call as Entry

Json = dict[str, Any]

_ACTIONS: Final = {"insert": "create", "patch": "update", "aggregatedList": "list"}
_PAGE: Final = 500
_PATIENCE: Final = 20.0  # seconds for which a poll waits for an operation


class JsonService(Service):
    """A service that a discovery document describes. Subclasses set `api`, and `keeps` to names of collections."""

    #: The discovery document: `("compute", "v1")`.
    api: ClassVar[tuple[str, str]]

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.operations = JsonOperations(cloud.context)

    def http(self, request: Request, entry: Entry) -> Response:
        """Answer a request by the method that the discovery document has for it."""
        method, bound = self._find(request)
        parameters = {**dict(request.query), **{name: unquote(value) for name, value in bound.items()}}
        body = request.json() if method.request else {}
        entry.service, entry.action, entry.mutating = self.host, method.name, not is_reading(method.verb)
        with self.cloud.context.lock:
            caller = authenticate(self.cloud, request.token)
            entry.caller = caller.email
            path = self.cloud.project.canonical(
                method.rule.expand(lambda name: parameters.get(name, "")) or "", numbered=self.numbered
            )
            entry.resource = path
            meet_faults(self.cloud, entry)
            call = Call(self.cloud, self, method, parameters, path, caller, body)
            handler = self._handler(call)
            admit(call, _ACTIONS.get(method.verb, method.verb))
            return json_response(self._told(call, handler(call)))

    @cached_property
    def _methods(self) -> list[DiscoveryMethod]:
        """The API's methods; `…/backendServices/listUsable` comes before the service of that name, `…/topics/t:publish` before
        the topic.
        """
        return sorted(
            discovery.methods(*self.api), key=lambda method: (len(method.rule.fields), not method.rule.action)
        )

    def _find(self, request: Request) -> tuple[DiscoveryMethod, dict[str, str]]:
        for method in self._methods:
            if (bound := method.rule.match(request.method, request.path)) is not None:
                return method, bound
        raise unsupported(f"{self.host} {request.method} {request.path}")

    def _handler(self, call: Call) -> Callable[[Call], Any]:
        method: DiscoveryMethod = call.method
        if own := self.hook("rpc", method.name):
            return own
        handler = _STANDARD.get(method.verb)
        if handler is None or method.collection not in self.keeps or method.name in self.refuses:
            raise unsupported(f"{self.host} {method.name}")
        return handler

    def _told(self, call: Call, found: Any) -> Json:
        resource, work = found if isinstance(found, tuple) else (found, None)
        if call.method.response == "Operation" and "operation" not in call.method.collection.lower():
            return self.operations.start(self, call, resource or {}, work)
        told: Json = resource or {}
        return told

    def permission(self, method: Method, path: str, action: str) -> str:
        """Return `<prefix>.<collection>.<verb>`."""
        if method.name in self.permissions:
            return self.permissions[method.name]
        collection = method.name.split(".")[-2]
        return f"{self.prefix or self.host.partition('.')[0]}.{collection}.{action}"

    def shape(self, call: Call, operation: Json, target: Json) -> None:
        """Fill in what the service's own form of an operation holds; the default is google.longrunning's."""
        operation["metadata"] = {"target": target.get("name", call.path), "createTime": operation.pop("startTime")}

    def finish(self, operation: Json, target: Json, error: ApiError | None) -> None:
        """Mark an operation as done in the service's own form."""
        operation["done"] = True
        if error is None:
            operation["response"] = target
        else:
            operation["error"] = {"code": error.http, "message": error.message}

    def error_body(self, error: ApiError) -> Json:
        """As the older APIs tell errors, with a list of them."""
        return error.with_list()


class JsonOperations:
    """The operations of one service, by id."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._all: dict[str, Json] = {}

    def start(self, service: JsonService, call: Call, target: Json, work: Work | None) -> Json:
        """Return a new operation, done at once when there is no work."""
        name = f"operation-{uuid.uuid4()}"
        operation: Json = {"name": name, "startTime": now()}
        service.shape(call, operation, target)
        self._all[name] = operation
        if work is None:
            service.finish(operation, target, None)
        else:
            self._context.workers.submit(self._run, service, operation, target, work)
        return dict(operation)

    def get(self, name: str) -> Json:
        """Return an operation by the last segment of its name, done if that comes to be in a little while."""
        operation = self._all.get(name.rpartition("/")[2])
        if operation is None:
            raise not_found(f"The operation {name}")
        self._context.wait_until(lambda: is_done(operation), _PATIENCE)
        return dict(operation)

    def all(self) -> list[Json]:
        """All operations, the latest first."""
        return [dict(one) for one in reversed(self._all.values())]

    def _run(self, service: JsonService, operation: Json, target: Json, work: Work) -> None:
        problem = problem_of(work, operation["name"])
        with self._context.lock:
            service.finish(operation, target, problem)
            self._context.changed.notify_all()


def is_done(operation: Mapping[str, Any]) -> bool:
    """Whether an operation has ended, in either form."""
    return bool(operation.get("done")) or operation.get("status") == "DONE"


def now() -> str:
    """The time as JSON has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _get(call: Call) -> Any:
    return _shown(call, call.cloud.store.get(call.service.host, call.path))


def _list(call: Call) -> Any:
    parent = call.path.rpartition("/")[0]
    if parent.split("/")[-2] in call.service.keeps:
        call.cloud.store.get(call.service.host, parent)
    shown = [_shown(call, entry.resource) for entry in call.cloud.store.children(call.service.host, call.path)]
    return page(call, shown)


def refuse_unknown(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse fields that the sandbox does not know, `filter of a Subscription`; an ApiError names the first."""
    if unknown := sorted(set(given) - set(known)):
        raise unsupported(f"{unknown[0]} of a {kind}")


def page(call: Call, found: list[Json], field: str = "items") -> Json:
    """Filter and cut a list as the parameters `filter`, `maxResults` or `pageSize`, and `pageToken` say."""
    matches = filters.compiled(call.message.get("filter", ""))
    found = [one for one in found if matches(one)]
    start = int(call.message.get("pageToken") or 0)
    size = int(call.message.get("maxResults") or call.message.get("pageSize") or _PAGE)
    answer: Json = {field: found[start : start + size]}
    if start + size < len(found):
        answer["nextPageToken"] = str(start + size)
    return answer


def _create(call: Call) -> Any:
    told = call.body.get("name", "")
    if not isinstance(told, str):
        raise invalid(f"Invalid value for field 'resource.name': {told!r} is no text.", {"resource.name": "no text"})
    if not (name := told.rpartition("/")[2]):
        raise invalid("Required field 'resource.name' not specified.", {"name": "required"})
    path = f"{call.path}/{name}"
    if call.cloud.store.find(call.service.host, path) is not None:
        raise already_exists(f"The resource '{path}'")
    return make(call, path, dict(call.body))


def make(call: Call, path: str, resource: Json) -> tuple[Json, Work | None]:
    """Keep a new resource under a name, its hooks called."""
    collection = call.method.collection
    if hook := call.service.hook("creating", collection):
        hook(call, resource)
    call.cloud.store.put(call.service.host, path, resource)
    hook = call.service.hook("created", collection)
    return resource, hook(call, resource) if hook else None


def _patch(call: Call) -> Any:
    before: Json = call.cloud.store.get(call.service.host, call.path)
    return keep(call, before, {**_merged(before, call.body), **_fixed(before)})


def _update(call: Call) -> Any:
    before: Json = call.cloud.store.get(call.service.host, call.path)
    return keep(call, before, {**call.body, **_fixed(before)})


def _fixed(before: Json) -> Json:
    """What no change changes: clients send back what they have read."""
    return {key: before[key] for key in ("kind", "id", "selfLink", "creationTimestamp", "name") if key in before}


def keep(call: Call, before: Json, after: Json) -> tuple[Json, Work | None]:
    """Keep a changed resource, its hooks called."""
    collection = call.method.collection
    if hook := call.service.hook("updating", collection):
        hook(call, before, after)
    call.cloud.store.put(call.service.host, call.path, after)
    hook = call.service.hook("updated", collection)
    return after, hook(call, before, after) if hook else None


def _delete(call: Call) -> Any:
    resource = call.cloud.store.get(call.service.host, call.path)
    hook = call.service.hook("deleting", call.method.collection)
    work: Work | None = hook(call, resource) if hook else None
    if work is None:
        call.cloud.store.delete(call.service.host, call.path)
        return resource, None

    def finish() -> None:
        work()
        with call.cloud.context.lock:
            call.cloud.store.delete(call.service.host, call.path)

    return resource, finish


def _shown(call: Call, resource: Json) -> Json:
    copy = dict(resource)
    if hook := call.service.hook("showing", call.method.collection):
        hook(call, copy)
    return copy


def _merged(before: Any, change: Any) -> Any:
    """JSON merge patch (RFC 7396), which is what PATCH means in these APIs."""
    if not isinstance(change, dict) or not isinstance(before, dict):
        return change
    merged = dict(before)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(before.get(key), value)
    return merged


_STANDARD: Final[Mapping[str, Callable[[Call], Any]]] = {
    "get": _get,
    "list": _list,
    "insert": _create,
    "create": _create,
    "patch": _patch,
    "update": _update,
    "delete": _delete,
}
