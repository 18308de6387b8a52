"""Alerts, which the console calls incidents: opened and closed as the conditions of alert policies say."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.cloud.monitoring_v3 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.metrics.alert_conditions import Verdicts, evaluate
from ragonotebooks.sandbox.gcp.metrics.series import MINUTE, Subject

Json = dict[str, Any]

HOST: Final = "monitoring.googleapis.com"

_MOST: Final = 1000
_AUTO_CLOSE: Final = 7 * 24 * 60 * MINUTE
_Combiner: Final[Any] = types.AlertPolicy.ConditionCombinerType
_Missing: Final[Any] = types.AlertPolicy.Condition.EvaluationMissingData


@dataclass
class Alert:
    """An alert.

    Attributes:
        name: `projects/p/alerts/0.abc`.
        policy: The policy as it was when the alert was opened.
        condition: The condition of the policy that it is about.
        subject: The time series that it is about.
        value: The series' value by then; None for a series that is absent.
        opened: When, in nanoseconds.
        heard: When the series last had a verdict.
        closed: When; None while it is open.
    """

    name: str
    policy: Any
    condition: Any
    subject: Subject
    value: Any
    opened: int
    heard: int
    closed: int | None = None

    def shown(self) -> Json:
        """As the API shows it."""
        policy = self.policy
        snapshot: Json = {
            "name": policy.name,
            "displayName": policy.display_name,
            "userLabels": dict(policy.user_labels),
        }
        if policy.severity:
            snapshot["severity"] = types.AlertPolicy.Severity(policy.severity).name
        shown = {
            "name": self.name,
            "state": "OPEN" if self.closed is None else "CLOSED",
            "openTime": told(self.opened),
            **self.subject.view,
            "policy": snapshot,
        }
        return shown if self.closed is None else {**shown, "closeTime": told(self.closed)}


def told(moment: int) -> str:
    """A moment, given in nanoseconds, in JSON."""
    return datetime.fromtimestamp(moment / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Alerts:
    """The alerts of a project, those that are closed included. Whoever calls holds the control plane's lock.

    Args:
        cloud: The cloud.
        tell: Is told of every alert that is opened or closed.
    """

    def __init__(self, cloud: Cloud, tell: Callable[[Alert], None]) -> None:
        self._cloud, self._tell = cloud, tell
        self._all: list[Alert] = []

    def all(self) -> list[Alert]:
        """The alerts, the one opened last first."""
        return list(reversed(self._all))

    def policies(self) -> Iterator[Any]:
        """The alert policies that are enabled."""
        for entry in self._cloud.store.children(HOST, f"{self._cloud.project.name}/alertPolicies"):
            if entry.resource.enabled.value:
                yield entry.resource

    def evaluate(self, now: int) -> None:
        """Open and close what is to be at a moment, in nanoseconds."""
        watched = list(self.policies())
        names = {policy.name for policy in watched}
        for alert in self._open():
            if alert.policy.name not in names:
                self._close(alert, now)
        for policy in watched:
            self._evaluate(policy, now)

    def _evaluate(self, policy: Any, now: int) -> None:
        said = [(condition, evaluate(self._cloud, condition, now)) for condition in policy.conditions]
        together = _together(policy, [verdicts for _, verdicts in said])
        conditions = {condition.name for condition in policy.conditions}
        for alert in self._open():
            if alert.policy.name == policy.name and alert.condition.name not in conditions:
                self._close(alert, now)
        for condition, verdicts in said:
            self._settle(policy, condition, verdicts, now, together)

    def _settle(
        self, policy: Any, condition: Any, verdicts: Verdicts, now: int, together: Callable[[Subject], bool]
    ) -> None:
        known = {
            alert.subject: alert
            for alert in self._open()
            if (alert.policy.name, alert.condition.name) == (policy.name, condition.name)
        }
        for subject, alert in known.items():
            if subject in verdicts.violating:
                alert.heard = now
            heard_of = subject in verdicts.violating or subject in verdicts.fulfilled
            silent = not heard_of and now - alert.heard > _patience(policy, condition)
            if not together(subject) or subject in verdicts.fulfilled or silent:
                self._close(alert, now)
        for subject, value in verdicts.violating.items() if verdicts.met else ():
            if subject not in known and together(subject):
                name = f"{self._cloud.project.name}/alerts/0.{secrets.token_hex(6)}"
                self._all.append(Alert(name, _copy(policy), _copy(condition), subject, value, now, now))
                self._tell(self._all[-1])
        del self._all[:-_MOST]

    def _open(self) -> list[Alert]:
        return [alert for alert in self._all if alert.closed is None]

    def _close(self, alert: Alert, now: int) -> None:
        alert.closed = now
        self._tell(alert)


def _together(policy: Any, said: list[Verdicts]) -> Callable[[Subject], bool]:
    """What tells whether a policy's conditions hold as they are combined, so that a subject may have an alert."""
    if policy.combiner == _Combiner.OR or len(said) == 1:
        return lambda subject: True
    whole = all(verdicts.met for verdicts in said)
    if policy.combiner == _Combiner.AND:
        return lambda subject: whole
    shared = set.intersection(*({_resource(subject) for subject in verdicts.violating} for verdicts in said))
    return lambda subject: whole and _resource(subject) in shared


def _resource(subject: Subject) -> tuple[Any, ...]:
    return subject.resource, subject.resource_labels


def _patience(policy: Any, condition: Any) -> int:
    """How long an alert stays open whose series has no data, in nanoseconds."""
    if condition.condition_threshold.evaluation_missing_data == _Missing.EVALUATION_MISSING_DATA_INACTIVE:
        return 0
    given: int = policy.alert_strategy.auto_close.ToNanoseconds()
    return given or _AUTO_CLOSE


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
