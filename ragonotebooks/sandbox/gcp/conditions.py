"""Conditions of IAM bindings: the part of the Common Expression Language that names a resource or a time.

An expression of CEL that lessons and programs use for access is, but for its signs, one of Python: it is parsed as such and
walked over, never run. Source: Google Cloud, "Attribute reference for IAM Conditions", read 2026-11.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported

#: The hosts whose resources conditions may be about; elsewhere names and types are not those that the reference gives.
HOSTS: Final = ("storage.googleapis.com",)

_TOKEN: Final = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(&&|\|\||!(?!=))""")
# ~ binds as ! does; not would bind weaker than a comparison
_SIGNS: Final = {"&&": " and ", "||": " or ", "!": "~"}
_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: eq,
    ast.NotEq: ne,
    ast.Lt: lt,
    ast.LtE: le,
    ast.Gt: gt,
    ast.GtE: ge,
}
_METHODS: Final[dict[str, Callable[[str, str], bool]]] = {"startsWith": str.startswith, "endsWith": str.endswith}


@dataclass(frozen=True)
class Facts:
    """What a condition may ask about.

    Attributes:
        host: The service of the resource.
        name: The resource's full name: `projects/_/buckets/b/objects/o`.
        time: When it is asked for.
    """

    host: str
    name: str
    time: datetime

    def value(self, attribute: str) -> Any:
        """Return an attribute such as `resource.name`, None for one that the sandbox does not know."""
        kind = "Object" if "/objects/" in self.name else "Bucket"
        known = {
            "resource.name": self.name,
            "resource.service": self.host,
            "resource.type": f"{self.host}/{kind}",
            "request.time": self.time,
        }
        return known.get(attribute)


def check(expression: str) -> None:
    """Refuse a condition that is wrong, or that says more than the sandbox understands.

    Raises:
        ApiError: Its place is in the message.
    """
    holds(expression, HOSTS[0], "projects/_/buckets/b/objects/o", everything=True)


def holds(expression: str, host: str, name: str, *, everything: bool = False) -> bool:
    """Whether a condition holds for a resource now; `everything`: look at all of it, even where the answer is known."""
    return holds_of(expression, Facts(host, name, datetime.now(UTC)).value, everything=everything)


def holds_of(expression: str, value: Callable[[str], Any], *, everything: bool = False) -> bool:
    """Whether a condition holds where attributes such as `assertion.sub` have a value; None for one that is not known."""
    return bool(_value(_parsed(expression), value, everything))


@cache
def _parsed(expression: str) -> ast.expr:
    text = _TOKEN.sub(lambda found: found[1] or _SIGNS[found[2]], expression)
    try:
        return ast.parse(f"({text})", mode="eval").body
    except SyntaxError as error:
        raise invalid(f"The condition {expression!r} is no expression: {error.msg}.") from None


def _value(node: ast.expr, known: Callable[[str], Any], everything: bool) -> Any:
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.Name(id="true" | "false" as word):
            return word == "true"
        case ast.BoolOp(op=op, values=parts):
            found = (bool(_value(part, known, everything)) for part in parts)
            return (all if isinstance(op, ast.And) else any)(list(found) if everything else found)
        case ast.UnaryOp(op=ast.Invert(), operand=part):
            return not _value(part, known, everything)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            return _compared(_COMPARISONS[type(op)], _value(left, known, everything), _value(right, known, everything))
        case ast.Call(func=ast.Name(id="timestamp"), args=[ast.Constant(value=str(text))], keywords=[]):
            return _time(text)
        case ast.Call(func=ast.Attribute(value=on, attr=method), args=[start], keywords=[]) if method in _METHODS:
            return _METHODS[method](str(_value(on, known, everything)), str(_value(start, known, everything)))
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
            if (value := known(f"{owner}.{attribute}")) is not None:
                return value
    raise unsupported(f"{ast.unparse(node)!r} in a condition")


def _compared(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    try:
        return compare(left, right)
    except TypeError:
        raise _mixed(left, right) from None


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise invalid(f"{text!r} in a condition is no RFC 3339 time.") from None


def _mixed(left: Any, right: Any) -> ApiError:
    return invalid(f"A condition compares {left!r} with {right!r}.")
