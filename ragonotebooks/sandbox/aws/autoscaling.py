"""Application Auto Scaling of ECS services: policies that follow alarms really change a service's desired count.

Step scaling follows alarms that name the policy; target tracking makes its own two, as on AWS of minutes: 3 for growing, 15 for
shrinking. Other services, predefined metrics (the sandbox measures no CPU of tasks), predictive scaling and scheduled actions are
refused by name. moto keeps targets and policies.
"""

import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from moto.applicationautoscaling import models
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult
from moto.ecs.models import ecs_backends

from ragonotebooks.sandbox.aws import autoscaling_tags, cloudwatch
from ragonotebooks.sandbox.aws.alarms import Alarm, latest
from ragonotebooks.sandbox.aws.autoscaling_policies import NAMESPACE, Backend
from ragonotebooks.sandbox.aws.ecs_services import Services
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.scaling import DEFAULT_COOLDOWN, Cooldown, by_steps, by_target
from ragonotebooks.sandbox.context import Context

_DIMENSION: Final = "ecs:service:DesiredCount"


class AutoScaling:
    """The controller.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._cooldowns: dict[str, Cooldown] = {}
        #: Activities by region, the latest first.
        self.activities: dict[str, list[dict[str, Any]]] = {}

    def act(self, region: str, alarm: Alarm, before: str, arn: str) -> None:
        """Carry out the policy with this ARN because of an alarm. The caller holds the lock.

        Raises:
            ApiError: There is no such policy, or nothing that it could scale.
        """
        backend = models.applicationautoscaling_backends[self._context.state.account][region]
        policy = next((one for one in backend.policies.values() if one.policy_arn == arn), None)
        if policy is None:
            raise ApiError("ObjectNotFoundException", f"the scaling policy {arn} does not exist")
        target = backend.targets.get(_DIMENSION, {}).get(policy.resource_id)
        series = cloudwatch_backends[self._context.state.account][region].series  # type: ignore[attr-defined]
        value = latest(alarm, series, time.time())
        if target is None or value is None:
            problem = (
                "has no datapoint to scale by" if target else f"is about {policy.resource_id}, which is not registered"
            )
            raise ApiError("ValidationException", f"the alarm {alarm.name} {problem}")
        self.scale(region, policy, target, alarm, value, time.time())

    def scale(self, region: str, policy: Any, target: Any, alarm: Alarm, value: float, now: float) -> None:
        """Give the service the capacity that a policy wants for a metric's value, within bounds and cooldowns."""
        _, cluster, name = target.resource_id.split("/")
        service: Any = ecs_backends[self._context.state.account][region].services.get(f"{cluster}:{name}")
        if service is None:
            raise ApiError("ObjectNotFoundException", f"the service {target.resource_id} does not exist")
        capacity = int(service.desired_count)
        wanted = min(max(_wanted(policy, capacity, alarm, value), target.min_capacity), target.max_capacity)
        grows, suspended = wanted > capacity, target.suspended_state or {}
        if wanted == capacity or suspended.get("DynamicScalingOutSuspended" if grows else "DynamicScalingInSuspended"):
            return
        cooldown = self._cooldowns.setdefault(policy.policy_arn, Cooldown())
        if not cooldown.allows(capacity, wanted, now, _cooldowns(policy)):
            return
        self._context.parts[Services].set_desired(region, cluster, name, wanted)
        cooldown.note(capacity, wanted, now)
        cause = f"monitor alarm {alarm.name} in state {alarm.state} triggered policy {policy.policy_name}"
        self._note(region, target, wanted, cause)

    def _note(self, region: str, target: Any, wanted: int, cause: str) -> None:
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": target.service_namespace,
            "ResourceId": target.resource_id,
            "ScalableDimension": target.scalable_dimension,
            "Description": f"Setting desired count to {wanted}.",
            "Cause": cause,
            "StartTime": datetime.now(UTC),
            "EndTime": datetime.now(UTC),
            "StatusCode": "Successful",
            "StatusMessage": f"Successfully set desired count to {wanted}. Change successfully fulfilled by ecs.",
        }
        self.activities.setdefault(region, []).insert(0, activity)


def of(context: Context) -> AutoScaling:
    """Return the sandbox's Application Auto Scaling; the first call puts it behind moto's."""
    return context.part(AutoScaling, lambda: _install(context))


def _install(context: Context) -> AutoScaling:
    controller, watch = AutoScaling(context), cloudwatch.of(context).alarms
    watch.acts["autoscaling"] = controller.act
    models.applicationautoscaling_backends.backend = Backend
    Backend.watch = watch
    # the backend makes the alarms of target tracking itself
    models.FakeApplicationAutoscalingPolicy.create_alarms = lambda self: None
    actions = {
        **autoscaling_tags.actions(),
        "describe_scaling_activities": lambda self: _describe(self, controller),
    }
    for name, action in actions.items():
        setattr(Response, name, action)
    return controller


def _describe(self: Any, controller: AutoScaling) -> ActionResult:
    wanted = {"ResourceId": self._get_param("ResourceId"), "ScalableDimension": self._get_param("ScalableDimension")}
    found = [
        activity
        for activity in controller.activities.get(self.region, [])
        if self._get_param("ServiceNamespace") == NAMESPACE
        and all(value in (None, activity[name]) for name, value in wanted.items())
    ]
    return ActionResult({"ScalingActivities": found[: self._get_int_param("MaxResults") or 50]})


def _wanted(policy: Any, capacity: int, alarm: Alarm, value: float) -> int:
    if steps := policy.step_scaling_policy_configuration:
        return by_steps(steps, capacity, float(alarm.settings["Threshold"]), value)
    return by_target(policy.target_tracking_scaling_policy_configuration, capacity, value)


def _cooldowns(policy: Any) -> tuple[float, float]:
    """Seconds after growing and after shrinking."""
    if steps := policy.step_scaling_policy_configuration:
        seconds = steps.get("Cooldown", DEFAULT_COOLDOWN)
        return seconds, seconds
    tracking = policy.target_tracking_scaling_policy_configuration
    return tracking.get("ScaleOutCooldown", DEFAULT_COOLDOWN), tracking.get("ScaleInCooldown", DEFAULT_COOLDOWN)
