"""Filters of list methods: the subset of AIP-160 that clients write, over messages and over plain JSON alike.

Understood: AND (also by juxtaposition), OR, NOT and `-`, parentheses, `= != < <= > >= :`, dotted fields, map keys, `*` for presence
and at the ends of a word, quoted words, times, numbers, booleans and enum names. A function call is refused by name.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ragonotebooks.sandbox.gcp.apis import is_map, is_repeated
from ragonotebooks.sandbox.gcp.errors import invalid
from ragonotebooks.sandbox.gcp.fields import find_field

Matches = Callable[[Any], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<sign>!=|<=|>=|=~|!~|[=<>:()]|-(?=[\w("]))|(?P<word>[^\s()=<>!:"']+))"""
)
_COMPARE: Final = frozenset(("=", "!=", "<", "<=", ">", ">=", ":", "=~", "!~"))


@lru_cache(maxsize=256)
def compiled(text: str) -> Matches:
    """Return what tells whether a message or a JSON object matches a filter; the empty filter matches all.

    Raises:
        ApiError: The filter cannot be read.
    """
    if not text.strip():
        return lambda item: True
    tokens = _tokens(text)
    matches, rest = _any(tokens, 0, text)
    if rest != len(tokens):
        raise _wrong(text, f"there is more than expected at {tokens[rest][1]!r}")
    return matches


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        token = _TOKEN.match(text, at)
        if token is None:
            raise _wrong(text, f"at {text[at : at + 20]!r}")
        value = token[token.lastgroup or 0]
        found.append((token.lastgroup or "", re.sub(r"\\(.)", r"\1", value[1:-1]) if token["quoted"] else value))
        at = token.end()
    return found


def _wrong(text: str, problem: str) -> Exception:
    return invalid(f"The filter {text!r} cannot be read: {problem}.", {"filter": problem})


def _any(tokens: list[tuple[str, str]], at: int, text: str) -> tuple[Matches, int]:
    """One or more sequences joined by OR, which binds tighter than AND in this language."""
    matches, at = _factor(tokens, at, text)
    parts = [matches]
    while at < len(tokens) and tokens[at] != ("sign", ")"):
        if tokens[at] == ("word", "AND"):
            at += 1
        matches, at = _factor(tokens, at, text)
        parts.append(matches)
    return (lambda item: all(part(item) for part in parts)), at


def _factor(tokens: list[tuple[str, str]], at: int, text: str) -> tuple[Matches, int]:
    matches, at = _term(tokens, at, text)
    parts = [matches]
    while at < len(tokens) and tokens[at] == ("word", "OR"):
        matches, at = _term(tokens, at + 1, text)
        parts.append(matches)
    return (lambda item: any(part(item) for part in parts)), at


def _term(tokens: list[tuple[str, str]], at: int, text: str) -> tuple[Matches, int]:
    if at >= len(tokens):
        raise _wrong(text, "it ends too early")
    if tokens[at] in (("word", "NOT"), ("sign", "-")):
        inner, at = _term(tokens, at + 1, text)
        return (lambda item: not inner(item)), at
    if tokens[at] == ("sign", "("):
        inner, at = _any(tokens, at + 1, text)
        if at >= len(tokens) or tokens[at] != ("sign", ")"):
            raise _wrong(text, "a parenthesis is not closed")
        return inner, at + 1
    return _restriction(tokens, at, text)


def _restriction(tokens: list[tuple[str, str]], at: int, text: str) -> tuple[Matches, int]:
    kind, name = tokens[at]
    if kind == "sign" or (kind == "word" and name in ("AND", "OR")):
        raise _wrong(text, f"a field is expected before {name!r}")
    path = name.split(".")
    if name.endswith(".") and at + 1 < len(tokens) and tokens[at + 1][0] == "quoted":  # labels."a.b"
        path, at = [*path[:-1], tokens[at + 1][1]], at + 1
    following = tokens[at + 1] if at + 1 < len(tokens) else ("", "")
    if following == ("sign", "("):
        raise _wrong(text, f"the function {name} is not supported by the sandbox")
    if following[0] != "sign" or following[1] not in _COMPARE:
        return (lambda item: any(name.casefold() in str(value).casefold() for value in _leaves(item))), at + 1
    if at + 2 >= len(tokens):
        raise _wrong(text, f"a value is expected after {following[1]!r}")
    if tokens[at + 2] == ("sign", "("):
        return _choice(path, tokens, at, text)
    return _comparison(path, following[1], tokens[at + 2]), at + 3


def _choice(path: list[str], tokens: list[tuple[str, str]], at: int, text: str) -> tuple[Matches, int]:
    """`field=("a" OR "b")`."""
    end = next((i for i in range(at, len(tokens)) if tokens[i] == ("sign", ")")), None)
    if end is None:
        raise _wrong(text, "a parenthesis is not closed")
    values = [token for token in tokens[at + 3 : end] if token != ("word", "OR")]
    if ("word", "AND") in values or any(kind == "sign" for kind, _ in values):
        raise _wrong(text, "a list of values is joined by OR")
    parts = [_comparison(path, tokens[at + 1][1], value) for value in values]
    return (lambda item: any(part(item) for part in parts)), end + 1


def _comparison(path: list[str], sign: str, wanted: tuple[str, str]) -> Matches:
    value = wanted[1]
    if sign in ("=~", "!~"):
        pattern = re.compile(value)
        return lambda item: any(pattern.search(_text(one)) for one in values_at(item, path)) == (sign == "=~")
    if sign == "!=":
        return lambda item: not any(_compare(one, "=", value) for one in values_at(item, path))
    if value == "*" and wanted[0] == "word":
        return lambda item: any(one not in ("", None, 0, False) for one in values_at(item, path, keys=sign == ":"))
    return lambda item: any(_compare(one, sign, value) for one in values_at(item, path, keys=sign == ":"))


def values_at(item: Any, path: list[str], keys: bool = False) -> Iterator[Any]:
    """Yield the values at a path; lists on the way are looked into. At the end of a map, its keys when `keys`."""
    if not path:
        yield from _ends(item, keys)
    elif isinstance(item, Message):
        field = find_field(item.DESCRIPTOR, path[0])
        if field is not None and (is_repeated(field) or not field.has_presence or item.HasField(field.name)):
            yield from values_at(_shown(item, field), path[1:], keys)
    elif hasattr(item, "keys"):
        # a key may hold dots
        for length in range(len(path), 0, -1):
            if (key := ".".join(path[:length])) in item:
                yield from values_at(item[key], path[length:], keys)
                return
    elif hasattr(item, "__iter__") and not isinstance(item, str | bytes):
        for one in item:
            yield from values_at(one, path, keys)


def _ends(item: Any, keys: bool) -> Iterator[Any]:
    if isinstance(item, str | bytes) or not hasattr(item, "__iter__"):
        yield item
    elif not hasattr(item, "keys") or keys:
        yield from item


def _shown(item: Message, field: FieldDescriptor) -> Any:
    value = getattr(item, field.name)
    if field.enum_type is None or is_map(field):
        return value
    names = field.enum_type.values_by_number
    return [names[one].name for one in value] if is_repeated(field) else names[value].name


def _compare(actual: Any, sign: str, wanted: str) -> bool:
    left, right = _comparable(actual, wanted)
    if sign in ("=", ":"):
        if isinstance(left, str):
            folded, sought = left.casefold(), right.casefold()
            return (
                (sign == ":" and sought in folded)
                or folded == sought
                or ("*" in sought and fnmatchcase(folded, sought))
            )
        return bool(left == right)
    try:
        return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign])
    except TypeError:
        return False


def _comparable(actual: Any, wanted: str) -> tuple[Any, Any]:
    try:
        if isinstance(actual, bool):
            return actual, wanted.casefold() == "true"
        if isinstance(actual, int | float):
            return float(actual), float(wanted)
        if isinstance(actual, Timestamp):
            return actual.ToDatetime(UTC), time_of(wanted)
        if isinstance(actual, Duration):
            return actual.ToTimedelta().total_seconds(), float(wanted.rstrip("s"))
    except ValueError:
        return _text(actual), wanted
    return _text(actual), wanted


def time_of(text: str) -> datetime:
    """Read a time as clients write it, with or without a zone, `+0000` included."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _leaves(item: Any) -> Iterator[Any]:
    """All plain values in a message or JSON object: what a bare word is looked for in."""
    if isinstance(item, Message):
        for field, value in item.ListFields():
            yield from _leaves(value if field.message_type else _shown(item, field))
    elif hasattr(item, "values"):
        for value in item.values():
            yield from _leaves(value)
    elif hasattr(item, "__iter__") and not isinstance(item, str | bytes):
        for value in item:
            yield from _leaves(value)
    else:
        yield item
