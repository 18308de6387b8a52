"""HTTP rules: the URL templates that bind an RPC's fields, as google.api.http has them.

The same rule reads a REST request and tells, for a gRPC request, which resource it is about.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

_VARIABLE: Final = re.compile(r"\{([\w.]+)(?:=([^}]+))?\}")
_VERSION: Final = re.compile(r"^/(?:[\w.]+/)??v\d\w*/")


@dataclass(frozen=True)
class Rule:
    """One way in which an RPC is called over HTTP.

    Attributes:
        verb: `GET`.
        template: `/v1/{name=projects/*/secrets/*}:access`.
        body: The request's field that the body holds, `*` for all of it, empty for none.
        aliases: The request's field for a variable of the template, where their names differ.
    """

    verb: str
    template: str
    body: str = ""
    aliases: tuple[tuple[str, str], ...] = field(default=())

    @property
    def fields(self) -> tuple[str, ...]:
        """The request's fields that the path binds, dotted."""
        names = dict(self.aliases)
        return tuple(names.get(found[1], found[1]) for found in _VARIABLE.finditer(self.template))

    @property
    def action(self) -> str:
        """The custom verb behind the colon: `access`; empty for none."""
        return self.template.rpartition("}")[2].partition(":")[2]

    def match(self, verb: str, path: str) -> dict[str, str] | None:
        """Return the fields that a request's path binds, None when it is not this rule's."""
        found = _pattern(self.template).fullmatch(path) if verb == self.verb else None
        return dict(zip(self.fields, found.groups(), strict=True)) if found else None

    def expand(self, value: Callable[[str], str]) -> str | None:
        """Return the path that a request means, without version and custom verb; None when its fields do not fit.

        Args:
            value: Gives the text of a field by its dotted path.
        """
        path, at = "", 0
        for found, name in zip(_VARIABLE.finditer(self.template), self.fields, strict=True):
            text = value(name)
            if not _segments(found[2] or "*").fullmatch(text):
                return None
            path += self.template[at : found.start()] + text
            at = found.end()
        path += self.template[at:].partition(":")[0]
        return _VERSION.sub("", path).lstrip("/")


@lru_cache(maxsize=4096)
def _pattern(template: str) -> re.Pattern[str]:
    text, at = "", 0
    for found in _VARIABLE.finditer(template):
        segments = _segments(found[2] or "*").pattern
        if template[found.end() : found.end() + 1] == ":":
            segments = segments.replace("[^/]", "[^/:]")
        text += re.escape(template[at : found.start()]) + f"({segments})"
        at = found.end()
    return re.compile(text + re.escape(template[at:]))


@lru_cache(maxsize=4096)
def _segments(template: str) -> re.Pattern[str]:
    """`projects/*` as a pattern; a single `*` is one segment, `**` any number."""
    parts = {"*": "[^/]+", "**": ".+"}
    return re.compile("".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*?)", template)))
