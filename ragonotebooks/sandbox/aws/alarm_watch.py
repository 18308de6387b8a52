"""Watches alarms: each gets the state that its metrics give it, and who is named in its actions is told of every change."""

import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from moto.cloudwatch.models import cloudwatch_backends

from ragonotebooks.sandbox.aws.alarms import Alarm, Verdict, evaluate
from ragonotebooks.sandbox.aws.metric_queries import QueryError
from ragonotebooks.sandbox.context import Context

_SECONDS_BETWEEN: Final = 1.0
_SCALING_SECONDS: Final = 60
_SCALING: Final = "autoscaling"
_HISTORY: Final = 1000

#: Carries out one action: gets the region, the alarm, the state before, and the ARN in the action.
Act = Callable[[str, Alarm, str, str], None]


class AlarmWatch:
    """Evaluates all alarms about once a second, in a thread that rests while there are none.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        #: What carries out actions, by the service in their ARN.
        self.acts: dict[str, Act] = {}

    def wake(self) -> None:
        """Take notice of an alarm that was made or changed. The caller holds the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
            self._thread.start()
        self._wanted.set()

    def evaluate(self, now: float) -> None:
        """Give every alarm the state that it should have at a time, in seconds since 1970. The caller holds the lock."""
        for region, backend in self._backends():
            for alarm in list(backend.alarms.values()):
                if now >= alarm.held_until:
                    self._evaluate(region, backend, alarm, now)

    def set_state(self, region: str, backend: Any, alarm: Alarm, verdict: Verdict) -> None:
        """Give an alarm a state, and tell of it when it is another than before. The caller holds the lock."""
        before, moment = alarm.state, datetime.now(UTC)
        if before == verdict.state:
            return
        alarm.state, alarm.reason, alarm.reason_data = verdict.state, verdict.reason, verdict.reason_data
        alarm.updated = alarm.changed = moment
        note(backend, alarm, "StateUpdate", f"Alarm updated from {before} to {alarm.state}", _transition(alarm, before))
        self._context.announce(
            "aws.cloudwatch", "CloudWatch Alarm State Change", [alarm.alarm_arn], _event(alarm, before)
        )
        self._act(region, backend, alarm, before)

    def _run(self) -> None:
        while True:
            with self._context.lock:
                try:
                    self.evaluate(time.time())
                except Exception:
                    traceback.print_exc(file=sys.stderr)
                if not any(backend.alarms for _, backend in self._backends()):
                    self._wanted.clear()
            self._wanted.wait()
            time.sleep(_SECONDS_BETWEEN)

    def _evaluate(self, region: str, backend: Any, alarm: Alarm, now: float) -> None:
        try:
            verdict = evaluate(alarm, backend.series, now)
        except QueryError as error:
            verdict = Verdict("INSUFFICIENT_DATA", str(error))
        if verdict and verdict.state != alarm.state:
            self.set_state(region, backend, alarm, verdict)
        elif now - alarm.acted >= min(alarm.period, _SCALING_SECONDS):
            # scaling goes on, step by step, for as long as its alarm stays in the state
            self._act(region, backend, alarm, alarm.state, only=_SCALING)

    def _act(self, region: str, backend: Any, alarm: Alarm, before: str, only: str | None = None) -> None:
        alarm.acted = time.time()
        for arn in alarm.actions:
            service = arn.split(":")[2]
            if only in (None, service):
                self._act_once(region, backend, alarm, before, arn, quiet=only is not None)

    def _act_once(self, region: str, backend: Any, alarm: Alarm, before: str, arn: str, *, quiet: bool) -> None:
        try:
            self.acts[arn.split(":")[2]](region, alarm, before, arn)
            summary = f"Successfully executed action {arn}"
        except Exception as error:
            summary = f"Failed to execute action {arn}. Received error: {error}"
        if not quiet:
            note(backend, alarm, "Action", summary, {"actionState": summary.split()[0], "notificationResource": arn})

    def _backends(self) -> Iterator[tuple[str, Any]]:
        for account, region, backend in cloudwatch_backends.iter_backends():
            if account == self._context.state.account:
                yield region, backend


def note(backend: Any, alarm: Alarm, kind: str, summary: str, data: dict[str, Any]) -> None:
    """Write down in a backend's history what happened to an alarm."""
    item = {
        "AlarmName": alarm.name,
        "AlarmType": "MetricAlarm",
        "Timestamp": datetime.now(UTC),
        "HistoryItemType": kind,
        "HistorySummary": summary,
        "HistoryData": json.dumps(data, default=str),
    }
    backend.alarm_history = [*backend.alarm_history, item][-_HISTORY:]


def notification(alarm: Alarm, region: str, account: str, before: str) -> tuple[str, str]:
    """Return subject and text of the message that an alarm sends to a topic."""
    settings = alarm.settings
    trigger = {
        "MetricName": settings.get("MetricName"),
        "Namespace": settings.get("Namespace"),
        "StatisticType": "ExtendedStatistic" if settings.get("ExtendedStatistic") else "Statistic",
        "Statistic": settings.get("ExtendedStatistic") or str(settings.get("Statistic", "")).upper(),
        "Unit": settings.get("Unit"),
        "Dimensions": [{"value": one["Value"], "name": one["Name"]} for one in settings.get("Dimensions") or []],
        "Period": alarm.period,
        "EvaluationPeriods": settings["EvaluationPeriods"],
        "DatapointsToAlarm": settings.get("DatapointsToAlarm") or settings["EvaluationPeriods"],
        "ComparisonOperator": settings["ComparisonOperator"],
        "Threshold": settings["Threshold"],
        "TreatMissingData": settings.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": settings.get("EvaluateLowSampleCountPercentile") or "",
    }
    text = {
        "AlarmName": alarm.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": _moment(alarm.configured),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": _moment(alarm.changed),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": settings.get("OKActions") or [],
        "AlarmActions": settings.get("AlarmActions") or [],
        "InsufficientDataActions": settings.get("InsufficientDataActions") or [],
        "Trigger": trigger,
    }
    return f'{alarm.state}: "{alarm.name}" in {region}', json.dumps(text)


def _transition(alarm: Alarm, before: str) -> dict[str, Any]:
    new = {"stateValue": alarm.state, "stateReason": alarm.reason, "stateReasonData": json.loads(alarm.reason_data)}
    return {"version": "1.0", "oldState": {"stateValue": before}, "newState": new}


def _event(alarm: Alarm, before: str) -> dict[str, Any]:
    """The detail of the event on EventBridge."""
    state = {
        "value": alarm.state,
        "reason": alarm.reason,
        "reasonData": alarm.reason_data,
        "timestamp": _moment(alarm.changed),
    }
    configuration = {
        "description": alarm.settings.get("AlarmDescription"),
        "metrics": alarm.settings.get("Metrics") or [],
    }
    return {"alarmName": alarm.name, "state": state, "previousState": {"value": before}, "configuration": configuration}


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}+0000"
