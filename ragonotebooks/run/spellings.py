"""A secret as it can stand in a text: plain, escaped, as base64, in a URL."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus

from ragonotebooks.lesson.hush import SHORTEST

_ESCAPED = re.compile("%[0-9A-F]{2}")
_MARKER = "-----"  # of PEM: it stands around every key and certificate

_PLAIN_FIELDS = (
    {"username", "engine", "host", "port", "dbname", "dbinstanceidentifier", "dbclusteridentifier", "masterarn"}
    | {"type", "projectid", "clientemail", "clientid", "authuri", "tokenuri", "universedomain"}
    | {"authproviderx509certurl", "clientx509certurl"}
)
"""Fields of secrets that are JSON and tell nothing by themselves: those of the secrets of RDS
(docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html) and of a service account's key
(cloud.google.com/iam/docs/keys-create-delete), 2026-11-25, without their signs in between."""


def parts(value: bytes) -> Iterator[bytes]:
    """The value and the secrets in it: the fields of JSON, the lines of a key; those only that are long enough."""
    return (part for part in (value, *_inner(value)) if len(part) >= SHORTEST)


def _inner(value: bytes) -> Iterator[bytes]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    with suppress(ValueError, RecursionError):
        yield from (part for leaf in _leaves(json.loads(text)) for part in _lines(leaf))
        return
    yield from _lines(text)


def _lines(text: str) -> Iterator[bytes]:
    lines = [line.strip() for line in text.splitlines()]
    yield from (line.encode() for line in (text.strip(), *lines) if not line.startswith(_MARKER))


def _leaves(fields: Any) -> Iterator[str]:
    match fields:
        case dict():
            for name, one in fields.items():
                if re.sub("[^a-z0-9]", "", name.lower()) not in _PLAIN_FIELDS:
                    yield from _leaves(one)
        case list():
            for one in fields:
                yield from _leaves(one)
        case str():
            yield fields
        case int() | float() if not isinstance(fields, bool):
            yield str(fields)


def spellings(value: bytes) -> set[str]:
    """All the ways in which these bytes are written."""
    found = {repr(value)[2:-1], *_base64(value)}
    with suppress(UnicodeDecodeError):
        found |= _of_text(value.decode())
    # what is printed may be JSON, and what is saved is
    return {one for text in found for one in (text, json.dumps(text, ensure_ascii=False)[1:-1])}


def _of_text(text: str) -> set[str]:
    in_urls = {quote(text), quote(text, safe=""), quote_plus(text)}
    in_urls |= {_ESCAPED.sub(lambda found: found[0].lower(), one) for one in in_urls}
    in_code = {repr(text)[1:-1], json.dumps(text)[1:-1], html.escape(text), html.escape(text, quote=False)}
    return {text} | in_urls | in_code


def _base64(value: bytes) -> Iterator[str]:
    """What is the same in every base64 text that holds the value, wherever it begins there: 0, 1 or 2 bytes into a group."""
    for before in range(3):
        whole = b64encode(bytes(before) + value).decode()
        standard = whole[-(-8 * before // 6) : 8 * (before + len(value)) // 6]
        for one in (standard, standard.translate(str.maketrans("+/", "-_"))):
            yield one
            yield quote(one, safe="")
