"""Application Auto Scaling: what policies want, and services that get it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws.scaling import Cooldown, by_steps, by_target, check_steps
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.services import Fleet
from tests.sandbox.tasks import Deployment, deploy

UP = [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3},
]
DOWN = [
    {"MetricIntervalUpperBound": 0, "MetricIntervalLowerBound": -5, "ScalingAdjustment": -1},
    {"MetricIntervalUpperBound": -5, "ScalingAdjustment": -4},
]


def steps(kind: str, *adjustments: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"AdjustmentType": kind, "StepAdjustments": list(adjustments), **more}


# policy, capacity, value of the metric at a threshold of 20; the capacity that is wanted
STEPS = [
    (steps("ChangeInCapacity", *UP), 2, 20, 3),
    (steps("ChangeInCapacity", *UP), 2, 29.9, 3),
    (steps("ChangeInCapacity", *UP), 2, 30, 5),
    (steps("ChangeInCapacity", *UP), 2, 19, 2),
    (steps("ChangeInCapacity", *DOWN), 3, 16, 2),
    (steps("ChangeInCapacity", *DOWN), 3, 15, 0),
    (steps("ExactCapacity", {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 7}), 2, 25, 7),
    (steps("PercentChangeInCapacity", {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 50}), 5, 25, 7),
    (steps("PercentChangeInCapacity", {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 10}), 2, 25, 3),
    (
        steps(
            "PercentChangeInCapacity",
            {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 50},
            MinAdjustmentMagnitude=4,
        ),
        5,
        25,
        9,
    ),
]


@pytest.mark.parametrize(("policy", "capacity", "value", "wanted"), STEPS)
def test_steps(policy: dict[str, Any], capacity: int, value: float, wanted: int) -> None:
    assert check_steps(policy) is None
    assert by_steps(policy, capacity, 20, value) == wanted


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (steps("Double", *UP), "AdjustmentType"),
        (steps("ChangeInCapacity"), "at least one"),
        (steps("ChangeInCapacity", *UP, {"MetricIntervalLowerBound": 5, "ScalingAdjustment": 1}), "overlap"),
        (
            steps(
                "ChangeInCapacity",
                {"MetricIntervalLowerBound": 5, "MetricIntervalUpperBound": 5, "ScalingAdjustment": 1},
            ),
            "less than",
        ),
    ],
)
def test_steps_that_are_malformed_are_refused(policy: dict[str, Any], problem: str) -> None:
    assert problem in (check_steps(policy) or "")


@pytest.mark.parametrize(
    ("capacity", "value", "wanted"),
    [(2, 10, 2), (2, 11, 3), (2, 20, 4), (4, 25, 10), (4, 9.5, 4), (4, 5, 2), (4, 0, 0), (1, 9, 1), (0, 50, 1)],
)
def test_target_tracking_keeps_a_target_of_ten(capacity: int, value: float, wanted: int) -> None:
    assert by_target({"TargetValue": 10}, capacity, value) == wanted


def test_target_tracking_may_be_told_not_to_shrink() -> None:
    assert by_target({"TargetValue": 10, "DisableScaleIn": True}, 4, 1) == 4


def test_growing_waits_for_its_cooldown_unless_more_is_wanted() -> None:
    cooldown, seconds = Cooldown(), (60, 300)
    assert cooldown.allows(2, 3, 1000, seconds)
    cooldown.note(2, 3, 1000)
    assert not cooldown.allows(2, 3, 1030, seconds)
    assert cooldown.allows(3, 5, 1030, seconds)
    assert cooldown.allows(2, 3, 1060, seconds)


def test_shrinking_waits_for_its_cooldown_and_never_holds_growing_up() -> None:
    cooldown, seconds = Cooldown(), (60, 300)
    cooldown.note(3, 2, 1000)
    assert not cooldown.allows(2, 1, 1299, seconds)
    assert cooldown.allows(2, 3, 1001, seconds)
    assert cooldown.allows(2, 1, 1300, seconds)


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Deployment:
    return deploy(sandbox, "scaling")


@pytest.fixture(scope="module")
def worker(cluster: Deployment) -> Any:
    fleet = Fleet(cluster, "worker")
    fleet.create(fleet.define(), count=0)
    yield fleet
    fleet.delete()


def target(fleet: Fleet) -> dict[str, str]:
    """How Application Auto Scaling names a service's desired count."""
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{fleet.deployment.name}/{fleet.name}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }


def desired(fleet: Fleet) -> int:
    described = fleet.ecs.describe_services(cluster=fleet.deployment.name, services=[fleet.name])
    return int(described["services"][0]["desiredCount"])


def test_queue_that_grows_gets_workers_within_bounds_and_with_a_reason(worker: Fleet) -> None:
    scaling, cloudwatch = (worker.deployment.client(name) for name in ("application-autoscaling", "cloudwatch"))
    scaling.register_scalable_target(**target(worker), MinCapacity=0, MaxCapacity=2)
    body = {**steps("ChangeInCapacity", {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 5}), "Cooldown": 60}
    policy = scaling.put_scaling_policy(
        **target(worker), PolicyName="grow", PolicyType="StepScaling", StepScalingPolicyConfiguration=body
    )["PolicyARN"]
    cloudwatch.put_metric_alarm(
        AlarmName="queue-is-long",
        Namespace="scaling",
        MetricName="QueueDepth",
        Statistic="Maximum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=20,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[policy],
    )
    datum = {"MetricName": "QueueDepth", "Value": 45, "StorageResolution": 1}
    cloudwatch.put_metric_data(Namespace="scaling", MetricData=[datum])
    eventually(lambda: desired(worker) == 2)
    [activity] = scaling.describe_scaling_activities(**target(worker))["ScalingActivities"]
    assert activity["StatusCode"] == "Successful"
    assert activity["Description"] == "Setting desired count to 2."
    assert activity["Cause"] == "monitor alarm queue-is-long in state ALARM triggered policy grow"
    cloudwatch.delete_alarms(AlarmNames=["queue-is-long"])
    scaling.delete_scaling_policy(**target(worker), PolicyName="grow")


def test_target_tracking_makes_its_alarms_and_takes_them_away(worker: Fleet) -> None:
    scaling, cloudwatch = (worker.deployment.client(name) for name in ("application-autoscaling", "cloudwatch"))
    scaling.register_scalable_target(**target(worker), MinCapacity=0, MaxCapacity=2)
    metric = {"Namespace": "scaling", "MetricName": "BacklogPerTask", "Statistic": "Average"}

    def put(value: float) -> dict[str, Any]:
        answer: dict[str, Any] = scaling.put_scaling_policy(
            **target(worker),
            PolicyName="track",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={"TargetValue": value, "CustomizedMetricSpecification": metric},
        )
        return answer

    def alarms() -> list[tuple[Any, ...]]:
        found = cloudwatch.describe_alarms(AlarmNamePrefix="TargetTracking-service/scaling/worker")["MetricAlarms"]
        keys = ("ComparisonOperator", "Threshold", "Period", "EvaluationPeriods")
        return sorted(tuple(alarm[key] for key in keys) for alarm in found)

    first = put(10)
    assert alarms() == [("GreaterThanThreshold", 10, 60, 3), ("LessThanThreshold", 9, 60, 15)]
    second = put(20)
    assert second["PolicyARN"] == first["PolicyARN"]
    assert alarms() == [("GreaterThanThreshold", 20, 60, 3), ("LessThanThreshold", 18, 60, 15)]
    [described] = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert [one["AlarmName"] for one in described["Alarms"]] == [one["AlarmName"] for one in second["Alarms"]]
    scaling.deregister_scalable_target(**target(worker))
    assert alarms() == []
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_policy_that_cannot_scale_says_so_in_the_history_of_its_alarm(worker: Fleet) -> None:
    scaling, cloudwatch = (worker.deployment.client(name) for name in ("application-autoscaling", "cloudwatch"))
    policy = (
        f"arn:aws:autoscaling:us-east-1:{'1' * 12}:scalingPolicy:1:resource/ecs/service/scaling/worker:policyName/none"
    )
    scaling.describe_scalable_targets(ServiceNamespace="ecs")
    settings = {"Statistic": "Sum", "Period": 10, "EvaluationPeriods": 1, "Threshold": 1}
    cloudwatch.put_metric_alarm(
        AlarmName="nothing-to-scale",
        Namespace="scaling",
        MetricName="nothing",
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[policy],
        **settings,
    )
    cloudwatch.set_alarm_state(AlarmName="nothing-to-scale", StateValue="ALARM", StateReason="a drill")
    history = cloudwatch.describe_alarm_history(AlarmName="nothing-to-scale", HistoryItemType="Action")
    [item] = history["AlarmHistoryItems"]
    assert item["HistorySummary"].startswith("Failed to execute action")
    assert json.loads(item["HistoryData"])["actionState"] == "Failed"
    cloudwatch.delete_alarms(AlarmNames=["nothing-to-scale"])


def test_what_would_not_scale_is_refused(worker: Fleet) -> None:
    scaling = worker.deployment.client("application-autoscaling")
    with pytest.raises(ClientError, match="dynamodb are not supported"):
        scaling.register_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId="table/papers",
            ScalableDimension="dynamodb:table:ReadCapacityUnits",
            MinCapacity=1,
            MaxCapacity=2,
        )
    with pytest.raises(ClientError, match="MinCapacity must be at least 0"):
        scaling.register_scalable_target(**target(worker), MinCapacity=3, MaxCapacity=2)
    absent = {**target(worker), "ResourceId": "service/scaling/absent"}
    with pytest.raises(ClientError, match="doesn't exist"):
        scaling.register_scalable_target(**absent, MinCapacity=0, MaxCapacity=2)
    with pytest.raises(ClientError, match="No scalable target is registered"):
        scaling.put_scaling_policy(
            **absent,
            PolicyName="p",
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration=steps("ChangeInCapacity", *UP),
        )
    scaling.register_scalable_target(**target(worker), MinCapacity=0, MaxCapacity=2)
    predefined = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    with pytest.raises(ClientError, match="ECSServiceAverageCPUUtilization is not measured"):
        scaling.put_scaling_policy(
            **target(worker),
            PolicyName="cpu",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={"TargetValue": 50, "PredefinedMetricSpecification": predefined},
        )
    with pytest.raises(ClientError, match="PutScheduledAction is not supported"):
        scaling.put_scheduled_action(**target(worker), ScheduledActionName="night", Schedule="rate(1 day)")
