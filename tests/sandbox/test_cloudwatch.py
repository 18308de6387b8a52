"""CloudWatch: statistics, metric math, alarms, dashboards, and metrics out of logs."""

import json
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws import dashboards, emf, metric_filters
from ragonotebooks.sandbox.aws.alarms import Alarm, evaluate, judge
from ragonotebooks.sandbox.aws.metric_queries import QueryError, answer
from ragonotebooks.sandbox.aws.series import Metric, Sample, Series, statistic
from tests.sandbox.conftest import Sandbox, eventually

START = 1_795_500_000  # the start of a minute
METRIC = Metric("Ragonometrics", "latency", frozenset({("route", "/ask")}))
DESCRIBED = {
    "Namespace": METRIC.namespace,
    "MetricName": METRIC.name,
    "Dimensions": [{"Name": "route", "Value": "/ask"}],
}


def series_of(*values: tuple[float, float], resolution: int = 1) -> dict[Metric, Series]:
    """One metric with values at seconds after START."""
    series = Series()
    for at, value in values:
        series.add(Sample.of(START + at, value, resolution=resolution))
    return {METRIC: series}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SampleCount", 5),
        ("Sum", 110),
        ("Average", 22),
        ("Minimum", 1),
        ("Maximum", 100),
        ("p50", 3),
        ("p0", 1),
        ("p100", 100),
        ("p90", 61.6),
        ("p99.9", 99.616),
    ],
)
def test_statistics(name: str, expected: float) -> None:
    samples = [Sample.of(START, value) for value in (100, 1, 3, 4, 2)]
    assert statistic(name)(samples) == pytest.approx(expected)


def test_percentile_counts_repeated_values() -> None:
    assert statistic("p50")([Sample.of(START, 1, count=3), Sample.of(START, 9, count=2)]) == 1


def test_percentile_of_values_known_by_their_sum_alone_does_not_exist() -> None:
    assert statistic("p50")([Sample(START, 3, 12, 1, 8)]) is None
    assert statistic("p50")([Sample(START, 3, 12, 4, 4)]) == 4


@pytest.mark.parametrize("name", ["tm99", "p101", "P50", "Median"])
def test_other_statistics_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        statistic(name)


def test_late_samples_take_their_place() -> None:
    found = series_of((20, 3), (0, 1), (10, 2))[METRIC]
    assert found.points(statistic("Sum"), 10, START, START + 20) == {START: 1, START + 10: 2}


def test_metrics_of_standard_resolution_are_kept_by_the_minute() -> None:
    found = series_of((15, 1), (45, 1), resolution=60)[METRIC]
    assert found.points(statistic("Sum"), 10, START, START + 60) == {START: 2}


def query(name: str, stat: str = "Sum", **more: Any) -> dict[str, Any]:
    return {"Id": name, "MetricStat": {"Metric": DESCRIBED, "Period": 10, "Stat": stat}, **more}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 * 2", {0: 4.0, 10: 12.0}),
        ("100 * m1 / (m1 + m2)", {0: 200 / 3, 10: 600 / 8}),
        ("m1 - m1", {0: 0.0, 10: 0.0}),
        ("m1 / (m1 - 2)", {10: 1.5}),
        ("-m1", {0: -2.0, 10: -6.0}),
        ("SUM([m1, m2])", {0: 3.0, 10: 8.0}),
        ("MAX([m1, m2])", {0: 2.0, 10: 6.0}),
        ("SUM(m1)", {0: 8.0, 10: 8.0, 20: 8.0}),
        ("FILL(m1, 0)", {0: 2.0, 10: 6.0, 20: 0.0}),
        ("m1 / PERIOD(m1)", {0: 0.2, 10: 0.6}),
        ("CEIL(m1 / 4)", {0: 1.0, 10: 2.0}),
    ],
)
def test_metric_math(expression: str, expected: dict[int, float]) -> None:
    series = series_of((0, 2), (10, 5), (11, 1))
    asked = [query("m1"), query("m2", "SampleCount"), {"Id": "e", "Expression": expression}]
    points = answer(series, asked, START, START + 30)["e"].points
    assert points == {START + at: pytest.approx(value) for at, value in expected.items()}


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("SELECT AVG(x) FROM y", "Metrics Insights"),
        ("ANOMALY_DETECTION_BAND(m1)", "ANOMALY_DETECTION_BAND"),
        ("m1 +", "malformed"),
        ("m9 + 1", "m9"),
        ("e + 1", "e"),
        ("[m1, m1]", "several series"),
    ],
)
def test_other_math_is_refused_by_name(expression: str, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        answer({}, [query("m1"), {"Id": "e", "Expression": expression}], START, START + 30)


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


WIDGET = {"type": "metric", "properties": {"region": "us-east-1", "metrics": [["N", "m"]]}}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("{", "no JSON"),
        ("[]", "/widgets should be a list"),
        ('{"widgets": [1]}', "/widgets/0 should be an object"),
        ('{"widgets": [{"type": "chart"}]}', "/widgets/0/type should be one of"),
        ('{"widgets": [{"type": "metric"}]}', "/widgets/0/properties should be an object"),
        ('{"widgets": [{"type": "text", "properties": {}}]}', "should have markdown"),
        (json.dumps({"widgets": [WIDGET, {**WIDGET, "x": 20, "width": 6}]}), "/widgets/1 should end within 24 columns"),
    ],
)
def test_dashboard_that_cannot_be_drawn_is_refused(body: str, problem: str) -> None:
    assert problem in "; ".join(dashboards.validate(body))


def test_dashboard_with_widgets_is_fine() -> None:
    text = {"type": "text", "properties": {"markdown": "# Ragonometrics"}, "x": 0, "y": 0, "width": 24, "height": 1}
    assert dashboards.validate(json.dumps({"widgets": [WIDGET, text]})) == []


def embedded(**fields: Any) -> dict[str, Any]:
    metric = {"Name": "ms", "Unit": "Milliseconds", "StorageResolution": 1}
    directive = {"Namespace": "Ragonometrics", "Dimensions": [["route"], []], "Metrics": [metric]}
    told = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"route": "/ask", "ms": 12.5, "_aws": told, **fields}


def test_embedded_metric_is_one_series_for_each_set_of_dimensions() -> None:
    found = list(emf.measurements(json.dumps(embedded(ms=[1, 2]))))
    assert [namespace for namespace, _ in found] == ["Ragonometrics"] * 2
    assert [datum["Dimensions"] for _, datum in found] == [[{"Name": "route", "Value": "/ask"}], []]
    assert all(datum["Values"] == [1, 2] and datum["StorageResolution"] == 1 for _, datum in found)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"_aws": ', "EMFParsingErrors"),
        (json.dumps(embedded(ms="fast")), "EMFValidationErrors"),
        (json.dumps(embedded(route=7)), "EMFValidationErrors"),
        (json.dumps(embedded(_aws={"Timestamp": 1})), "EMFValidationErrors"),
    ],
)
def test_malformed_embedded_metric_is_counted_as_such(line: str, problem: str) -> None:
    with pytest.raises(emf.Malformed, match=problem):
        list(emf.measurements(line))


def test_metric_filter_takes_values_and_dimensions_from_events() -> None:
    made = {
        "metricName": "ms",
        "metricNamespace": "N",
        "metricValue": "$.ms",
        "dimensions": {"route": "$.route"},
        "unit": "Milliseconds",
    }
    messages = [{"level": "error", "ms": 3, "route": "/ask"}, {"level": "error", "ms": "x"}, {"level": "info", "ms": 4}]
    events = [{"timestamp": START * 1000, "message": json.dumps(message)} for message in messages]
    request = {"filterPattern": '{ $.level = "error" }', "metricTransformations": [made]}
    assert metric_filters.check(request) is None
    [(namespace, datum)] = metric_filters.measurements(request, events)
    assert (namespace, datum["Value"], datum["Dimensions"]) == ("N", 3.0, [{"Name": "route", "Value": "/ask"}])


def test_metric_filter_with_a_default_counts_events_that_do_not_match() -> None:
    made = {"metricName": "errors", "metricNamespace": "N", "metricValue": "1", "defaultValue": 0}
    events = [{"timestamp": START * 1000, "message": message} for message in ("ERROR: no", "fine")]
    request = {"filterPattern": "ERROR", "metricTransformations": [made]}
    assert [datum["Value"] for _, datum in metric_filters.measurements(request, events)] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("pattern", "value", "problem"),
    [("{ $.a IS TRUE }", "1", "Invalid filter pattern"), ("ERROR", "$size", "no selector")],
)
def test_metric_filter_that_would_measure_nothing_is_refused(pattern: str, value: str, problem: str) -> None:
    made = {"metricName": "m", "metricNamespace": "N", "metricValue": value}
    assert problem in (metric_filters.check({"filterPattern": pattern, "metricTransformations": [made]}) or "")


@pytest.fixture(scope="module")
def cloudwatch(sandbox: Sandbox) -> Any:
    return sandbox.client("cloudwatch")


def now() -> datetime:
    return datetime.now(UTC)


def test_metrics_are_put_listed_and_read(cloudwatch: Any) -> None:
    data = [
        {
            "MetricName": "ms",
            "Values": [1, 2, 3],
            "Counts": [1, 1, 8],
            "Unit": "Milliseconds",
            "Dimensions": DESCRIBED["Dimensions"],
        }
    ]
    cloudwatch.put_metric_data(Namespace="put-and-read", MetricData=data)
    [listed] = cloudwatch.list_metrics(Namespace="put-and-read")["Metrics"]
    assert listed["Dimensions"] == DESCRIBED["Dimensions"]
    times = {"StartTime": now() - timedelta(minutes=5), "EndTime": now() + timedelta(minutes=1)}
    [point] = cloudwatch.get_metric_statistics(
        **listed, **times, Period=3600, Statistics=["SampleCount", "Sum"], ExtendedStatistics=["p50"]
    )["Datapoints"]
    assert (point["SampleCount"], point["Sum"], point["ExtendedStatistics"], point["Unit"]) == (
        10,
        27,
        {"p50": 3},
        "Milliseconds",
    )
    queries = [
        {"Id": "m1", "MetricStat": {"Metric": listed, "Period": 3600, "Stat": "p0"}, "ReturnData": False},
        {"Id": "twice", "Expression": "2 * m1", "Label": "double"},
    ]
    [result] = cloudwatch.get_metric_data(MetricDataQueries=queries, **times)["MetricDataResults"]
    assert (result["Id"], result["Label"], result["Values"]) == ("twice", "double", [2.0])


@pytest.mark.parametrize(
    ("namespace", "datum", "problem"),
    [
        ("AWS/ECS", {"Value": 1}, "AWS/"),
        ("N", {}, "finite number"),
        ("N", {"Value": 1, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "older than two weeks"),
        ("N", {"Value": 1, "StorageResolution": 30}, "StorageResolution"),
    ],
)
def test_malformed_metric_is_refused(cloudwatch: Any, namespace: str, datum: dict[str, Any], problem: str) -> None:
    with pytest.raises(ClientError, match=problem):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", **datum}])


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


def queue_for(sandbox: Sandbox, name: str, service: str, source: str) -> tuple[str, str]:
    """A queue that a service may send to on behalf of `source`; its URL and ARN."""
    sqs = sandbox.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    # AWS keeps what is not given
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    return url, arn


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
    eventually(lambda: state() == "OK", seconds=30)
    cloudwatch.delete_alarms(AlarmNames=["drill"])
    with pytest.raises(ClientError, match="drill does not exist"):
        cloudwatch.set_alarm_state(AlarmName="drill", StateValue="OK", StateReason="-")


def test_topic_does_not_reach_a_queue_whose_policy_does_not_let_it(sandbox: Sandbox, cloudwatch: Any) -> None:
    sns, sqs = sandbox.client("sns"), sandbox.client("sqs")
    topic = sns.create_topic(Name="denied")["TopicArn"]
    url, arn = queue_for(sandbox, "denied", "sns.amazonaws.com", f"{topic}-other")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="hello")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    failed = cloudwatch.get_metric_statistics(
        Namespace="AWS/SNS",
        MetricName="NumberOfNotificationsFailed",
        Dimensions=[{"Name": "TopicName", "Value": "denied"}],
        StartTime=now() - timedelta(minutes=5),
        EndTime=now() + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    assert failed["Datapoints"][0]["Sum"] == 1


def test_endpoint_gets_messages_once_it_has_confirmed(sandbox: Sandbox) -> None:
    posted: list[dict[str, Any]] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    Thread(target=server.serve_forever, daemon=True).start()
    sns = sandbox.client("sns")
    topic = sns.create_topic(Name="endpoint")["TopicArn"]
    endpoint = f"http://127.0.0.1:{server.server_port}/alarms"
    assert (
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)["SubscriptionArn"] == "pending confirmation"
    )
    eventually(lambda: posted)
    sns.publish(TopicArn=topic, Message="too early")
    # the endpoint visits the URL without credentials; the token in it is the proof
    session = requests.Session()
    session.trust_env = False
    wrong = posted[0]["SubscribeURL"].replace(posted[0]["Token"], "0" * 128)
    for url, status in ((wrong, 400), (posted[0]["SubscribeURL"], 200)):
        answered = session.get(url, proxies={"https": sandbox.proxy}, verify=sandbox.bundle, timeout=10)
        assert answered.status_code == status
    sns.publish(TopicArn=topic, Message="hello")
    eventually(lambda: len(posted) > 1)
    assert [one["Type"] for one in posted] == ["SubscriptionConfirmation", "Notification"]
    assert posted[1]["Message"] == "hello"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("protocol", "endpoint", "problem"),
    [
        ("email", "someone@example.org", "protocol email are not supported"),
        ("https", "https://example.org/alarms", "example.org is not reached"),
        ("http", "https://127.0.0.1/", "begins with http://"),
    ],
)
def test_subscription_that_would_get_nothing_is_refused(
    sandbox: Sandbox, protocol: str, endpoint: str, problem: str
) -> None:
    sns = sandbox.client("sns")
    topic = sns.create_topic(Name="refused")["TopicArn"]
    with pytest.raises(ClientError, match=problem):
        sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint)


def test_log_lines_become_metrics(sandbox: Sandbox, cloudwatch: Any) -> None:
    logs = sandbox.client("logs")
    logs.create_log_group(logGroupName="measured")
    logs.create_log_stream(logGroupName="measured", logStreamName="s")
    made = {"metricName": "errors", "metricNamespace": "from-logs", "metricValue": "1"}
    for _ in range(2):  # the second replaces the first
        logs.put_metric_filter(
            logGroupName="measured", filterName="errors", filterPattern="ERROR", metricTransformations=[made]
        )
    lines = [json.dumps(embedded()), "ERROR: no database", json.dumps(embedded(ms="broken"))]
    events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
    logs.put_log_events(logGroupName="measured", logStreamName="s", logEvents=events)

    def total(namespace: str, name: str, *dimensions: dict[str, str]) -> float:
        times = {"StartTime": now() - timedelta(minutes=5), "EndTime": now() + timedelta(minutes=1)}
        asked = {"Namespace": namespace, "MetricName": name, "Dimensions": list(dimensions)}
        points = cloudwatch.get_metric_statistics(**asked, **times, Period=3600, Statistics=["Sum"])["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    assert total("Ragonometrics", "ms", {"Name": "route", "Value": "/ask"}) == 12.5
    assert total("from-logs", "errors") == 1
    assert total("AWS/Logs", "EMFValidationErrors", {"Name": "LogGroupName", "Value": "measured"}) == 1


def test_waiting_for_a_message_lets_others_be_answered(sandbox: Sandbox) -> None:
    sqs = sandbox.client("sqs")
    url = sqs.create_queue(QueueName="long-poll")["QueueUrl"]
    got: list[Any] = []
    waiting = Thread(target=lambda: got.extend(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]))
    waiting.start()
    sandbox.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    waiting.join(timeout=15)
    assert [message["Body"] for message in got] == ["hello"]
