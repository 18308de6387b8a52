"""The texts of a policy: wildcards, variables such as `${aws:username}`, and the request's keys that fill them."""

import re
from collections.abc import Mapping
from functools import lru_cache

_VARIABLE = re.compile(r"\$\{([^},]+)(?:,\s*'([^']*)')?\}")
# private-use characters stand for a literal sign, so that a variable's value cannot turn into a wildcard
_LITERAL = {"*": "\ue000", "?": "\ue001", "$": "\ue002"}


class Context:
    """The condition keys of a request: names in any case, each with its values; a key without a value is absent."""

    def __init__(self, values: Mapping[str, str | list[str] | None]) -> None:
        self._values = {
            name.lower(): value if isinstance(value, list) else [value]
            for name, value in values.items()
            if value is not None
        }

    def get(self, name: str) -> list[str]:
        """Return the values of a key; empty when the request has no such key."""
        return self._values.get(name.lower(), [])


def expand(pattern: str, context: Context | None) -> str | None:
    """Replace policy variables; None when one has neither a value nor a default. Without a context, replace none."""
    if context is None or "${" not in pattern:
        return pattern
    missing = False

    def value_of(match: re.Match[str]) -> str:
        nonlocal missing
        name, default = match[1], match[2]
        values = [name] if name in _LITERAL else context.get(name) or ([default] if default is not None else [])
        missing = missing or len(values) != 1
        return "".join(_LITERAL.get(sign, sign) for sign in "".join(values))

    expanded = _VARIABLE.sub(value_of, pattern)
    return None if missing else expanded


def like(value: str, pattern: str) -> bool:
    """Match a whole value with an expanded pattern, in which `*` is any text and `?` any one character."""
    return _wildcard(pattern).fullmatch(value) is not None


def arn_like(value: str, pattern: str) -> bool:
    """Match ARNs part by part: a wildcard does not reach over a colon, but in the last part."""
    parts, patterns = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(patterns) and all(like(*pair) for pair in zip(parts, patterns, strict=True))


def literal(pattern: str) -> str:
    """Return an expanded text for comparison as it stands."""
    for sign, mark in _LITERAL.items():
        pattern = pattern.replace(mark, sign)
    return pattern


@lru_cache(maxsize=4096)
def _wildcard(pattern: str) -> re.Pattern[str]:
    signs = {"*": ".*", "?": ".", **{mark: re.escape(sign) for sign, mark in _LITERAL.items()}}
    return re.compile("".join(signs.get(sign) or re.escape(sign) for sign in pattern), re.DOTALL)
