"""The standard methods, for every kind of resource alike."""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ragonotebooks.sandbox.gcp import fields, filters
from ragonotebooks.sandbox.gcp.cloud import new_etag
from ragonotebooks.sandbox.gcp.errors import already_exists, changed_meanwhile, invalid
from ragonotebooks.sandbox.gcp.service import Call, Work
from ragonotebooks.sandbox.gcp.standard import Standard
from ragonotebooks.sandbox.gcp.store import Entry

#: What a standard method gives: a resource or an answer, and the work that is left to do.
Made = tuple[Message | None, Work | None]

_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000
_SNAKE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def get(call: Call, standard: Standard) -> Made:
    """AIP-131."""
    return shown(call, standard.kind, call.cloud.store.get(call.service.host, call.path)), None


def list_(call: Call, standard: Standard) -> Made:
    """AIP-132, 158, 160."""
    message = call.message
    _require_parent(call)
    found = [
        (entry, shown(call, standard.kind, entry.resource))
        for entry in call.cloud.store.children(call.service.host, call.path)
        if entry.resource.DESCRIPTOR.name == standard.kind
    ]
    page, token = paged(found, message)
    answer: Message = call.method.response()
    getattr(answer, standard.field).extend(resource for _, resource in page)
    if fields.has_field(answer, "next_page_token"):
        answer.next_page_token = token
    if fields.has_field(answer, "total_size"):
        answer.total_size = len(found)
    return answer, None


def _require_parent(call: Call) -> None:
    """Refuse to list what is in a resource that does not exist; a place, and `-` for any, are no resources."""
    parent = call.path.rpartition("/")[0]
    parts = parent.split("/")
    if len(parts) > 2 and parts[-2] != "locations" and "-" not in parts:
        call.cloud.store.get(call.service.host, parent)


def paged(found: list[tuple[Entry, Any]], message: Message) -> tuple[list[tuple[Entry, Any]], str]:
    """Filter, order and cut a list as a request's `filter`, `order_by`, `page_size` and `page_token` say.

    Returns:
        The page and the next page's token.
    """
    matches = filters.compiled(getattr(message, "filter", "") or "")
    found = [pair for pair in found if matches(pair[1])]
    order = getattr(message, "order_by", "") or ""
    for part in reversed([part.split() for part in order.split(",") if part.strip()]):
        found.sort(key=lambda pair: _sortable(pair[1], part[0]), reverse=part[1:] == ["desc"])
    size = min(getattr(message, "page_size", 0) or _PAGE, _LARGEST_PAGE)
    if size < 0:
        raise invalid(f"The page size {size} is negative.", {"page_size": "negative"})
    start = _start(getattr(message, "page_token", ""), found, bool(order))
    page = found[start : start + size]
    if start + size >= len(found):
        return page, ""
    # in the order of making, a page starts behind the last one shown, whatever was deleted meanwhile
    place = start + size if order else page[-1][0].rank
    return page, base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _start(token: str, found: list[tuple[Entry, Any]], ordered: bool) -> int:
    if not token:
        return 0
    try:
        place = int(json.loads(base64.urlsafe_b64decode(token)))
    except (binascii.Error, ValueError, TypeError):
        raise invalid("The page token is not one of this list.", {"page_token": "invalid"}) from None
    return place if ordered else next((i for i, (entry, _) in enumerate(found) if entry.rank > place), len(found))


def _sortable(item: Any, path: str) -> tuple[bool, Any]:
    value = next(filters.values_at(item, path.split(".")), None)
    if isinstance(value, Timestamp):
        value = value.ToNanoseconds()
    return (value is not None, value if value is not None else 0)


def create(call: Call, standard: Standard) -> Made:
    """AIP-133."""
    message, service, store = call.message, call.service, call.cloud.store
    resource = fields.copy_of(getattr(message, standard.field))
    name = f"{call.path}/{_new_id(call, standard, resource)}"
    fields.drop_outputs(resource, service.behaviours)
    if store.find(service.host, name) is not None:
        raise already_exists(name)
    return make(call, standard.kind, resource, name)


def make(call: Call, kind: str, resource: Message, name: str) -> Made:
    """Keep a new resource under a name, with what every resource has."""
    if fields.has_field(resource, "name"):
        resource.name = name
    for field in ("create_time", "update_time"):
        _stamp(resource, field)
    if fields.has_field(resource, "uid"):
        resource.uid = str(uuid.uuid4())
    _new_etag(resource)
    if hook := call.service.hook("creating", kind):
        hook(call, resource)
    if _is_rehearsal(call):
        return resource, None
    call.cloud.store.put(call.service.host, name, resource)
    hook = call.service.hook("created", kind)
    work: Work | None = hook(call, resource) if hook else None
    return shown(call, kind, resource), work


def update(call: Call, standard: Standard) -> Made:
    """AIP-134."""
    message, service, store = call.message, call.service, call.cloud.store
    change = getattr(message, standard.field)
    before = store.find(service.host, call.path)
    if before is None and getattr(message, "allow_missing", False):
        resource = fields.copy_of(change)
        fields.drop_outputs(resource, service.behaviours)
        return make(call, standard.kind, resource, call.path)
    before = store.get(service.host, call.path)
    _check_etag(before, change, call.path)
    change = fields.copy_of(change)
    fields.drop_outputs(change, service.behaviours)
    mask = list(message.update_mask.paths) if fields.has_field(message, "update_mask") else []
    after = fields.copy_of(before)
    fields.merge(after, change, _writable(call, before, change, mask))
    return keep(call, standard.kind, before, after)


def keep(call: Call, kind: str, before: Message, after: Message) -> Made:
    """Keep a changed resource."""
    _stamp(after, "update_time")
    _new_etag(after)
    if hook := call.service.hook("updating", kind):
        hook(call, before, after)
    if _is_rehearsal(call):
        return after, None
    call.cloud.store.put(call.service.host, call.path, after)
    hook = call.service.hook("updated", kind)
    work: Work | None = hook(call, before, after) if hook else None
    return shown(call, kind, after), work


def delete(call: Call, standard: Standard) -> Made:
    """AIP-135."""
    message, service, store = call.message, call.service, call.cloud.store
    resource = store.find(service.host, call.path)
    if resource is None and getattr(message, "allow_missing", False):
        return None, None
    resource = store.get(service.host, call.path)
    _check_etag(resource, message, call.path)
    if _is_rehearsal(call):
        return resource, None
    hook = service.hook("deleting", standard.kind)
    work: Work | None = hook(call, resource) if hook else None
    if work is None:
        _forget(call)
        return _gone(call, resource), None

    def finish() -> None:
        work()
        with call.cloud.context.lock:
            _forget(call)

    return _gone(call, resource), finish


def _gone(call: Call, resource: Message) -> Message | None:
    """What the deletion's answer holds: the resource where the RPC says so, else nothing."""
    return resource if issubclass(call.method.made, type(resource)) else None


def _forget(call: Call) -> None:
    call.cloud.store.delete(call.service.host, call.path)
    call.cloud.policies.forget(call.service.host, call.cloud.project.canonical(call.path, numbered=False))


def shown(call: Call, kind: str, resource: Any) -> Any:
    """A copy of a resource as it is shown now."""
    copy = fields.copy_of(resource)
    if hook := call.service.hook("showing", kind):
        hook(call, copy)
    return copy


def _new_id(call: Call, standard: Standard, resource: Any) -> str:
    """The id that the request names (AIP-133), or one of the service's own."""
    chosen = getattr(call.message, standard.id_field) if standard.id_field else ""
    chosen = chosen or (getattr(resource, "name", "").rpartition("/")[2])
    if "/" in chosen or chosen != chosen.strip():
        raise invalid(f"The id {chosen!r} cannot be used.", {standard.id_field: "malformed"})
    if (
        not chosen
        and standard.id_field
        and "Required" in call.service.behaviours.get(call.message.DESCRIPTOR.full_name, {}).get(standard.id_field, ())
    ):
        raise invalid(f"The request {call.method.name} lacks {standard.id_field}.", {standard.id_field: "required"})
    return chosen or f"{_SNAKE.sub('-', standard.kind).lower()}-{uuid.uuid4().hex[:12]}"


def _writable(call: Call, before: Message, change: Message, mask: list[str]) -> list[str]:
    """The paths of an update that may be written.

    Raises:
        ApiError: The update changes what cannot be changed.
    """
    behaviours = call.service.behaviours
    fixed = {
        field.name: field
        for word in ("Immutable", "Identifier")
        for field in fields.with_behaviour(before, behaviours, word)
    }
    outputs = {field.name for field in fields.with_behaviour(before, behaviours, "Output only")}
    paths = mask or fields.set_paths(change)
    if "*" in paths:
        paths = [field.name for field in before.DESCRIPTOR.fields]
    kept = []
    for path in paths:
        field = fields.find_field(before.DESCRIPTOR, path.split(".")[0])
        name = field.name if field is not None else path
        if (
            name in fixed
            and mask
            and not fields.is_empty(change, fixed[name])
            and getattr(before, name) != getattr(change, name)
        ):
            raise invalid(
                f"The field {path} of {call.path} cannot be changed.", {"update_mask": f"{path} is immutable"}
            )
        if name not in fixed and name not in outputs and name not in ("name", "etag"):
            kept.append(path)
    return kept


def _check_etag(resource: Any, message: Any, name: str) -> None:
    etag = getattr(message, "etag", "")
    if etag and getattr(resource, "etag", "") and etag != resource.etag:
        raise changed_meanwhile(name)


def _stamp(resource: Message, name: str) -> None:
    if fields.has_field(resource, name) and resource.DESCRIPTOR.fields_by_name[name].message_type is not None:
        getattr(resource, name).GetCurrentTime()


def _new_etag(resource: Any) -> None:
    if fields.has_field(resource, "etag"):
        resource.etag = new_etag() if isinstance(resource.etag, str) else new_etag().encode()


def _is_rehearsal(call: Call) -> bool:
    return bool(getattr(call.message, "validate_only", False))


HANDLERS: Final[dict[str, Callable[[Call, Standard], Made]]] = {
    "get": get,
    "list": list_,
    "create": create,
    "update": update,
    "delete": delete,
}
