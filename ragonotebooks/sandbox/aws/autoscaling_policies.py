"""Scalable targets and scaling policies: moto's, checked, with alarms of their own for target tracking."""

import uuid
from typing import Any, ClassVar, Final

from moto.applicationautoscaling import models
from moto.cloudwatch.models import cloudwatch_backends

from ragonotebooks.sandbox.aws.alarm_watch import AlarmWatch
from ragonotebooks.sandbox.aws.cloudwatch_alarms import put_alarm
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.scaling import LOW_SHARE, check_steps

NAMESPACE: Final = "ecs"
_PERIOD: Final = 60
_METRIC: Final = ("MetricName", "Namespace", "Dimensions", "Statistic", "Unit")


class Backend(models.ApplicationAutoscalingBackend):
    """moto's backend, refusing what would not scale."""

    # moto derives an API's URLs from the module that its backend is defined in
    __module__ = "moto.applicationautoscaling.models"
    #: Watches the alarms that are made here.
    watch: ClassVar[AlarmWatch]

    def register_scalable_target(self, namespace: str, *args: Any, **more: Any) -> Any:
        """Register or change the bounds of an ECS service's desired count."""
        if namespace != NAMESPACE:
            raise _invalid(f"scalable targets of {namespace} are not supported by the sandbox; it scales ecs")
        low, high = more.get("min_capacity"), more.get("max_capacity")
        known = self._scalable_target_exists(*args[:2])
        if not known and (low is None or high is None):
            raise _invalid("MinCapacity and MaxCapacity are needed to register a scalable target")
        if low is not None and high is not None and not 0 <= low <= high:
            raise _invalid("MinCapacity must be at least 0 and at most MaxCapacity")
        return super().register_scalable_target(namespace, *args, **more)

    def deregister_scalable_target(self, namespace: str, r_id: str, dimension: str) -> None:
        """Forget a service's bounds, and with them its policies."""
        super().deregister_scalable_target(namespace, r_id, dimension)
        for policy in [one for one in self.policies.values() if one.resource_id == r_id]:
            self.delete_scaling_policy(policy.policy_name, namespace, r_id, dimension)

    def put_scaling_policy(self, **request: Any) -> Any:  # type: ignore[override]  # its one caller names all
        """Make or change a policy; one that is changed keeps its ARN."""
        name, resource = request["policy_name"], request["resource_id"]
        if not self._scalable_target_exists(resource, request["scalable_dimension"]):
            raise ApiError("ObjectNotFoundException", f"No scalable target is registered for {resource}.")
        _check(request)
        before = self.policies.get(
            models.FakeApplicationAutoscalingPolicy.formulate_key(
                request["service_namespace"], resource, request["scalable_dimension"], name
            )
        )
        policy: Any = super().put_scaling_policy(**request)
        if before:
            policy.policy_arn = before.policy_arn
            before.delete_alarms(self.account_id, self.region_name)
        if policy.policy_type == "TargetTrackingScaling":
            policy.alarms = self._make_alarms(policy)
        return policy

    def _make_alarms(self, policy: Any) -> list[Any]:
        """The alarms of target tracking: too much for three minutes, too little for a quarter of an hour."""
        tracking = policy.target_tracking_scaling_policy_configuration
        target, cloudwatch = float(tracking["TargetValue"]), cloudwatch_backends[self.account_id][self.region_name]
        kinds = [("AlarmHigh", "GreaterThanThreshold", target, 3)]
        if not tracking.get("DisableScaleIn"):
            kinds.append(("AlarmLow", "LessThanThreshold", LOW_SHARE * target, 15))
        return [
            put_alarm(
                cloudwatch,
                self.watch,
                {
                    "AlarmName": f"TargetTracking-{policy.resource_id}-{kind}-{uuid.uuid4()}",
                    "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.policy_arn}.",
                    "AlarmActions": [policy.policy_arn],
                    "ComparisonOperator": comparison,
                    "EvaluationPeriods": periods,
                    "Threshold": threshold,
                    **_metric(tracking["CustomizedMetricSpecification"]),
                },
            )
            for kind, comparison, threshold, periods in kinds
        ]


def _metric(specification: dict[str, Any]) -> dict[str, Any]:
    """What a policy's metric is in the words of an alarm."""
    if not specification.get("Metrics"):
        return {"Period": _PERIOD, **{name: specification[name] for name in _METRIC if specification.get(name)}}
    queries = [dict(query) for query in specification["Metrics"]]
    for query in queries:
        if query.get("MetricStat"):
            query["MetricStat"] = {"Period": _PERIOD, **query["MetricStat"]}
    return {"Metrics": queries}


def _check(request: dict[str, Any]) -> None:
    kind, body = request.get("policy_type"), request.get("policy_body") or {}
    if kind == "StepScaling":
        if problem := check_steps(body):
            raise _invalid(problem)
    elif kind == "TargetTrackingScaling":
        if "TargetValue" not in body or float(body["TargetValue"]) <= 0:
            raise _invalid("TargetValue must be more than 0")
        if not body.get("CustomizedMetricSpecification"):
            named = (body.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType", "none")
            raise _invalid(
                f"the predefined metric {named} is not measured by the sandbox: take a CustomizedMetricSpecification"
            )
    else:
        raise _invalid(
            f"policies of the type {kind} are not supported by the sandbox; take StepScaling or TargetTrackingScaling"
        )


def _invalid(problem: str) -> ApiError:
    return ApiError("ValidationException", f"{problem[0].upper()}{problem[1:]}.")
