"""The actions of CloudWatch's API that are about alarms."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from moto.cloudwatch.utils import make_arn_for_alarm
from moto.core.responses import ActionResult, EmptyResult

from ragonotebooks.sandbox.aws.alarm_watch import AlarmWatch, note, notification
from ragonotebooks.sandbox.aws.alarms import ALARM, COMPARISONS, INSUFFICIENT_DATA, OK, TREATMENTS, Alarm, Verdict
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.metric_queries import QueryError, answer
from ragonotebooks.sandbox.aws.series import statistic
from ragonotebooks.sandbox.context import Context

_DAY: Final = 86_400
_ACTIONS: Final = ("AlarmActions", "OKActions", "InsufficientDataActions")
_SHORT_PERIODS: Final = (10, 20, 30)


def actions(context: Context, watch: AlarmWatch) -> dict[str, Callable[[Any], Any]]:
    """Return what takes the place of moto's actions, by their names."""

    def publish(region: str, alarm: Alarm, before: str, arn: str) -> None:
        # a sandbox without alarms that notify needs no topics
        from ragonotebooks.sandbox.aws import sns

        subject, text = notification(alarm, region, context.state.account, before)
        sns.of(context).publish(arn, text, subject, "cloudwatch.amazonaws.com", alarm.alarm_arn)

    watch.acts["sns"] = publish
    return {
        "put_metric_alarm": lambda self: _put(self, watch),
        "describe_alarms": _describe,
        "describe_alarms_for_metric": _describe_for_metric,
        "describe_alarm_history": _history,
        "delete_alarms": _delete,
        "set_alarm_state": lambda self: _set_state(self, watch),
        "enable_alarm_actions": lambda self: _enable(self, enabled=True),
        "disable_alarm_actions": lambda self: _enable(self, enabled=False),
    }


def put_alarm(backend: Any, watch: AlarmWatch, settings: dict[str, Any]) -> Alarm:
    """Make or change an alarm; one that is changed keeps its state. The caller holds the lock."""
    name, tags = settings["AlarmName"], settings.pop("Tags", None)
    _check(settings, watch)
    alarm: Alarm | None = backend.alarms.get(name)
    if alarm is None:
        alarm = Alarm(name, make_arn_for_alarm(backend.region_name, backend.account_id, name), settings)
        backend.alarms[name] = alarm
        if tags:
            backend.tagger.tag_resource(alarm.alarm_arn, tags)
        note(backend, alarm, "ConfigurationUpdate", f'Alarm "{name}" created', {"type": "Create"})
    else:
        alarm.settings, alarm.configured = settings, datetime.now(UTC)
        note(backend, alarm, "ConfigurationUpdate", f'Alarm "{name}" updated', {"type": "Update"})
    watch.wake()
    return alarm


def _check(settings: dict[str, Any], watch: AlarmWatch) -> None:
    """Raise an ApiError for an alarm that CloudWatch would not make, or that the sandbox could not keep."""
    if settings.get("ThresholdMetricId") or "Threshold" not in settings:
        raise ApiError(
            "ValidationError", "An alarm needs a Threshold; anomaly detection is not supported by the sandbox."
        )
    if settings.get("ComparisonOperator") not in COMPARISONS:
        raise ApiError("ValidationError", f"ComparisonOperator must be one of {', '.join(COMPARISONS)}.")
    if settings.get("TreatMissingData") not in (None, *TREATMENTS):
        raise ApiError("ValidationError", f"TreatMissingData must be one of {', '.join(TREATMENTS)}.")
    count, needed = int(settings.get("EvaluationPeriods") or 0), settings.get("DatapointsToAlarm")
    if count < 1 or (needed and not 1 <= int(needed) <= count):
        raise ApiError(
            "ValidationError", "EvaluationPeriods must be at least 1, and DatapointsToAlarm not more than it."
        )
    if settings.get("Metrics"):
        _check_metrics(settings["Metrics"])
    else:
        _check_metric(settings, count)
    for arn in (arn for kind in _ACTIONS for arn in settings.get(kind) or []):
        if (service := arn.split(":")[2] if arn.count(":") > 4 else arn) not in watch.acts:
            raise ApiError(
                "ValidationError", f"Alarm actions of {service} are not supported by the sandbox, such as {arn}."
            )


def _check_metric(settings: dict[str, Any], count: int) -> None:
    missing = [name for name in ("Namespace", "MetricName", "Period") if not settings.get(name)]
    if missing:
        raise ApiError("ValidationError", f"The parameter {missing[0]} is required.")
    if bool(settings.get("Statistic")) == bool(settings.get("ExtendedStatistic")):
        raise ApiError("ValidationError", "Exactly one of Statistic and ExtendedStatistic must be given.")
    try:
        statistic(settings.get("ExtendedStatistic") or settings["Statistic"])
    except ValueError as error:
        raise ApiError("ValidationError", str(error)) from None
    period = int(settings["Period"])
    if period not in _SHORT_PERIODS and (period < 60 or period % 60):
        raise ApiError("ValidationError", f"The Period {period} must be 10, 20, 30 or a multiple of 60 seconds.")
    if period * count > _DAY * (1 if period < 3600 else 7):
        raise ApiError(
            "ValidationError", "EvaluationPeriods times Period must not be more than a day, or 7 from an hour on."
        )


def _check_metrics(queries: list[dict[str, Any]]) -> None:
    shown = [query for query in queries if query.get("ReturnData", True)]
    if len(shown) != 1 or not any(query.get("MetricStat") for query in queries):
        raise ApiError(
            "ValidationError", "Of an alarm's Metrics, exactly one has ReturnData true, and one a MetricStat."
        )
    try:
        answer({}, queries, 0, 60)
    except QueryError as error:
        raise ApiError("ValidationError", str(error)) from None


def _put(self: Any, watch: AlarmWatch) -> EmptyResult:
    put_alarm(self.cloudwatch_backend, watch, dict(self._get_params()))
    return EmptyResult()


def _describe(self: Any) -> ActionResult:
    wanted = self._get_params()
    names, prefix, state = wanted.get("AlarmNames"), wanted.get("AlarmNamePrefix") or "", wanted.get("StateValue")
    action = wanted.get("ActionPrefix") or ""
    found = [
        alarm
        for alarm in self.cloudwatch_backend.alarms.values()
        if (not names or alarm.name in names)
        and alarm.name.startswith(prefix)
        and state in (None, alarm.state)
        and (not action or any(one.startswith(action) for one in _named(alarm)))
    ]
    return ActionResult({"MetricAlarms": [_described(alarm) for alarm in found], "CompositeAlarms": []})


def _describe_for_metric(self: Any) -> ActionResult:
    wanted = self._get_params()
    keys = ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit")
    dimensions = _pairs(wanted.get("Dimensions"))
    found = [
        alarm
        for alarm in self.cloudwatch_backend.alarms.values()
        if all(wanted.get(key) in (None, alarm.settings.get(key)) for key in keys)
        and dimensions == _pairs(alarm.settings.get("Dimensions"))
    ]
    return ActionResult({"MetricAlarms": [_described(alarm) for alarm in found]})


def _history(self: Any) -> ActionResult:
    wanted = self._get_params()
    items = [
        item
        for item in self.cloudwatch_backend.alarm_history
        if wanted.get("AlarmName") in (None, item["AlarmName"])
        and wanted.get("HistoryItemType") in (None, item["HistoryItemType"])
        and (wanted.get("StartDate") is None or _utc(wanted["StartDate"]) <= item["Timestamp"])
        and (wanted.get("EndDate") is None or item["Timestamp"] <= _utc(wanted["EndDate"]))
    ]
    if wanted.get("ScanBy") != "TimestampAscending":
        items.reverse()
    return ActionResult({"AlarmHistoryItems": items[: int(wanted.get("MaxRecords") or 100)]})


def _delete(self: Any) -> EmptyResult:
    backend, names = self.cloudwatch_backend, self._get_param("AlarmNames", [])
    missing = [name for name in names if name not in backend.alarms]
    if missing:
        raise ApiError("ResourceNotFound", f"The alarm {missing[0]} does not exist.", 404)
    for name in names:
        backend.tagger.delete_all_tags_for_resource(backend.alarms.pop(name).alarm_arn)
    return EmptyResult()


def _set_state(self: Any, watch: AlarmWatch) -> EmptyResult:
    wanted = self._get_params()
    alarm = self.cloudwatch_backend.alarms.get(wanted["AlarmName"])
    if alarm is None:
        raise ApiError("ResourceNotFound", f"The alarm {wanted['AlarmName']} does not exist.", 404)
    if wanted["StateValue"] not in (OK, ALARM, INSUFFICIENT_DATA):
        raise ApiError("ValidationError", "StateValue must be OK, ALARM or INSUFFICIENT_DATA.")
    data = wanted.get("StateReasonData") or "{}"
    try:
        json.loads(data)
    except ValueError:
        raise ApiError("InvalidFormat", "StateReasonData is no JSON.") from None
    # CloudWatch looks again after a period; until then the state stays
    alarm.held_until = datetime.now(UTC).timestamp() + min(alarm.period, 60)
    verdict = Verdict(wanted["StateValue"], wanted["StateReason"], data)
    watch.set_state(self.region, self.cloudwatch_backend, alarm, verdict)
    return EmptyResult()


def _enable(self: Any, *, enabled: bool) -> EmptyResult:
    for name in self._get_param("AlarmNames", []):
        if alarm := self.cloudwatch_backend.alarms.get(name):
            alarm.settings["ActionsEnabled"] = enabled
    return EmptyResult()


def _described(alarm: Alarm) -> dict[str, Any]:
    return {
        "ActionsEnabled": True,
        **{name: [] for name in (*_ACTIONS, "Dimensions")},
        **alarm.settings,
        "AlarmArn": alarm.alarm_arn,
        "AlarmConfigurationUpdatedTimestamp": alarm.configured,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateReasonData": alarm.reason_data or None,
        "StateUpdatedTimestamp": alarm.updated,
        "StateTransitionedTimestamp": alarm.changed,
    }


def _named(alarm: Alarm) -> Iterable[str]:
    return (arn for kind in _ACTIONS for arn in alarm.settings.get(kind) or [])


def _pairs(dimensions: list[dict[str, str]] | None) -> set[tuple[str, str]]:
    return {(one["Name"], one["Value"]) for one in dimensions or []}


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
