"""EventBridge: events of AWS services and of PutEvents reach the targets of the rules that match them, and schedules fire.

Targets are queues, topics, log groups, ECS tasks and CodeBuild builds; others are refused by name. moto keeps buses and rules, and
matches patterns.
"""

import json
import sys
import threading
import time
import traceback
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from moto.events import models
from moto.events.responses import EventsHandler

from ragonotebooks.sandbox.aws import schedules
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.event_delivery import Delivery, check
from ragonotebooks.sandbox.context import Context

_SECONDS_BETWEEN: Final = 1.0


class Backend(models.EventsBackend):
    """moto's backend, refusing rules that would not fire and targets that would not be reached."""

    # moto derives an API's URLs from the module that its backend is defined in
    __module__ = "moto.events.models"

    def put_rule(self, *args: Any, **more: Any) -> Any:
        """Make or change a rule."""
        if expression := more.get("scheduled_expression"):
            try:
                schedules.parse(expression)
            except ValueError as error:
                raise ApiError("ValidationException", f"Parameter ScheduleExpression is not valid: {error}") from None
        return super().put_rule(*args, **more)

    def put_targets(self, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        """Add targets to a rule; either all or, when one is refused, none."""
        for target in targets:
            check(target)
        super().put_targets(name, event_bus_arn, targets)


class Events:
    """The controller.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._fired: dict[str, tuple[str, float]] = {}
        self._delivery = Delivery(context)

    def take(self, announced: dict[str, Any]) -> None:
        """Send an event that an AWS service announced to the rules of its region's default bus."""
        account = self._context.state.account
        region = next((arn.split(":")[3] for arn in announced["resources"] if arn.count(":") > 4), "") or "us-east-1"
        event = _complete(announced, account, region)
        with self._context.lock:
            for rule in list(models.events_backends[account][region].event_buses["default"].rules.values()):
                self.offer(rule, event)

    def offer(self, rule: Any, event: dict[str, Any]) -> None:
        """Send an event to a rule's targets when the rule is enabled and its pattern matches."""
        if (
            rule.state == "DISABLED"
            or not rule.event_pattern.get_pattern()
            or not rule.event_pattern.matches_event(event)
        ):
            return
        self._delivery.send(rule, event)

    def tick(self, now: float) -> None:
        """Fire the schedules that are due at a time, in seconds since 1970. The caller holds the lock."""
        rules = {rule.arn: rule for rule in self._scheduled()}
        self._fired = {arn: fired for arn, fired in self._fired.items() if arn in rules}
        for arn, rule in rules.items():
            expression, last = self._fired.get(arn, ("", now))
            if expression != rule.scheduled_expression:
                last = now
            is_due = schedules.parse(rule.scheduled_expression).is_due(last, now)
            self._fired[arn] = (rule.scheduled_expression, now if is_due else last)
            if is_due and rule.state != "DISABLED":
                told = {"source": "aws.events", "detail-type": "Scheduled Event", "resources": [arn], "detail": {}}
                self._delivery.send(rule, _complete(told, rule.account_id, rule.region_name))

    def run(self) -> None:
        """Keep the time, for ever."""
        while True:
            with self._context.lock:
                try:
                    self.tick(time.time())
                except Exception:  # one rule must not stop the clock of the others
                    traceback.print_exc(file=sys.stderr)
            time.sleep(_SECONDS_BETWEEN)

    def _scheduled(self) -> list[Any]:
        backends: list[Any] = [backend for _, _, backend in models.events_backends.iter_backends()]
        return [
            rule
            for backend in backends
            for rule in backend.event_buses["default"].rules.values()
            if rule.scheduled_expression
        ]


def of(context: Context) -> Events:
    """Return the sandbox's EventBridge; the first call puts it behind moto's."""
    return context.part(Events, lambda: _install(context))


def _install(context: Context) -> Events:
    models.events_backends.backend = Backend
    events = Events(context)

    def send_to_targets(self: Any, event: dict[str, Any], transform_input: bool = True) -> None:
        events.offer(self, _complete(event, self.account_id, self.region_name))

    models.Rule.send_to_targets = send_to_targets
    setattr(EventsHandler, "test_event_pattern", _test_pattern)  # noqa: B010  # moto's says nothing
    context.events.append(events.take)
    threading.Thread(target=events.run, name="schedules", daemon=True).start()
    return events


def _test_pattern(self: Any) -> str:
    try:
        event = json.loads(self._get_param("Event"))
    except ValueError:
        raise ApiError("InvalidEventPatternException", "Parameter Event is not valid JSON.") from None
    return json.dumps({"Result": models.EventPattern.load(self._get_param("EventPattern")).matches_event(event)})


def _complete(event: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    """Return an event as targets see it."""
    moment = event.get("time")
    at = datetime.fromtimestamp(float(moment), UTC) if moment else datetime.now(UTC)
    return {
        "version": "0",
        "id": event.get("id") or str(uuid.uuid4()),
        "detail-type": event["detail-type"],
        "source": event["source"],
        "account": account,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": event.get("resources") or [],
        "detail": event["detail"],
    }
