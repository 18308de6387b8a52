"""The generic engine: one call from its token to its answer. gRPC and REST are two fronts of it (AIP-121 to 158)."""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from google.longrunning import operations_pb2
from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp import generic, mixins
from ragonotebooks.sandbox.gcp.access import admit, authenticate, meet_faults
from ragonotebooks.sandbox.gcp.apis import Rpc, is_operation
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported
from ragonotebooks.sandbox.gcp.fields import has_field, require, set_at, value_at
from ragonotebooks.sandbox.gcp.policies import Answer, answers
from ragonotebooks.sandbox.gcp.service import Call, Service, Work
from ragonotebooks.sandbox.ledger import Call as Entry
from ragonotebooks.sandbox.ledger import Need

_READS: Final = re.compile(
    r"(?i)(Get|List|Test|Search|Query|Lookup|Access|Fetch|Batch[Gg]et|Check|Generate|Sign|Tail|Read|Wait|Aggregate|Export|Pull)"
)
_OPERATION: Final = re.compile(r"(Get|List|Delete|Cancel|Wait)Operations?")
_ASKS: Final = re.compile(r"(?i)testIamPermissions$")  # what one may, without need of it
_PLACE: Final = re.compile(r"projects/[^/]+/locations/[^/]+")


def answer(cloud: Cloud, service: Service, method: Rpc, message: Message, token: str, entry: Entry) -> Message:
    """Answer one RPC and tell the ledger's entry what it was.

    Raises:
        ApiError: What is answered instead.
    """
    entry.service, entry.action = service.host, method.name
    entry.mutating = not is_reading(method.name)
    with cloud.context.lock:
        caller = authenticate(cloud, token)
        entry.caller = caller.email
        path = _path(cloud, service, method, message)
        entry.resource = path or "*"
        meet_faults(cloud, entry)
        call = Call(cloud, service, method, message, path, caller)
        handler = _handler(call)
        admit(call, _action(call))
        _check(call)
        return handler(call)


def _path(cloud: Cloud, service: Service, method: Rpc, message: Message) -> str:
    """What a request is about, its names in the service's own form."""
    names = {name for rule in method.rules for name in rule.fields} | {"name", "parent", "resource"}
    for name in names:
        text = value_at(message, name)
        if isinstance(text, str) and text.startswith("projects/"):
            canonical = cloud.project.canonical(text, numbered=service.numbered)
            if canonical != text:
                set_at(message, name, canonical)
    for rule in method.rules:
        if (path := rule.expand(lambda name: str(value_at(message, name)))) is not None:
            return path
    if method.rules:
        name = method.rules[0].fields[-1] if method.rules[0].fields else "name"
        text = value_at(message, name)
        problem = f"The field {name} of {method.name} is {text!r}; it has the form {method.rules[0].template}."
        raise invalid(problem, {name: "required" if not text else "malformed"})
    return str(value_at(message, "name") or value_at(message, "parent") or value_at(message, "resource"))


def _handler(call: Call) -> Callable[[Call], Message]:
    """Return what answers a call.

    Raises:
        ApiError: Nothing does.
    """
    service, method = call.service, call.method
    if own := service.hook("rpc", method.name):
        return lambda call: _told(call, own(call))
    if mixed := mixins.handler(method.path):
        return mixed
    standard = service.standards.get(method.path)
    if standard is not None and standard.kind in service.keeps and method.name not in service.refuses:
        return lambda call: _told(call, generic.HANDLERS[standard.verb](call, standard))
    raise unsupported(f"{service.host} {method.name}")


def _action(call: Call) -> str:
    """The last word of a permission."""
    standard = call.service.standards.get(call.method.path)
    if standard is not None:
        return standard.verb
    if found := _OPERATION.fullmatch(call.method.name):
        return "get" if found[1] == "Wait" else str(found[1]).lower()
    actions = [rule.action for rule in call.method.rules if rule.action]
    return str(actions[0] if actions else call.method.name[0].lower() + call.method.name[1:])


def _check(call: Call) -> None:
    missing = [path for path in require(call.message, call.service.behaviours) if _is_asked_for(call, path)]
    if missing:
        text = f"The request {call.method.name} lacks {', '.join(missing)}."
        raise invalid(text, dict.fromkeys(missing, "required"))


def _is_asked_for(call: Call, path: str) -> bool:
    """Whether a required field must be in a request: an update need not bring what its mask leaves out (AIP-203)."""
    standard = call.service.standards.get(call.method.path)
    if standard is None or standard.verb != "update" or not path.startswith(f"{standard.field}."):
        return True
    mask = list(call.message.update_mask.paths) if has_field(call.message, "update_mask") else []
    inner = f"{path.removeprefix(f'{standard.field}.')}."
    return not mask or any(one == "*" or inner.startswith(f"{one}.") for one in mask)


def _told(call: Call, found: Any) -> Message:
    """Turn what a handler returned into the RPC's answer: itself, or the operation that ends with it."""
    resource, work = found if isinstance(found, tuple) else (found, None)
    method = call.method
    if isinstance(resource, method.response):
        return resource
    if is_operation(method.response):
        return operation_of(call, resource, work)
    if resource is None:
        empty: Message = method.response()
        return empty
    raise TypeError(f"{method.name} gave a {type(resource).__name__} instead of a {method.response.__name__}")


def operation_of(call: Call, resource: Message | None, work: Work | None) -> operations_pb2.Operation:
    """Start the operation of a long-running call, in the place of its resource."""
    place = _PLACE.match(getattr(resource, "name", "") or call.path)
    return call.cloud.operations.start(call, resource, work, place[0] if place else "")


def is_reading(name: str) -> bool:
    """Whether a method, by its name, changes nothing."""
    return _READS.match(name) is not None


def write_down(cloud: Cloud, entry: Entry, problem: ApiError | None, status: int, started: float) -> None:
    """Complete a ledger's entry and write it down, there and in the audit logs."""
    reads, asked = not entry.mutating, answers.get() or []
    answers.set(None)
    entry.status, entry.error = status, problem.code if problem else None
    entry.mutating = entry.mutating and status < 400
    entry.needs = [] if _ASKS.search(entry.action) else _needs(entry.caller, asked)
    cloud.context.ledger.write(entry, started)
    with cloud.context.lock:
        cloud.audit.record(entry, asked, reads=reads)


def _needs(caller: str, asked: Iterable[Answer]) -> list[Need]:
    """What the caller was asked for and had by a role in the project, each once."""
    own = (one for one in asked if one.by_project and one.caller and one.caller.email == caller)
    return [Need(permission, name, {}) for permission, name in dict.fromkeys((one.permission, one.name) for one in own)]


def now() -> float:
    """The clock by which calls are timed."""
    return time.perf_counter()
