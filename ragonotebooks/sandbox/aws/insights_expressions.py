"""The expressions of Logs Insights queries, as functions of a row or, for aggregates, of a group of rows."""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ragonotebooks.sandbox.aws.insights_words import QueryError, Words

Row = Mapping[str, Any]
Expression = Callable[[Any], Any]
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": lambda value: _if_number(abs, value),
    "ceil": lambda value: _if_number(math.ceil, value),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "concat": lambda *values: "".join("" if value is None else str(value) for value in values),
    "floor": lambda value: _if_number(math.floor, value),
    "ispresent": lambda value: value is not None,
    "strcontains": lambda text, part: str(part) in str(text),
    "strlen": lambda text: len(str(text)),
    "tolower": lambda text: str(text).lower(),
    "toupper": lambda text: str(text).upper(),
}
_OF_ABSENT: Final = frozenset({"coalesce", "concat", "ispresent"})


class Moment(int):
    """A time in milliseconds since 1970."""


def number(value: Any) -> float | int | None:
    """Return a value as a number; None when it is none."""
    if isinstance(value, int | float):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _if_number(compute: Callable[[Any], Any], value: Any) -> Any:
    found = number(value)
    return None if found is None else compute(found)


class Reader:
    """Reads expressions from words; `or` binds least, then `and`, `not`, comparisons, `+` and `-`, `*`, `/` and `%`.

    Args:
        words: Where to read.
        aggregates: Whether fields stand inside of `count`, `sum` and the like only.
    """

    def __init__(self, words: Words, *, aggregates: bool = False) -> None:
        self._words, self._aggregates = words, aggregates

    def expression(self) -> Expression:
        """Read one expression."""
        left = self._all()
        while self._words.take("or"):
            left = _either(left, self._all())
        return left

    def _all(self) -> Expression:
        left = self._negation()
        while self._words.take("and"):
            left = _both(left, self._negation())
        return left

    def _negation(self) -> Expression:
        if self._words.take("not"):
            inner = self._negation()
            return lambda scope: not inner(scope)
        return self._comparison()

    def _comparison(self) -> Expression:
        left, words = self._sum(), self._words
        if words.take("not"):
            words.need("like")
            like = self._like(left)
            return lambda scope: not like(scope)
        if words.take("like", "=~"):
            return self._like(left)
        if words.take("in"):
            return self._one_of(left)
        if sign := words.take(*_COMPARE):
            right = self._sum()
            return lambda scope: _compare(_COMPARE[sign], left(scope), right(scope))
        return left

    def _like(self, left: Expression) -> Expression:
        if pattern := self._words.regex():
            return lambda scope: (text := left(scope)) is not None and pattern.search(str(text)) is not None
        part = self._words.kind("text")
        if part is None:
            raise self._words.error('expected /a regular expression/ or "a text"')
        return lambda scope: (text := left(scope)) is not None and part in str(text)

    def _one_of(self, left: Expression) -> Expression:
        words = self._words
        words.need("[")
        items = [self._sum()]
        while words.take(","):
            items.append(self._sum())
        words.need("]")
        return lambda scope: any(_compare(operator.eq, left(scope), item(scope)) for item in items)

    def _sum(self) -> Expression:
        left = self._product()
        while sign := self._words.take("+", "-"):
            left = _arithmetic(sign, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._primary()
        while sign := self._words.take("*", "/", "%"):
            left = _arithmetic(sign, left, self._primary())
        return left

    def _primary(self) -> Expression:
        words = self._words
        if words.take("("):
            inner = self.expression()
            words.need(")")
            return inner
        if words.take("-"):
            return _arithmetic("-", lambda _: 0, self._primary())
        if (text := words.kind("text")) is not None:
            return lambda _: text
        if (digits := words.kind("number")) is not None:
            value = float(digits) if "." in digits else int(digits)
            return lambda _: value
        name = words.name()
        if words.take("("):
            return self._call(name)
        if self._aggregates:
            raise words.error(f"the field {name} stands inside of an aggregate such as avg({name}) in stats")
        return lambda row: row.get(name)

    def _call(self, name: str) -> Expression:
        lower, words = name.lower(), self._words
        if lower == "bin":
            return self._bin()
        if self._aggregates and lower == "count" and words.take("*"):
            words.need(")")
            return len
        rows = Reader(words)
        arguments = [rows.expression()] if self._aggregates else [self.expression()]
        while words.take(","):
            arguments.append(rows.expression())
        words.need(")")
        if self._aggregates:
            return _aggregate(lower, arguments)
        if lower not in _FUNCTIONS:
            raise QueryError(f"the function {name} is not supported by the sandbox")
        return _function(lower, arguments)

    def _bin(self) -> Expression:
        length = self._words.kind("duration")
        if length is None:
            raise self._words.error("expected a time such as 5m")
        self._words.need(")")
        count, unit = re.fullmatch(r"(\d+)([a-z]+)", length).groups()  # type: ignore[union-attr]
        size = int(int(count) * _SECONDS[unit] * 1000)
        if size == 0:
            raise QueryError("bin(0…) is no time")
        return lambda row: Moment(row["@timestamp"] // size * size) if "@timestamp" in row else None


def _either(left: Expression, right: Expression) -> Expression:
    return lambda scope: bool(left(scope)) or bool(right(scope))


def _both(left: Expression, right: Expression) -> Expression:
    return lambda scope: bool(left(scope)) and bool(right(scope))


def _compare(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    """Numbers compare as numbers, all else as text; what is not there equals nothing and differs from nothing."""
    if left is None or right is None:
        return False
    numbers = number(left), number(right)
    if None not in numbers:
        return compare(*numbers)
    return compare(str(left), str(right))


def _arithmetic(sign: str, left: Expression, right: Expression) -> Expression:
    def compute(scope: Any) -> float | None:
        one, other = number(left(scope)), number(right(scope))
        if one is None or other is None or (sign in "/%" and other == 0):
            return None
        return _ARITHMETIC[sign](one, other)

    return compute


def _function(name: str, arguments: list[Expression]) -> Expression:
    def call(row: Row) -> Any:
        values = [argument(row) for argument in arguments]
        if name not in _OF_ABSENT and None in values:
            return None
        try:
            return _FUNCTIONS[name](*values)
        except TypeError:
            raise QueryError(f"{name} does not take these arguments") from None

    return call


def _aggregate(name: str, arguments: list[Expression]) -> Expression:
    field = arguments[0]
    if name == "count":
        return lambda rows: len(_present(rows, field))
    if name == "count_distinct":
        return lambda rows: len({str(value) for value in _present(rows, field)})
    if name in ("min", "max"):
        choose = min if name == "min" else max
        return lambda rows: choose(_numbers(rows, field), default=None)
    if name == "sum":
        return lambda rows: sum(_numbers(rows, field))
    if name == "avg":
        return lambda rows: sum(values) / len(values) if (values := _numbers(rows, field)) else None
    if name == "pct" and len(arguments) == 2:
        share = number(arguments[1]({}))
        if share is None or not 0 <= share <= 100:
            raise QueryError("pct takes a field and a percentage from 0 to 100")
        return lambda rows: _percentile(sorted(_numbers(rows, field)), share)
    raise QueryError(f"the aggregate {name} is not supported by the sandbox like this")


def _present(rows: Sequence[Row], field: Expression) -> list[Any]:
    return [value for value in map(field, rows) if value is not None]


def _numbers(rows: Sequence[Row], field: Expression) -> list[Any]:
    return [value for value in (number(one) for one in _present(rows, field)) if value is not None]


def _percentile(values: list[float], share: float) -> float | None:
    if not values:
        return None
    rank = share / 100 * (len(values) - 1)
    low, high = values[int(rank)], values[min(int(rank) + 1, len(values) - 1)]
    return low + (high - low) * (rank - int(rank))
