"""What CloudWatch alarms conclude from metrics: pure functions of an alarm, series and the time.

Of the periods that are over, the last `EvaluationPeriods` count. The one that is going on counts as soon as it breaches the
threshold in a way that more data cannot undo: a sum that is too high only rises. CloudWatch itself looks at a few periods more, in
case data come late; here they do not. Rules: Amazon CloudWatch user guide, "Alarm evaluation" and "Configuring how CloudWatch
alarms treat missing data", read 2026-11.
"""

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ragonotebooks.sandbox.aws.metric_queries import Points, answer
from ragonotebooks.sandbox.aws.series import Metric, Series, start_of

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
COMPARISONS: Final[dict[str, tuple[Callable[[float, float], bool], str]]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS: Final = ("missing", "ignore", "breaching", "notBreaching")
_SECONDS_TO_ARRIVE: Final = 1.0
_RISING: Final = frozenset({"Sum", "SampleCount", "Maximum"})


@dataclass
class Alarm:
    """An alarm as it is now.

    Attributes:
        settings: The request of PutMetricAlarm that made it.
        reason_data: What the state was concluded from, as JSON.
        updated: When the state was last set, `changed` when it last became another.
        held_until: Until when a state that was set by hand stays, in seconds since 1970.
        acted: When scaling policies were last told of the state, likewise.
    """

    name: str
    alarm_arn: str
    settings: dict[str, Any]
    state: str = INSUFFICIENT_DATA
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str = ""
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))
    configured: datetime = field(default_factory=lambda: datetime.now(UTC))
    held_until: float = 0.0
    acted: float = 0.0
    # moto asks for it to tell composite alarms, of which there are none
    rule: None = None

    @property
    def actions(self) -> list[str]:
        """The ARNs that are told of the state that it has."""
        named = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}
        return self.settings.get(named[self.state]) or [] if self.settings.get("ActionsEnabled", True) else []

    @property
    def period(self) -> int:
        """The length of a period in seconds."""
        return max([int(query["MetricStat"]["Period"]) for query in queries(self.settings) if query.get("MetricStat")])


@dataclass(frozen=True)
class Verdict:
    """The state that an alarm should have."""

    state: str
    reason: str
    reason_data: str = "{}"


def queries(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an alarm's metrics as queries of GetMetricData."""
    if settings.get("Metrics"):
        return list(settings["Metrics"])
    wanted = {
        "Metric": {name: settings.get(name) for name in ("Namespace", "MetricName", "Dimensions")},
        "Period": settings["Period"],
        "Stat": settings.get("ExtendedStatistic") or settings.get("Statistic"),
        "Unit": settings.get("Unit"),
    }
    return [{"Id": "m1", "MetricStat": wanted}]


def evaluate(alarm: Alarm, series: Mapping[Metric, Series], now: float) -> Verdict | None:
    """Return the state that an alarm should have; None when it should keep the one that it has."""
    return _conclude(alarm, _window(alarm, series, now))


def latest(alarm: Alarm, series: Mapping[Metric, Series], now: float) -> float | None:
    """Return the newest value that an alarm looks at; None when there is none."""
    values = [value for _, value in _window(alarm, series, now) if value is not None]
    return values[-1] if values else None


def judge(values: list[float | None], breaches: Callable[[float], bool], needed: int, treatment: str) -> str | None:
    """Conclude a state from values, the oldest first, None for missing ones; `needed` of them have to breach.

    Returns None when the alarm keeps its state.
    """
    filled = {"breaching": True, "notBreaching": False}.get(treatment)
    judged = [filled if value is None else breaches(value) for value in values]
    if all(one is None for one in judged):
        return None if treatment == "ignore" else INSUFFICIENT_DATA
    if judged.count(True) >= needed:
        return ALARM
    # an old breach, and nothing but breaches and missing values since then
    oldest = judged.index(True) if True in judged else len(judged)
    if False not in judged[oldest:] and len(judged) - oldest >= needed:
        return None if treatment == "ignore" else ALARM
    return OK


def _window(alarm: Alarm, series: Mapping[Metric, Series], now: float) -> list[tuple[int, float | None]]:
    """The periods that count, the oldest first, by their starts, each with its value."""
    settings, period = alarm.settings, alarm.period
    count = int(settings["EvaluationPeriods"])
    end = start_of(now - _SECONDS_TO_ARRIVE, period)
    points = _points(settings, series, end - count * period, now)
    window = range(end - count * period, end, period)
    if (current := points.get(end)) is not None and _is_certain(settings) and _breaches(settings, current):
        window = range(end - (count - 1) * period, end + 1, period)
    return [(at, points.get(at)) for at in window]


def _points(settings: Mapping[str, Any], series: Mapping[Metric, Series], start: float, end: float) -> Points:
    asked = queries(settings)
    answers = answer(series, asked, start, end)
    shown = next((query["Id"] for query in asked if query.get("ReturnData", True)), asked[0]["Id"])
    return answers[shown].points


def _is_certain(settings: Mapping[str, Any]) -> bool:
    rises = settings.get("Statistic") in _RISING and str(settings["ComparisonOperator"]).startswith("Greater")
    return rises or (settings.get("Statistic") == "Minimum" and str(settings["ComparisonOperator"]).startswith("Less"))


def _breaches(settings: Mapping[str, Any], value: float) -> bool:
    return COMPARISONS[settings["ComparisonOperator"]][0](value, float(settings["Threshold"]))


def _conclude(alarm: Alarm, window: list[tuple[int, float | None]]) -> Verdict | None:
    settings, values = alarm.settings, [value for _, value in window]
    needed = int(settings.get("DatapointsToAlarm") or settings["EvaluationPeriods"])
    treatment = settings.get("TreatMissingData") or "missing"
    state = judge(values, lambda value: _breaches(settings, value), needed, treatment)
    if state is None:
        return None
    known = [(at, value) for at, value in window if value is not None]
    return Verdict(state, _reason(alarm, state, window, known, needed), _reason_data(alarm, window, known))


def _reason(
    alarm: Alarm, state: str, window: list[tuple[int, Any]], known: list[tuple[int, float]], needed: int
) -> str:
    """Say it as CloudWatch does."""
    settings, missing = alarm.settings, len(window) - len(known)
    if state == INSUFFICIENT_DATA:
        return f"Insufficient Data: {missing} datapoint{'s were' if missing > 1 else ' was'} unknown."
    if not known:
        treated = {"breaching": "Breaching", "notBreaching": "NonBreaching"}[settings["TreatMissingData"]]
        periods = f"{missing} period{'s' if missing > 1 else ''}"
        each = f"{missing} missing datapoint{'s were' if missing > 1 else ' was'}"
        return f"Threshold Crossed: no datapoints were received for {periods} and {each} treated as [{treated}]."
    relation = COMPARISONS[settings["ComparisonOperator"]][1]
    shown = [one for one in known if _breaches(settings, one[1]) == (state == ALARM)] or known
    listed = ", ".join(f"{value} ({datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S})" for at, value in shown)
    negated = "" if state == ALARM else "not "
    verb = "were" if len(shown) > 1 else "was"
    points = f"{needed} datapoint{'s' if needed > 1 else ''}"
    change = "OK -> ALARM" if state == ALARM else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(shown)} out of the last {len(window)} datapoints [{listed}] {verb} {negated}{relation} "
        f"the threshold ({float(settings['Threshold'])}) (minimum {points} for {change} transition)."
    )


def _reason_data(alarm: Alarm, window: list[tuple[int, Any]], known: list[tuple[int, float]]) -> str:
    settings = alarm.settings
    data = {
        "version": "1.0",
        "queryDate": _moment(datetime.now(UTC)),
        "startDate": _moment(datetime.fromtimestamp(window[0][0], UTC)),
        "statistic": settings.get("ExtendedStatistic") or settings.get("Statistic"),
        "period": alarm.period,
        "recentDatapoints": [value for _, value in known],
        "threshold": float(settings["Threshold"]),
        "evaluatedDatapoints": [
            {"timestamp": _moment(datetime.fromtimestamp(at, UTC)), "value": value} for at, value in reversed(known)
        ],
    }
    return json.dumps({name: value for name, value in data.items() if value is not None})


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}+0000"
