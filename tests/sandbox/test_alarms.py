"""Alarms: states by values, treatment of missing ones, and what they tell whom."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws.alarms import Alarm, evaluate, judge
from ragonotebooks.sandbox.aws.series import Metric, Series
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.metrics import DESCRIBED, START, query, series_of
from tests.sandbox.queues import queue_for

# values (None: missing), datapoints to alarm; then the state for missing, ignore, breaching, notBreaching (None: it stays)
# "Configuring how CloudWatch alarms treat missing data", Amazon CloudWatch user guide, read 2026-11
JUDGED = [
    ([0, 0, 0], 3, ("OK", "OK", "OK", "OK")),
    ([9, 9, 9], 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ([0, 9, 9], 3, ("OK", "OK", "OK", "OK")),
    ([0, 9, 9], 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ([None, None, None], 3, ("INSUFFICIENT_DATA", None, "ALARM", "OK")),
    ([None, None, 0], 3, ("OK", "OK", "OK", "OK")),
    ([9, None, None], 3, ("ALARM", None, "ALARM", "OK")),
    ([None, None, 9], 3, ("OK", "OK", "ALARM", "OK")),
    ([None, 9, None], 2, ("ALARM", None, "ALARM", "OK")),
    ([0, None, 9], 2, ("OK", "OK", "ALARM", "OK")),
    ([None], 1, ("INSUFFICIENT_DATA", None, "ALARM", "OK")),
]


@pytest.mark.parametrize(("values", "needed", "states"), JUDGED)
def test_states_by_values_and_treatment_of_missing_ones(
    values: list[float | None], needed: int, states: tuple[str | None, ...]
) -> None:
    treatments = ("missing", "ignore", "breaching", "notBreaching")
    assert tuple(judge(values, lambda value: value > 5, needed, one) for one in treatments) == states


def alarm_of(**settings: Any) -> Alarm:
    usual = {
        **DESCRIBED,
        "AlarmName": "slow",
        "Statistic": "Average",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    return Alarm("slow", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow", {**usual, **settings})


def state_of(alarm: Alarm, series: dict[Metric, Series], seconds: float) -> str | None:
    """The state that an alarm should have so many seconds after START."""
    verdict = evaluate(alarm, series, START + seconds)
    return verdict.state if verdict else None


def test_average_is_judged_when_its_period_is_over() -> None:
    series = series_of((2, 9))
    assert state_of(alarm_of(), series, 5) == "INSUFFICIENT_DATA"
    assert state_of(alarm_of(), series, 11) == "ALARM"
    assert state_of(alarm_of(), series, 21) == "INSUFFICIENT_DATA"


def test_sum_that_is_too_high_is_judged_at_once() -> None:
    alarm = alarm_of(Statistic="Sum", TreatMissingData="notBreaching")
    series = series_of((2, 3), (3, 3))
    assert state_of(alarm, series, 2.5) == "OK"
    assert state_of(alarm, series, 4) == "ALARM"
    assert state_of(alarm, series, 21) == "OK"


def test_sum_that_is_still_too_low_waits_for_its_period() -> None:
    alarm = alarm_of(Statistic="Sum", ComparisonOperator="LessThanThreshold")
    assert state_of(alarm, series_of((2, 3)), 5) == "INSUFFICIENT_DATA"
    assert state_of(alarm, series_of((2, 3)), 11) == "ALARM"


def test_alarm_follows_a_percentile() -> None:
    series = series_of(*((at, 1) for at in range(9)), (9, 50))
    assert state_of(alarm_of(Statistic=None, ExtendedStatistic="p50"), series, 11) == "OK"
    assert state_of(alarm_of(Statistic=None, ExtendedStatistic="p99"), series, 11) == "ALARM"


def test_alarm_follows_metric_math() -> None:
    expression = {"Id": "e", "Expression": "100 * bad / count"}
    queries = [expression, query("bad", ReturnData=False), query("count", "SampleCount", ReturnData=False)]
    assert state_of(alarm_of(Metrics=queries), series_of((1, 0), (2, 1)), 11) == "ALARM"


def test_reason_says_what_was_seen() -> None:
    verdict = evaluate(alarm_of(), series_of((2, 9)), START + 11)
    assert verdict is not None
    assert verdict.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [9.0 (24/11/26 06:00:00)] was greater than the threshold (5.0) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert json.loads(verdict.reason_data)["recentDatapoints"] == [9.0]


@pytest.fixture(scope="module")
def cloudwatch(sandbox: Sandbox) -> Any:
    return sandbox.client("cloudwatch")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"Period": 15}, "Period 15"),
        ({"Statistic": None}, "Exactly one of Statistic and ExtendedStatistic"),
        ({"ExtendedStatistic": "tm90", "Statistic": None}, "tm90"),
        ({"Threshold": None}, "Threshold"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "actions of automate are not supported"),
        ({"AlarmActions": ["arn:aws:lambda:us-east-1:123456789012:function:f"]}, "actions of lambda are not supported"),
        ({"DatapointsToAlarm": 4}, "DatapointsToAlarm"),
    ],
)
def test_alarm_that_would_not_work_is_refused(cloudwatch: Any, settings: dict[str, Any], problem: str) -> None:
    wanted = {**alarm_of().settings, **settings}
    with pytest.raises(ClientError, match=problem):
        cloudwatch.put_metric_alarm(**{key: one for key, one in wanted.items() if one is not None})


def test_alarm_fires_tells_its_topic_and_remembers(sandbox: Sandbox, cloudwatch: Any) -> None:
    sns = sandbox.client("sns")
    topic = sns.create_topic(Name="alarm-fires")["TopicArn"]
    url, arn = queue_for(sandbox, "alarm-fires", "sns.amazonaws.com", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    settings = {**alarm_of().settings, "AlarmName": "fires", "Namespace": "fires", "Statistic": "Sum"}
    cloudwatch.put_metric_alarm(**settings, AlarmActions=[topic])
    cloudwatch.get_waiter("alarm_exists").wait(AlarmNames=["fires"])
    datum = {"MetricName": "latency", "Dimensions": DESCRIBED["Dimensions"], "Value": 9, "StorageResolution": 1}
    cloudwatch.put_metric_data(Namespace="fires", MetricData=[datum])
    [message] = sandbox.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    envelope = json.loads(message["Body"])
    assert envelope["Subject"] == 'ALARM: "fires" in us-east-1'
    told = json.loads(envelope["Message"])
    assert (told["NewStateValue"], told["Trigger"]["Threshold"]) == ("ALARM", 5)
    [alarm] = cloudwatch.describe_alarms(StateValue="ALARM", AlarmNames=["fires"])["MetricAlarms"]
    assert alarm["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [9.0")
    history = cloudwatch.describe_alarm_history(AlarmName="fires", HistoryItemType="Action")["AlarmHistoryItems"]
    assert history[0]["HistorySummary"] == f"Successfully executed action {topic}"
    cloudwatch.delete_alarms(AlarmNames=["fires"])


def test_state_set_by_hand_stays_for_a_while_and_then_follows_the_metric(cloudwatch: Any) -> None:
    settings = {**alarm_of().settings, "AlarmName": "drill", "Namespace": "drill", "TreatMissingData": "notBreaching"}
    cloudwatch.put_metric_alarm(**settings)
    cloudwatch.set_alarm_state(AlarmName="drill", StateValue="ALARM", StateReason="a drill")

    def state() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=["drill"])["MetricAlarms"][0]["StateValue"])

    assert state() == "ALARM"
    eventually(lambda: state() == "OK")
    cloudwatch.delete_alarms(AlarmNames=["drill"])
    with pytest.raises(ClientError, match="drill does not exist"):
        cloudwatch.set_alarm_state(AlarmName="drill", StateValue="OK", StateReason="-")
