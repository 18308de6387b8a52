"""Answers GetMetricData's queries: statistics of metrics, and metric math over them.

Metric math knows numbers, ids, + - * /, and the functions ABS, AVG, CEIL, FILL, FLOOR, MAX, MIN, PERIOD and SUM; everything else
is refused by name. Rules: Amazon CloudWatch user guide, "Using math expressions with CloudWatch metrics", read 2026-11.
"""

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ragonotebooks.sandbox.aws.series import Metric, Series, start_of, statistic

Points = dict[int, float]
Query = Mapping[str, Any]
_Value = float | Points | list[Points]
_SIGNS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_EACH: Final[dict[str, Callable[[float], float]]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_TOGETHER: Final[dict[str, Callable[[list[float]], float]]] = {
    "AVG": lambda values: sum(values) / len(values),
    "MAX": max,
    "MIN": min,
    "SUM": sum,
}


class QueryError(ValueError):
    """A query cannot be answered; the text says why."""


@dataclass(frozen=True)
class Answer:
    """What one query finds.

    Attributes:
        label: What a plot calls it.
        points: Values by the start of their period.
        period: In seconds.
    """

    label: str
    points: Points
    period: int


def metric_of(described: Query) -> Metric:
    """Return the metric that a request describes by `Namespace`, `MetricName` and `Dimensions`."""
    dimensions = ((one["Name"], one["Value"]) for one in described.get("Dimensions") or [])
    return Metric(described["Namespace"], described["MetricName"], frozenset(dimensions))


def answer(series: Mapping[Metric, Series], queries: Iterable[Query], start: float, end: float) -> dict[str, Answer]:
    """Answer all queries by their ids, those that only others use among them.

    Raises:
        QueryError: A query is malformed, or of a kind that is not supported.
    """
    asked = {query["Id"]: query for query in queries}
    answers = {name: _of_metric(series, query, start, end) for name, query in asked.items() if query.get("MetricStat")}
    for name in asked:
        if name not in answers:
            answers[name] = _of_expression(asked, answers, name, (start, end))
    return {name: answers[name] for name in asked}


def _of_metric(series: Mapping[Metric, Series], query: Query, start: float, end: float) -> Answer:
    wanted, metric = query["MetricStat"], metric_of(query["MetricStat"]["Metric"])
    period = int(wanted["Period"])
    try:
        compute = statistic(wanted["Stat"])
    except ValueError as error:
        raise QueryError(str(error)) from None
    found = series.get(metric, Series())
    points = found.points(compute, period, start_of(start, period), end, wanted.get("Unit"))
    return Answer(query.get("Label") or metric.name, points, period)


def _of_expression(
    asked: Mapping[str, Query], answers: dict[str, Answer], name: str, span: tuple[float, float]
) -> Answer:
    """Compute an expression, first those that it uses."""
    query = asked[name]
    if not query.get("Expression"):
        raise QueryError(f"the query {name} has neither MetricStat nor Expression")
    tree = _parse(query["Expression"])
    # an expression does not use itself, nor others that use it
    others = {key: one for key, one in asked.items() if key != name}
    used = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in others]
    for other in used:
        if other not in answers:
            answers[other] = _of_expression(others, answers, other, span)
    periods = [answers[other].period for other in used]
    period = max(periods or [int(query.get("Period") or 60)])
    value = _Math(answers, span, period).value(tree)
    if isinstance(value, list):
        raise QueryError(f"the expression {query['Expression']} gives several series; the sandbox returns one")
    points = value if isinstance(value, dict) else dict.fromkeys(_times(span, period), value)
    return Answer(query.get("Label") or name, points, period)


def _parse(expression: str) -> ast.expr:
    if expression.lstrip().upper().startswith("SELECT"):
        raise QueryError("Metrics Insights queries (SELECT …) are not supported by the sandbox")
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        raise QueryError(f"the expression {expression} is malformed") from None


def _times(span: tuple[float, float], period: int) -> range:
    return range(start_of(span[0], period), math.ceil(span[1]), period)


class _Math:
    """Computes the parts of an expression: numbers, series, and arrays of series."""

    def __init__(self, answers: Mapping[str, Answer], span: tuple[float, float], period: int) -> None:
        self._answers, self._span, self._period = answers, span, period

    def value(self, node: ast.expr) -> _Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in self._answers:
            return self._answers[node.id].points
        if isinstance(node, ast.List):
            return [one for one in map(self.value, node.elts) if isinstance(one, dict)]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return _combine(operator.mul, -1.0, self.value(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            return _combine(_SIGNS[type(node.op)], self.value(node.left), self.value(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node.args)
        raise QueryError(f"metric math with {ast.unparse(node)} is not supported by the sandbox")

    def _call(self, name: str, given: list[ast.expr]) -> _Value:
        if name == "PERIOD" and len(given) == 1 and isinstance(given[0], ast.Name) and given[0].id in self._answers:
            return float(self._answers[given[0].id].period)
        arguments = [self.value(one) for one in given]
        if (
            name == "FILL"
            and len(arguments) == 2
            and isinstance(arguments[0], dict)
            and isinstance(arguments[1], float)
        ):
            return {**dict.fromkeys(_times(self._span, self._period), arguments[1]), **arguments[0]}
        if len(arguments) == 1 and name in _EACH:
            return _combine(lambda value, _: _EACH[name](value), arguments[0], 0.0)
        if len(arguments) == 1 and name in _TOGETHER:
            return _together(_TOGETHER[name], arguments[0])
        raise QueryError(f"the metric math function {name} is not supported by the sandbox like this")


def _combine(compute: Callable[[float, float], float], left: _Value, right: _Value) -> _Value:
    """Compute point by point; where one side has no value, or a division is by zero, there is none."""
    if isinstance(left, list) or isinstance(right, list):
        raise QueryError(
            "metric math with arrays of series is supported by the sandbox inside of SUM, AVG, MIN and MAX alone"
        )
    if isinstance(left, float) and isinstance(right, float):
        return compute(left, right)
    times = set(left if isinstance(left, dict) else right) & set(right if isinstance(right, dict) else left)  # type: ignore[arg-type]
    made: Points = {}
    for at in sorted(times):
        try:
            made[at] = compute(_value_at(left, at), _value_at(right, at))
        except ZeroDivisionError:
            continue
    return made


def _value_at(value: float | Points, at: int) -> float:
    return value[at] if isinstance(value, dict) else value


def _together(compute: Callable[[list[float]], float], value: _Value) -> _Value:
    """Of one series, a number; of several, a series."""
    if isinstance(value, float):
        return value
    if isinstance(value, dict):
        return compute(list(value.values())) if value else {}
    times = sorted({at for points in value for at in points})
    return {at: compute([points[at] for points in value if at in points]) for at in times}
