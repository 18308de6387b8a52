"""CloudWatch Logs filter patterns: which messages a pattern matches.

Words and quoted phrases that must all be there, `-words` that must not, `?words` of which one must, and JSON patterns such as
`{ $.event = "indexed" && $.papers > 10 }`. Regular expressions, space-delimited patterns, IS and EXISTS are refused by name.
Source: Amazon CloudWatch Logs user guide, "Filter pattern syntax", read 2026-11.
"""

import json
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final

Matcher = Callable[[str], bool]
_Condition = Callable[[Any], bool]

_TERM: Final = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\w+))(?=\s|$)')
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<sign>&&|\|\||[()])
    |(?P<selector>\$(?:\.[\w-]+|\[\d+\])+)\s*(?P<operator>!=|<=|>=|=|<|>)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s()&|"%]+))""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ABSENT: Final = object()


class PatternError(ValueError):
    """A pattern cannot be used; the text says why."""


@cache
def matcher(pattern: str) -> Matcher:
    """Return what tells whether a message matches `pattern`; the empty pattern matches all.

    Raises:
        PatternError: The pattern is malformed, or of a kind that is not supported.
    """
    text = pattern.strip()
    if text.startswith("["):
        raise PatternError("space-delimited patterns ([...]) are not supported by the sandbox")
    if text.startswith("%"):
        raise PatternError("regular expressions (%...%) are not supported by the sandbox")
    return _json(text) if text.startswith("{") else _terms(text)


def _terms(text: str) -> Matcher:
    found: dict[str, list[str]] = {"": [], "-": [], "?": []}
    position = 0
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            raise PatternError(
                f"quote terms with other signs than letters, digits and underscores: {text[position:].strip()}"
            )
        sign, phrase, word = term.groups()
        found[sign].append(word if phrase is None else re.sub(r"\\(.)", r"\1", phrase))
        position = term.end()
    if found["?"] and (found[""] or found["-"]):
        raise PatternError("CloudWatch Logs ignores ?terms beside other terms; use one kind alone")

    def matches(message: str) -> bool:
        return (
            all(term in message for term in found[""])
            and not any(term in message for term in found["-"])
            and (not found["?"] or any(term in message for term in found["?"]))
        )

    return matches


def _json(text: str) -> Matcher:
    if not text.endswith("}"):
        raise PatternError("a JSON pattern ends with }")
    condition = _Parser(text[1:-1]).parse()

    def matches(message: str) -> bool:
        try:
            return condition(json.loads(message))
        except ValueError:
            return False

    return matches


class _Parser:
    """Reads `a && (b || c)`; `&&` binds more tightly than `||`."""

    def __init__(self, text: str) -> None:
        self._text, self._position = text.rstrip(), 0

    def parse(self) -> _Condition:
        condition = self._any()
        if self._position < len(self._text):
            raise self._error()
        return condition

    def _any(self) -> _Condition:
        parts = [self._all()]
        while self._takes("||"):
            parts.append(self._all())
        return lambda event: any(part(event) for part in parts)

    def _all(self) -> _Condition:
        parts = [self._one()]
        while self._takes("&&"):
            parts.append(self._one())
        return lambda event: all(part(event) for part in parts)

    def _one(self) -> _Condition:
        if self._takes("("):
            inner = self._any()
            if not self._takes(")"):
                raise self._error()
            return inner
        token = _TOKEN.match(self._text, self._position)
        if token is None or not token["selector"]:
            raise self._error()
        self._position = token.end()
        return _comparison(token["selector"], token["operator"], token["value"])

    def _takes(self, sign: str) -> bool:
        token = _TOKEN.match(self._text, self._position)
        if token is None or token["sign"] != sign:
            return False
        self._position = token.end()
        return True

    def _error(self) -> PatternError:
        rest = self._text[self._position :].strip() or "its end"
        return PatternError(f"the sandbox reads selectors compared with =, !=, <, <=, >, >=, not this: {rest}")


def _comparison(selector: str, sign: str, value: str) -> _Condition:
    """A field that is not there fulfils no condition. Numbers compare with numbers, texts by wildcards with texts."""
    steps = [int(index) if index else name for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", selector)]
    compare = _COMPARISONS[sign]
    if _NUMBER.fullmatch(value):
        wanted = float(value)
        return lambda event: _is_number(found := _find(event, steps)) and compare(found, wanted)
    if sign not in ("=", "!="):
        raise PatternError(f"{sign} needs a number: {value}")
    text = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    # a star is the only wildcard
    wildcard = re.sub(r"([\[?])", r"[\1]", text)
    return lambda event: isinstance(found := _find(event, steps), str) and fnmatchcase(found, wildcard) == (sign == "=")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _find(event: Any, steps: list[Any]) -> Any:
    for step in steps:
        try:
            event = event[step]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return event
