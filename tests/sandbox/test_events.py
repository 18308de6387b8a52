"""EventBridge: schedules, what targets get, and who may be reached."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict
from moto.events.models import events_backends

from ragonotebooks.sandbox.aws import schedules
from ragonotebooks.sandbox.aws.event_targets import input_of
from ragonotebooks.sandbox.aws.events import Events
from tests.sandbox import tasks
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.metrics import counted
from tests.sandbox.tasks import Deployment

ACCOUNT, REGION = "123456789012", "us-east-1"


@pytest.mark.parametrize(
    ("expression", "time", "fires"),
    [
        ("cron(0 10 * * ? *)", "2026-11-24 10:00", True),
        ("cron(0 10 * * ? *)", "2026-11-24 10:01", False),
        ("cron(0/15 * * * ? *)", "2026-11-24 10:45", True),
        ("cron(0/15 * * * ? *)", "2026-11-24 10:50", False),
        ("cron(0 8-17 ? * MON-FRI *)", "2026-11-24 17:00", True),  # a Tuesday
        ("cron(0 8-17 ? * MON-FRI *)", "2026-11-22 17:00", False),  # a Sunday
        ("cron(0 18 ? * 1 *)", "2026-11-22 18:00", True),
        ("cron(0 0 1 JAN,JUL ? *)", "2027-07-01 00:00", True),
        ("cron(0 0 1 JAN,JUL ? *)", "2027-06-01 00:00", False),
        ("cron(0 0 L * ? *)", "2028-02-29 00:00", True),
        ("cron(0 0 L * ? *)", "2028-02-28 00:00", False),
        ("cron(0 9 ? * 3#4 *)", "2026-11-24 09:00", True),
        ("cron(0 9 ? * TUEL *)", "2026-11-24 09:00", True),
        ("cron(0 9 ? * TUEL *)", "2026-11-17 09:00", False),
        ("cron(30 12 24 11 ? 2026)", "2026-11-24 12:30", True),
        ("cron(30 12 24 11 ? 2027)", "2026-11-24 12:30", False),
    ],
)
def test_cron(expression: str, time: str, fires: bool) -> None:
    moment = datetime.strptime(time, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()
    assert schedules.parse(expression).is_due(moment - 1, moment + 0.5) == fires


def test_cron_fires_once_a_minute() -> None:
    schedule = schedules.parse("cron(* * * * ? *)")
    assert [second for second in range(55, 65) if schedule.is_due(60 * 10 + 57, 60 * 10 + second)] == [
        60,
        61,
        62,
        63,
        64,
    ]
    assert not schedule.is_due(60 * 11 + 0.5, 60 * 11 + 30)


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5 seconds)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(60 10 * * ? *)",
        "cron(0 10 * * ?)",
        "cron(0 10 15W * ? *)",
        "every day",
    ],
)
def test_schedule_that_does_not_exist_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"rate|cron|field|exactly"):
        schedules.parse(expression)


EVENT: dict[str, Any] = {
    "id": "1",
    "time": "2026-11-24T10:00:00Z",
    "source": "aws.ecs",
    "resources": ["arn:task"],
    "detail": {"lastStatus": "STOPPED", "containers": [{"name": "api", "exitCode": 1}], "stoppedReason": 'says "no"'},
}


def filled(template: str, **paths: str) -> dict[str, Any]:
    """A target whose template is filled."""
    return {"InputTransformer": {"InputTemplate": template, "InputPathsMap": paths}}


CONTAINER = "$.detail.containers[0]"
GOT = [
    ({}, json.dumps(EVENT)),
    ({"Input": '{"fixed": true}'}, '{"fixed": true}'),
    ({"InputPath": CONTAINER}, '{"name": "api", "exitCode": 1}'),
    ({"InputPath": "$.detail.none"}, "{}"),
    (
        filled('"task <s>: <r>"', s="$.detail.lastStatus", r="$.detail.stoppedReason"),
        '"task STOPPED: says \\"no\\""',
    ),
    (
        filled('{"code": <c>, "who": <n>}', c=f"{CONTAINER}.exitCode", n=f"{CONTAINER}.name"),
        '{"code": 1, "who": "api"}',
    ),
    (
        filled('{"rule": "<aws.events.rule-name>", "detail": <d>}', d=CONTAINER),
        '{"rule": "stopped", "detail": {"name": "api", "exitCode": 1}}',
    ),
    (filled("<unknown> <m>", m="$.detail.missing"), '<unknown> ""'),
]


@pytest.mark.parametrize(("target", "expected"), GOT)
def test_target_gets(target: dict[str, Any], expected: str) -> None:
    assert input_of(target, EVENT, f"arn:aws:events:{REGION}:{ACCOUNT}:rule/stopped") == expected


class Sent:
    """Takes the place of the delivery and remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def send(self, rule: Any, event: dict[str, Any]) -> None:
        self.events.append((rule.name, event))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    found = Sent()
    monkeypatch.setattr("ragonotebooks.sandbox.aws.events.Delivery", lambda context: found)
    yield found
    BackendDict.reset()


def events() -> Events:
    context: Any = SimpleNamespace(lock=threading.RLock(), state=SimpleNamespace(account=ACCOUNT))
    return Events(context)


def put_rule(name: str, **more: Any) -> None:
    events_backends[ACCOUNT][REGION].put_rule(name, **more)


def test_rate_fires_after_its_time_and_then_again(sent: Sent) -> None:
    put_rule("often", scheduled_expression="rate(1 minute)")
    clock = events()
    fired = []
    for second in range(200):
        clock.tick(1000 + second)
        fired.append(len(sent.events))
    assert [fired[59], fired[60], fired[119], fired[120], fired[180]] == [0, 1, 1, 2, 3]
    name, event = sent.events[0]
    assert (name, event["source"], event["detail-type"]) == ("often", "aws.events", "Scheduled Event")
    assert event["resources"] == [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/often"]


def test_schedule_that_is_disabled_or_gone_does_not_fire(sent: Sent) -> None:
    put_rule("off", scheduled_expression="rate(1 minute)", state="DISABLED")
    put_rule("gone", scheduled_expression="rate(1 minute)")
    clock = events()
    clock.tick(1000)
    events_backends[ACCOUNT][REGION].delete_rule("gone", None)
    clock.tick(1100)
    assert sent.events == []


def test_schedule_that_is_changed_begins_anew(sent: Sent) -> None:
    put_rule("changed", scheduled_expression="rate(1 minute)")
    clock = events()
    clock.tick(1000)
    put_rule("changed", scheduled_expression="rate(2 minutes)")
    clock.tick(1050)
    clock.tick(1100)
    assert sent.events == []
    clock.tick(1170)
    assert sent.names == ["changed"]


def test_event_reaches_the_rules_that_match_it(sent: Sent) -> None:
    stopped = {"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"], "exitCode": [{"numeric": [">", 0]}]}}
    put_rule("stopped", event_pattern=json.dumps(stopped))
    put_rule("all-of-ecs", event_pattern=json.dumps({"source": [{"prefix": "aws.e"}]}))
    put_rule("disabled", event_pattern=json.dumps({"source": ["aws.ecs"]}), state="DISABLED")
    put_rule("scheduled", scheduled_expression="rate(1 day)")
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/main/1"
    told = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "resources": [arn]}
    bus = events()
    bus.take({**told, "detail": {"lastStatus": "STOPPED", "exitCode": 137}})
    bus.take({**told, "detail": {"lastStatus": "STOPPED", "exitCode": 0}})
    assert sent.names == ["stopped", "all-of-ecs", "all-of-ecs"]
    event = sent.events[0][1]
    assert (event["account"], event["region"], event["resources"]) == (ACCOUNT, REGION, [arn])


def test_event_of_another_region_stays_there(sent: Sent) -> None:
    put_rule("here", event_pattern=json.dumps({"source": ["aws.ecs"]}))
    arn = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/main/1"
    events().take({"source": "aws.ecs", "detail-type": "x", "resources": [arn], "detail": {}})
    assert sent.events == []


class Rule:
    """A rule of the shared sandbox, with a queue as its target."""

    def __init__(self, sandbox: Sandbox, name: str, source: str, *, may_send: bool = True, **target: Any) -> None:
        self.sqs, self.events = sandbox.client("sqs"), sandbox.client("events")
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.arn = self.events.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
        asked = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.queue = asked["Attributes"]["QueueArn"]
        if may_send:
            self.let_in(self.url, self.queue)
        self.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": self.queue, **target}])

    def let_in(self, url: str, queue: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": self.arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def put(self, source: str, **detail: Any) -> None:
        entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail)}
        assert self.events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def received(self, url: str = "", wait: int = 10) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=url or self.url, WaitTimeSeconds=wait, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return list(answer.get("Messages", []))


def test_event_reaches_a_queue(sandbox: Sandbox) -> None:
    rule = Rule(sandbox, "to-queue", "test.queue")
    rule.put("test.other", number=1)
    rule.put("test.queue", number=2)
    [message] = rule.received()
    event = json.loads(message["Body"])
    assert (event["source"], event["detail"], event["account"]) == ("test.queue", {"number": 2}, ACCOUNT)
    assert datetime.fromisoformat(event["time"]) > datetime.now(UTC) - timedelta(minutes=1)


def test_event_that_the_queue_does_not_let_in_goes_to_the_dead_letters_and_is_counted(sandbox: Sandbox) -> None:
    sqs = sandbox.client("sqs")
    letters = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=letters, AttributeNames=["QueueArn"])
    arn = asked["Attributes"]["QueueArn"]
    rule = Rule(sandbox, "not-let-in", "test.denied", may_send=False, DeadLetterConfig={"Arn": arn})
    rule.let_in(letters, arn)
    rule.put("test.denied")
    [message] = rule.received(letters)
    assert "may not call sqs:SendMessage" in message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert rule.received(wait=0) == []
    assert counted(sandbox.client("cloudwatch"), "AWS/Events", "FailedInvocations", RuleName="not-let-in") == 1


def test_alarm_and_topic_and_log_group_work_together(sandbox: Sandbox) -> None:
    logs, cloudwatch = sandbox.client("logs"), sandbox.client("cloudwatch")
    logs.create_log_group(logGroupName="/events/alarms")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/events/*:*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName="events", policyDocument=policy)
    rule = Rule(sandbox, "alarms", "aws.cloudwatch", InputPath="$.detail.state.value")
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/events/alarms"
    rule.events.put_targets(Rule="alarms", Targets=[{"Id": "log", "Arn": group}])
    cloudwatch.put_metric_alarm(
        AlarmName="announced",
        Namespace="announced",
        MetricName="m",
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName="announced", StateValue="ALARM", StateReason="a drill")
    assert [message["Body"] for message in rule.received()] == ['"ALARM"']
    [event] = logs.filter_log_events(logGroupName="/events/alarms")["events"]
    assert json.loads(event["message"])["detail"]["previousState"] == {"value": "INSUFFICIENT_DATA"}
    cloudwatch.delete_alarms(AlarmNames=["announced"])


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"}, "targets of lambda are not supported"),
        ({"Arn": f"arn:aws:ssm:{REGION}:{ACCOUNT}:automation-definition/Restart"}, "targets of ssm are not supported"),
        ({"Arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/release"}, "RoleArn is required"),
        ({"Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/c", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r"}, "EcsParameters"),
        ({"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "Input": "1", "InputPath": "$.a"}, "Only one of Input and InputPath"),
        ({"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "InputPath": "$..a"}, "Invalid path"),
    ],
)  # fmt: skip
def test_target_that_would_not_be_reached_is_refused(sandbox: Sandbox, target: dict[str, Any], problem: str) -> None:
    client = sandbox.client("events")
    client.put_rule(Name="refused", EventPattern='{"source": ["test"]}')
    with pytest.raises(ClientError, match=problem):
        client.put_targets(Rule="refused", Targets=[{"Id": "1", **target}])


def test_schedule_that_is_malformed_is_refused_by_the_api(sandbox: Sandbox) -> None:
    with pytest.raises(ClientError, match="Parameter ScheduleExpression is not valid"):
        sandbox.client("events").put_rule(Name="malformed", ScheduleExpression="rate(1 minutes)")


@pytest.fixture(scope="module")
def deployment(sandbox: Sandbox) -> Deployment:
    return tasks.deploy(sandbox, "events")


def test_rule_runs_a_task_with_the_rights_of_its_role_and_hears_of_its_end(deployment: Deployment) -> None:
    sandbox, definition = deployment.sandbox, deployment.define("import sys; print('ran'); sys.exit(3)")
    iam = sandbox.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="events-run", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    network = {"awsvpcConfiguration": {"Subnets": [deployment.subnet], "AssignPublicIp": "ENABLED"}}
    target = {
        "Id": "task",
        "Arn": deployment.client("ecs").describe_clusters(clusters=["events"])["clusters"][0]["clusterArn"],
        "RoleArn": role,
        "EcsParameters": {"TaskDefinitionArn": definition, "LaunchType": "FARGATE", "NetworkConfiguration": network},
    }
    runner = Rule(sandbox, "runner", "test.run")
    runner.events.put_targets(Rule="runner", Targets=[target])
    stopped = Rule(sandbox, "stopped", "aws.ecs")
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"lastStatus": ["STOPPED"]}}
    stopped.events.put_rule(Name="stopped", EventPattern=json.dumps(pattern))

    runner.put("test.run")
    failed = {"Namespace": "AWS/Events", "MetricName": "FailedInvocations"}
    cloudwatch = sandbox.client("cloudwatch")
    names = [{"Name": "RuleName", "Value": "runner"}]
    eventually(lambda: cloudwatch.list_metrics(**failed, Dimensions=names)["Metrics"])
    allowed = {"Effect": "Allow", "Action": ["ecs:RunTask", "iam:PassRole"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName="events-run", PolicyName="run", PolicyDocument=document)
    runner.put("test.run")
    [message] = stopped.received(wait=20)
    detail = json.loads(message["Body"])["detail"]
    assert detail["containers"][0]["exitCode"] == 3
    assert detail["startedBy"] == "events-rule/runner"
    assert deployment.log(detail["taskArn"]) == ["ran"]
    for rule in (runner, stopped):
        name = rule.arn.rpartition("/")[2]
        rule.events.remove_targets(Rule=name, Ids=["queue", "task"])
        rule.events.delete_rule(Name=name)


@pytest.mark.parametrize(("state", "matches"), [("STOPPED", True), ("RUNNING", False)])
def test_pattern_can_be_tried(sandbox: Sandbox, state: str, matches: bool) -> None:
    event = {"source": "aws.ecs", "detail": {"lastStatus": state}}
    pattern = json.dumps({"source": ["aws.ecs"], "detail": {"lastStatus": [{"anything-but": "RUNNING"}]}})
    asked = sandbox.client("events").test_event_pattern(Event=json.dumps(event), EventPattern=pattern)
    assert asked["Result"] == matches
