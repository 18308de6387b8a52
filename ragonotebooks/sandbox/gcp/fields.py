"""Reading and writing parts of messages by name: dotted paths, field masks, and what a caller may set."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp.apis import is_map, is_repeated
from ragonotebooks.sandbox.gcp.errors import invalid, unsupported

Behaviours = Mapping[str, Mapping[str, frozenset[str]]]


def find_field(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    """Return a message's field by its proto or JSON name; the packages write `type` as `type_`."""
    by_name = descriptor.fields_by_name
    found: FieldDescriptor | None = (
        by_name.get(name) or by_name.get(f"{name}_") or descriptor.fields_by_camelcase_name.get(name)
    )
    return found


def has_field(message: Message, name: str) -> bool:
    """Whether messages of this type have such a field."""
    return name in message.DESCRIPTOR.fields_by_name


def value_at(message: Message, path: str) -> Any:
    """Return the value at a dotted path, the empty string where the path leads nowhere."""
    value: Any = message
    for part in path.split("."):
        field = find_field(value.DESCRIPTOR, part) if isinstance(value, Message) else None
        if field is None:
            return ""
        value = getattr(value, field.name)
    return value


def set_at(message: Message, path: str, value: Any) -> None:
    """Set the plain value at a dotted path."""
    *parents, last = path.split(".")
    for part in parents:
        message = getattr(message, part)
    setattr(message, last, value)


def is_empty(message: Message, field: FieldDescriptor) -> bool:
    """Whether a field has no value, or its type's default."""
    if is_repeated(field):
        return len(getattr(message, field.name)) == 0
    return not message.HasField(field.name) if field.has_presence else not getattr(message, field.name)


def refuse(message: Message, names: Iterable[str]) -> None:
    """Refuse fields that a message sets.

    Raises:
        ApiError: UNIMPLEMENTED, for the first of them.
    """
    for name in names:
        if not is_empty(message, message.DESCRIPTOR.fields_by_name[name]):
            raise unsupported(f"{name} of a {message.DESCRIPTOR.name}")


def copy_of(message: Message) -> Any:
    """A message of its own with the same content."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def require(message: Message, behaviours: Behaviours, path: str = "") -> Iterator[str]:
    """Yield the paths of required fields that a message leaves empty, its messages looked into."""
    said = behaviours.get(message.DESCRIPTOR.full_name, {})
    for field in message.DESCRIPTOR.fields:
        here = f"{path}{field.name.rstrip('_')}"
        if is_empty(message, field):
            if "Required" in said.get(field.name, ()):
                yield here
        elif field.message_type is not None and not is_repeated(field):
            yield from require(getattr(message, field.name), behaviours, f"{here}.")


def drop_outputs(message: Message, behaviours: Behaviours) -> None:
    """Clear what only the service sets: a caller's word on it is ignored."""
    said = behaviours.get(message.DESCRIPTOR.full_name, {})
    for field, value in message.ListFields():
        if "Output only" in said.get(field.name, ()):
            message.ClearField(field.name)
        elif field.message_type is not None and not is_map(field):
            for one in value if is_repeated(field) else (value,):
                drop_outputs(one, behaviours)


def with_behaviour(message: Message, behaviours: Behaviours, word: str) -> Iterator[FieldDescriptor]:
    """Yield the fields of a message itself that are described by `word`: `Immutable`."""
    said = behaviours.get(message.DESCRIPTOR.full_name, {})
    for field in message.DESCRIPTOR.fields:
        if word in said.get(field.name, ()):
            yield field


def merge(target: Message, source: Message, paths: Iterable[str]) -> None:
    """Replace what the paths of a field mask name by what `source` has there (AIP-134). `*` means the whole.

    Raises:
        ApiError: A path leads nowhere.
    """
    for path in paths:
        if path == "*":
            target.CopyFrom(source)
        else:
            _merge(target, source, path.split("."), path)


def _merge(target: Message, source: Message, parts: list[str], path: str) -> None:
    field = find_field(target.DESCRIPTOR, parts[0])
    if field is None:
        problem = f"{target.DESCRIPTOR.name} has no field {parts[0]}"
        raise invalid(f"The field mask's path {path} is wrong: {problem}.", {"update_mask": problem})
    if len(parts) > 1 and is_map(field):
        _merge_key(getattr(target, field.name), getattr(source, field.name), ".".join(parts[1:]).strip('`"'))
    elif len(parts) > 1 and field.message_type is not None and not is_repeated(field):
        _merge(getattr(target, field.name), getattr(source, field.name), parts[1:], path)
    elif len(parts) > 1:
        raise invalid(f"The field mask's path {path} is wrong: {field.name} has no fields.", {"update_mask": path})
    else:
        replace(target, source, field)


def _merge_key(target: Any, source: Any, key: str) -> None:
    target.pop(key, None)
    if key in source:
        if isinstance(source[key], Message):
            target[key].CopyFrom(source[key])
        else:
            target[key] = source[key]


def replace(target: Message, source: Message, field: FieldDescriptor) -> None:
    """Let a field of `target` be as it is in `source`."""
    target.ClearField(field.name)
    if not is_empty(source, field):
        part = type(source)()
        value = getattr(source, field.name)
        if is_map(field):
            for key in value:
                _merge_key(getattr(part, field.name), value, key)
        elif is_repeated(field):
            getattr(part, field.name).extend(value)
        elif field.message_type is not None:
            getattr(part, field.name).CopyFrom(value)
        else:
            setattr(part, field.name, value)
        target.MergeFrom(part)


def set_paths(message: Message) -> list[str]:
    """The paths of the top-level fields that are set: the mask of an update that brings none."""
    return [field.name for field, _ in message.ListFields()]
