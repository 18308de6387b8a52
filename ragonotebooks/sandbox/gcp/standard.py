"""Which RPCs are standard methods (AIP-131 to 135), and of what: read off their names and types."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ragonotebooks.sandbox.gcp.apis import Rpc, is_map, is_repeated

_NAME = re.compile(r"(Get|List|Create|Update|Delete)([A-Z]\w*)")


@dataclass(frozen=True)
class Standard:
    """A standard method.

    Attributes:
        verb: `get`, `list`, `create`, `update` or `delete`.
        kind: The resource's type: `Secret`.
        field: The request's field that holds the resource (create, update), or the answer's that holds the list.
        id_field: The request's field with the id of what is created; empty when there is none.
        resource: The resource's type in full.
    """

    verb: str
    kind: str
    field: str = ""
    id_field: str = ""
    resource: Descriptor | None = None


def standards(rpcs: Iterable[Rpc]) -> dict[str, Standard]:
    """Return the standard methods among the RPCs of one client, by path."""
    found: dict[str, Standard] = {}
    nouns: dict[str, Descriptor] = {}
    for rpc, verb, noun in _named(rpcs):
        if verb != "Delete" and (standard := _standard(rpc, verb, noun)):
            found[rpc.path] = standard
            if standard.resource is not None and verb != "List":
                nouns[noun] = standard.resource
    for rpc, verb, noun in _named(rpcs):
        if verb == "Delete" and noun in nouns:
            found[rpc.path] = Standard("delete", nouns[noun].name, resource=nouns[noun])
    return found


def _named(rpcs: Iterable[Rpc]) -> Iterator[tuple[Rpc, str, str]]:
    for rpc in rpcs:
        name = _NAME.fullmatch(rpc.name)
        if (
            name
            and not rpc.streams
            and not rpc.path.startswith(("/google.longrunning", "/google.iam.v1.", "/google.cloud.location"))
        ):
            yield rpc, name[1], name[2]


def _standard(rpc: Rpc, verb: str, noun: str) -> Standard | None:
    made = rpc.made.DESCRIPTOR
    if verb == "List":
        lists = [field for field in made.fields if is_repeated(field) and field.message_type and not is_map(field)]
        return (
            Standard("list", lists[0].message_type.name, lists[0].name, resource=lists[0].message_type)
            if lists
            else None
        )
    if verb == "Get":
        return Standard("get", made.name, resource=made) if made.full_name != "google.iam.v1.Policy" else None
    body = next(
        (one for one in rpc.request.DESCRIPTOR.fields if one.message_type is made and not is_repeated(one)), None
    )
    if body is None:
        return None
    return Standard(verb.lower(), made.name, body.name, _id_field(rpc.request.DESCRIPTOR, body), made)


def _id_field(request: Descriptor, body: FieldDescriptor) -> str:
    names = [field.name for field in request.fields if field.name.endswith("_id") and field.name != "request_id"]
    wanted = f"{body.name}_id"
    return wanted if wanted in names else names[0] if len(names) == 1 else ""
