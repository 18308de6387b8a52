"""The `Condition` element of a policy statement.

Source: AWS IAM user guide, "IAM JSON policy elements: Condition operators" and "Condition with multiple context keys or
values", read 2026-11.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any

from ragonotebooks.sandbox.aws.patterns import Context, arn_like, like, literal

Test = Callable[[str, str], bool]
Expand = Callable[[str], str | None]


def holds(condition: Mapping[str, Mapping[str, Any]], context: Context, expand: Expand) -> bool:
    """Tell whether every operator and key of `condition` holds.

    Raises ValueError for an operator that does not exist.
    """
    return all(
        _holds(operator, context.get(key), wanted if isinstance(wanted, list) else [wanted], expand)
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, actual: list[str], wanted: list[Any], expand: Expand) -> bool:
    quantifier, name, if_exists = _parse(operator)
    texts = [_text(value) for value in wanted]
    if name == "Null":
        return (not actual) == (texts[0].lower() == "true")
    test, negated = _operator(name)

    def satisfies(value: str) -> bool:
        patterns = (expand(text) for text in texts)
        return any(pattern is not None and test(value, pattern) for pattern in patterns) != negated

    if not actual:
        return quantifier == "ForAllValues" or (quantifier == "" and (if_exists or negated))
    if quantifier == "ForAnyValue":
        return any(satisfies(value) for value in actual)
    if quantifier == "ForAllValues" or negated:
        return all(satisfies(value) for value in actual)
    return any(satisfies(value) for value in actual)


@lru_cache
def _parse(operator: str) -> tuple[str, str, bool]:
    quantifier, _, name = operator.rpartition(":")
    return quantifier, name.removesuffix("IfExists"), name.endswith("IfExists")


@lru_cache
def _operator(name: str) -> tuple[Test, bool]:
    """Return an operator's test and whether it is the negation of that test."""
    negated = "Not" in name
    test = _TESTS.get(name.replace("Not", "", 1))
    if test is None:
        raise ValueError(f"the condition operator {name} does not exist")
    return test, negated


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _exact(compare: Test) -> Test:
    """Make a test of values as they stand out of one, for operators that know no wildcards."""
    return lambda actual, wanted: compare(actual, literal(wanted))


def _numeric(compare: Callable[[float, float], bool]) -> Test:
    return _exact(lambda actual, wanted: compare(float(actual), float(wanted)))


def _date(compare: Callable[[float, float], bool]) -> Test:
    return _exact(lambda actual, wanted: compare(_seconds(actual), _seconds(wanted)))


def _seconds(text: str) -> float:
    if re.fullmatch(r"\d+", text) and len(text) > 4:
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "Equals": eq,
    "LessThan": lt,
    "LessThanEquals": le,
    "GreaterThan": gt,
    "GreaterThanEquals": ge,
}
_TESTS: dict[str, Test] = {
    "StringEquals": _exact(eq),
    "StringEqualsIgnoreCase": _exact(lambda actual, wanted: actual.lower() == wanted.lower()),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "BinaryEquals": _exact(eq),
    "Bool": _exact(lambda actual, wanted: actual.lower() == wanted.lower()),
    "IpAddress": _exact(lambda actual, wanted: ip_address(actual) in ip_network(wanted, strict=False)),
    **{f"Numeric{name}": _numeric(compare) for name, compare in _COMPARE.items()},
    **{f"Date{name}": _date(compare) for name, compare in _COMPARE.items()},
}
