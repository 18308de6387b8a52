"""Cloud Monitoring's alert policies, channels, uptime checks and dashboards: what they watch is real, and so is who is told."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import google.auth
import httplib2
import pytest
from google.api_core import exceptions
from google.auth.transport.requests import AuthorizedSession
from google.cloud import monitoring_dashboard_v1, monitoring_v3, storage
from googleapiclient.discovery import build

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.conftest import PROJECT, enable

Aligner = monitoring_v3.Aggregation.Aligner
Policy = monitoring_v3.AlertPolicy
Combiner = Policy.ConditionCombinerType
GT = monitoring_v3.ComparisonType.COMPARISON_GT
BUCKET = "told-of-incidents"
AGENT = "service-314159265358@gcp-sa-monitoring-notification.iam.gserviceaccount.com"


class Watched:
    """The operator's clients of Monitoring.

    Attributes:
        policies: Of alert policies.
    """

    def __init__(self) -> None:
        self.policies = monitoring_v3.AlertPolicyServiceClient()
        self.channels = monitoring_v3.NotificationChannelServiceClient()
        self.checks = monitoring_v3.UptimeCheckServiceClient()
        self.metrics = monitoring_v3.MetricServiceClient()

    def write(self, metric: str, value: float, ago: int = 0, **labels: str) -> None:
        """Write a point of a custom metric."""
        series = monitoring_v3.TimeSeries()
        series.metric.type, series.resource.type = f"custom.googleapis.com/{metric}", "global"
        series.metric.labels.update(labels)
        end = {"seconds": int(time.time()) - ago}
        series.points = [monitoring_v3.Point(interval={"end_time": end}, value={"double_value": value})]
        self.metrics.create_time_series(name=PROJECT, time_series=[series])

    def write_of(self, node: str, metric: str, value: float) -> None:
        """Write a point of a custom metric of a node."""
        resource = {"type": "generic_node", "labels": {"location": "global", "namespace": "lab", "node_id": node}}
        series = monitoring_v3.TimeSeries(metric={"type": f"custom.googleapis.com/{metric}"}, resource=resource)
        point = {"interval": {"end_time": {"seconds": int(time.time())}}, "value": {"double_value": value}}
        series.points = [monitoring_v3.Point(point)]
        self.metrics.create_time_series(name=PROJECT, time_series=[series])

    def make(self, name: str, *conditions: dict[str, Any], **more: Any) -> monitoring_v3.AlertPolicy:
        """Make a policy."""
        shown = [{"display_name": f"condition {number}", **one} for number, one in enumerate(conditions)]
        policy = {"display_name": name, "combiner": Combiner.OR, "conditions": shown, **more}
        return self.policies.create_alert_policy(name=PROJECT, alert_policy=Policy(policy))

    def alerts(self, policy: monitoring_v3.AlertPolicy) -> list[dict[str, Any]]:
        """The alerts of a policy as the API lists them, the last opened first."""
        api = build("monitoring", "v3", cache_discovery=False)
        found = api.projects().alerts().list(parent=PROJECT, filter=f'policy.name="{policy.name}"').execute()
        return list(found["alerts"])

    def states(self, policy: monitoring_v3.AlertPolicy) -> list[str]:
        """The states of a policy's alerts."""
        return [one["state"] for one in self.alerts(policy)]


def above(metric: str, value: float, duration: int = 0, **more: Any) -> dict[str, Any]:
    """A condition that holds while the mean of a custom metric is above a value."""
    return {
        "condition_threshold": {
            "filter": f'metric.type = "custom.googleapis.com/{metric}" AND resource.type = "global"',
            "aggregations": [{"alignment_period": {"seconds": 60}, "per_series_aligner": Aligner.ALIGN_MEAN}],
            "comparison": GT,
            "threshold_value": value,
            "duration": {"seconds": duration},
            **more,
        }
    }


@pytest.fixture
def watched(gcp: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    # httplib2 reads HTTPLIB2_CA_CERTS when it is imported, and this process imported it for another sandbox
    monkeypatch.setattr(httplib2, "CA_CERTS", gcp.bundle)
    found = Watched()
    yield found
    for policy in found.policies.list_alert_policies(name=PROJECT):
        found.policies.delete_alert_policy(name=policy.name)


def open_bucket() -> storage.Bucket:
    """The bucket that anybody may read and put objects into."""
    client = storage.Client()
    found = client.lookup_bucket(BUCKET)
    if found is None:
        found = client.create_bucket(BUCKET)
        policy = found.get_iam_policy(requested_policy_version=3)
        for role in ("roles/storage.objectCreator", "roles/storage.objectViewer"):
            policy.bindings.append({"role": role, "members": {"allUsers"}})
        found.set_iam_policy(policy)
    return found


def test_an_alert_opens_while_the_threshold_is_crossed_and_closes_after_it(watched: Watched) -> None:
    watched.write("lag", 1.0, ago=30, shard="a")
    policy = watched.make("Lag", above("lag", 5.0), severity=Policy.Severity.WARNING, user_labels={"team": "rag"})
    assert watched.alerts(policy) == []
    watched.write("lag", 20.0, ago=20, shard="a")
    eventually(lambda: watched.states(policy) == ["OPEN"])
    [alert] = watched.alerts(policy)
    assert alert["metric"] == {"type": "custom.googleapis.com/lag", "labels": {"shard": "a"}}
    assert alert["resource"]["type"] == "global"
    assert alert["policy"]["severity"] == "WARNING"
    assert alert["policy"]["userLabels"] == {"team": "rag"}
    for ago in (15, 10, 5):
        watched.write("lag", 0.0, ago=ago, shard="a")
    watched.write("lag", -20.0, shard="a")
    eventually(lambda: watched.states(policy) == ["CLOSED"])
    assert watched.alerts(policy)[0]["closeTime"] > alert["openTime"]


def test_every_series_has_an_alert_of_its_own(watched: Watched) -> None:
    watched.write("each", 9.0, shard="a")
    watched.write("each", 9.0, shard="b")
    watched.write("each", 1.0, shard="c")
    policy = watched.make("Each", above("each", 5.0))
    eventually(lambda: len(watched.alerts(policy)) == 2)
    assert {one["metric"]["labels"]["shard"] for one in watched.alerts(policy)} == {"a", "b"}


def test_a_share_is_compared_with_what_it_is_a_share_of(watched: Watched) -> None:
    for shard, failed, asked in (("a", 9.0, 10.0), ("b", 9.0, 90.0)):
        watched.write("failed", failed, shard=shard)
        watched.write("asked", asked, ago=20, shard=shard)
    watched.write("failed", 9.0, shard="that nobody asked")
    condition = above("failed", 0.5)["condition_threshold"]
    ratio = {
        "denominator_filter": condition["filter"].replace("failed", "asked"),
        "denominator_aggregations": condition["aggregations"],
    }
    policy = watched.make("Share", above("failed", 0.5, **ratio))
    [alert] = watched.alerts(policy)
    assert alert["metric"]["labels"] == {"shard": "a"}
    watched.write("asked", 99.0, shard="a")
    eventually(lambda: watched.states(policy) == ["CLOSED"])


def test_a_duration_must_have_been_crossed_from_its_beginning(watched: Watched) -> None:
    for ago in (150, 90, 30):
        watched.write("long", 9.0, ago=ago)
        watched.write("short", 9.0 if ago < 60 else 1.0, ago=ago)
    long, short = watched.make("Long", above("long", 5.0, 60)), watched.make("Short", above("short", 5.0, 60))
    assert watched.states(long) == ["OPEN"]
    assert watched.states(short) == []


def test_conditions_joined_by_and_must_all_hold(watched: Watched) -> None:
    watched.write("one", 9.0)
    watched.write("two", 1.0)
    policy = watched.make("Both", above("one", 5.0), above("two", 5.0), combiner=Combiner.AND)
    assert watched.states(policy) == []
    either = watched.make("Either", above("one", 5.0), above("two", 5.0))
    assert watched.states(either) == ["OPEN"]


def test_conditions_joined_by_resource_must_all_hold_for_the_same_one(watched: Watched) -> None:
    for node, many, most in (("busy", 9.0, 1.0), ("idle", 1.0, 9.0), ("broken", 9.0, 9.0)):
        watched.write_of(node, "many", many)
        watched.write_of(node, "most", most)
    chosen = 'metric.type = "custom.googleapis.com/{}" AND resource.type = "generic_node"'.format
    both = [above(metric, 5.0, filter=chosen(metric)) for metric in ("many", "most")]

    def nodes(combiner: Combiner) -> set[str]:
        alerts = watched.alerts(watched.make(combiner.name, *both, combiner=combiner))
        return {alert["resource"]["labels"]["node_id"] for alert in alerts}

    assert nodes(Combiner.AND_WITH_MATCHING_RESOURCE) == {"broken"}
    assert nodes(Combiner.AND) == {"busy", "idle", "broken"}


def test_a_trigger_counts_series(watched: Watched) -> None:
    for shard, value in (("a", 9.0), ("b", 1.0)):
        watched.write("crowd", value, shard=shard)
    assert watched.states(watched.make("Two", above("crowd", 5.0, trigger={"count": 2}))) == []
    assert watched.states(watched.make("Half", above("crowd", 5.0, trigger={"percent": 50}))) == ["OPEN"]


def test_a_series_that_falls_silent_is_absent(watched: Watched) -> None:
    watched.write("beat", 1.0, ago=200, host="silent")
    watched.write("beat", 1.0, ago=10, host="alive")
    absent = {
        "filter": 'metric.type = "custom.googleapis.com/beat" AND resource.type = "global"',
        "aggregations": [{"alignment_period": {"seconds": 60}, "per_series_aligner": Aligner.ALIGN_COUNT}],
        "duration": {"seconds": 120},
    }
    policy = watched.make("Silent", {"condition_absent": absent})
    [alert] = watched.alerts(policy)
    assert alert["metric"]["labels"]["host"] == "silent"
    watched.write("beat", 1.0, host="silent")
    eventually(lambda: watched.states(policy) == ["CLOSED"])


def test_a_policy_that_is_disabled_or_deleted_closes_its_alerts(watched: Watched) -> None:
    watched.write("off", 9.0)
    policy = watched.make("Off", above("off", 5.0))
    assert watched.states(policy) == ["OPEN"]
    changed = Policy(name=policy.name, enabled={"value": False})
    watched.policies.update_alert_policy(update_mask={"paths": ["enabled"]}, alert_policy=changed)
    assert watched.states(policy) == ["CLOSED"]


def test_webhooks_are_told_of_open_and_closed_incidents(watched: Watched) -> None:
    open_bucket()
    url = f"https://storage.googleapis.com/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=incident.json"
    channel = monitoring_v3.NotificationChannel(type_="webhook_tokenauth", display_name="hook", labels={"url": url})
    channel = watched.channels.create_notification_channel(name=PROJECT, notification_channel=channel)
    watched.write("told", 9.0, ago=30)
    policy = watched.make("Told", above("told", 5.0), notification_channels=[channel.name])

    def told() -> dict[str, Any]:
        blob = open_bucket().get_blob("incident.json")
        return json.loads(blob.download_as_bytes())["incident"] if blob else {}

    eventually(lambda: told().get("state") == "open")
    assert told()["policy_name"] == "Told"
    assert told()["observed_value"] == "9"
    assert told()["threshold_value"] == "5"
    with pytest.raises(exceptions.FailedPrecondition, match="is used by"):
        watched.channels.delete_notification_channel(name=channel.name)
    open_bucket().delete_blob("incident.json")
    watched.write("told", -90.0)
    eventually(lambda: told().get("state") == "closed")
    watched.policies.delete_alert_policy(name=policy.name)
    watched.channels.delete_notification_channel(name=channel.name)


def test_a_topic_is_told_once_its_policy_lets_monitoring_publish(watched: Watched) -> None:
    enable("pubsub")
    session = AuthorizedSession(google.auth.default()[0])

    def pubsub(verb: str, path: str, body: Any) -> Any:
        answer = session.request(verb, f"https://pubsub.googleapis.com/v1/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    topic, inbox = f"{PROJECT}/topics/incidents", f"{PROJECT}/subscriptions/incidents"
    pubsub("PUT", topic, {})
    pubsub("PUT", inbox, {"topic": topic})

    def told() -> list[Any]:
        found = pubsub("POST", f"{inbox}:pull", {"maxMessages": 10, "returnImmediately": True})
        datas = [base64.b64decode(one["message"]["data"]) for one in found.get("receivedMessages", [])]
        return [json.loads(data)["incident"]["state"] for data in datas]

    channel = monitoring_v3.NotificationChannel(type_="pubsub", labels={"topic": topic})
    channel = watched.channels.create_notification_channel(name=PROJECT, notification_channel=channel)
    watched.write("topic", 9.0)
    policy = watched.make("Topic", above("topic", 5.0), notification_channels=[channel.name])
    assert watched.states(policy) == ["OPEN"]
    assert told() == []
    binding = {"role": "roles/pubsub.publisher", "members": [f"serviceAccount:{AGENT}"]}
    pubsub("POST", f"{topic}:setIamPolicy", {"policy": {"bindings": [binding]}})
    changed = Policy(name=policy.name, enabled={"value": False})
    watched.policies.update_alert_policy(update_mask={"paths": ["enabled"]}, alert_policy=changed)
    eventually(lambda: told() == ["closed"])


def test_passwords_of_channels_are_not_shown(watched: Watched) -> None:
    labels = {"url": "https://hook.example/", "username": "u", "password": "p"}
    channel = monitoring_v3.NotificationChannel(type_="webhook_basicauth", labels=labels)
    made = watched.channels.create_notification_channel(name=PROJECT, notification_channel=channel)
    assert watched.channels.get_notification_channel(name=made.name).labels["password"] == "**"
    watched.channels.delete_notification_channel(name=made.name)


@pytest.mark.parametrize("kind", ["email", "sms", "slack", "pagerduty"])
def test_other_channels_are_refused_by_name(watched: Watched, kind: str) -> None:
    channel = monitoring_v3.NotificationChannel(type_=kind, labels={"email_address": "a@example.com"})
    with pytest.raises(exceptions.MethodNotImplemented, match=f"'{kind}' is not supported by the sandbox"):
        watched.channels.create_notification_channel(name=PROJECT, notification_channel=channel)
    types = watched.channels.list_notification_channel_descriptors(name=PROJECT)
    assert kind not in {one.type_ for one in types}


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ({"condition_matched_log": {"filter": "severity>=ERROR"}}, "condition_matched_log"),
        ({"condition_prometheus_query_language": {"query": "up == 0"}}, "condition_prometheus_query_language"),
        (above("any", 1.0, forecast_options={"forecast_horizon": {"seconds": 3600}}), "forecast_options"),
        (
            above(
                "any",
                1.0,
                evaluation_missing_data=Policy.Condition.EvaluationMissingData.EVALUATION_MISSING_DATA_ACTIVE,
            ),
            "EVALUATION_MISSING_DATA_ACTIVE",
        ),
    ],
)
def test_other_conditions_are_refused_by_name(watched: Watched, condition: dict[str, Any], named: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=f"{named} is not supported by the sandbox"):
        watched.make("Refused", condition)


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        (above("any", 1.0, filter='metric.type = "custom.googleapis.com/any"'), "resource.type"),
        (above("any", 1.0, 30), "multiple of 60 s"),
        (above("any", 1.0, comparison=monitoring_v3.ComparisonType.COMPARISON_EQ), "COMPARISON_GT or COMPARISON_LT"),
        (above("any", 1.0, denominator_filter='metric.type = "x"'), "aligned to the same period"),
        ({}, "has no condition"),
    ],
)
def test_conditions_that_are_wrong_are_refused(watched: Watched, condition: dict[str, Any], problem: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=problem):
        watched.make("Wrong", condition)


def check_of(path: str, **more: Any) -> monitoring_v3.UptimeCheckConfig:
    """A check of a path on Cloud Storage."""
    http = {"path": path, "use_ssl": True, "validate_ssl": True, **more.pop("http", {})}
    resource = {"type": "uptime_url", "labels": {"host": "storage.googleapis.com"}}
    return monitoring_v3.UptimeCheckConfig(
        {"display_name": path, "monitored_resource": resource, "http_check": http, **more}
    )


def test_uptime_checks_ask_and_their_results_are_time_series(watched: Watched) -> None:
    open_bucket().blob("health").upload_from_string("all is well")
    wanted = {
        "good": check_of(f"/{BUCKET}/health", content_matchers=[{"content": "is well"}]),
        "other text": check_of(f"/{BUCKET}/health", content_matchers=[{"content": "is broken"}]),
        "missing": check_of(f"/{BUCKET}/nothing"),
        "missing as it should": check_of(
            f"/{BUCKET}/nothing", http={"accepted_response_status_codes": [{"status_value": 404}]}
        ),
    }
    made = {
        name: watched.checks.create_uptime_check_config(parent=PROJECT, uptime_check_config=check)
        for name, check in wanted.items()
    }

    def passed(check: monitoring_v3.UptimeCheckConfig) -> bool | None:
        chosen = (
            'metric.type = "monitoring.googleapis.com/uptime_check/check_passed" AND resource.type = "uptime_url" '
            f'AND metric.labels.check_id = "{check.name.rpartition("/")[2]}"'
        )
        interval = {"start_time": {"seconds": int(time.time()) - 300}, "end_time": {"seconds": int(time.time()) + 1}}
        found = list(
            watched.metrics.list_time_series(request={"name": PROJECT, "filter": chosen, "interval": interval})
        )
        return found[0].points[0].value.bool_value if found else None

    eventually(lambda: None not in map(passed, made.values()))
    assert {name: passed(check) for name, check in made.items()} == {
        "good": True,
        "other text": False,
        "missing": False,
        "missing as it should": True,
    }
    for check in made.values():
        watched.checks.delete_uptime_check_config(name=check.name)
    assert list(watched.checks.list_uptime_check_configs(parent=PROJECT)) == []


def test_an_alert_opens_when_an_uptime_check_fails(watched: Watched) -> None:
    open_bucket()
    check = watched.checks.create_uptime_check_config(
        parent=PROJECT, uptime_check_config=check_of(f"/{BUCKET}/never-there")
    )
    chosen = (
        'metric.type = "monitoring.googleapis.com/uptime_check/check_passed" AND resource.type = "uptime_url" '
        f'AND metric.labels.check_id = "{check.name.rpartition("/")[2]}"'
    )
    aggregation = {
        "alignment_period": {"seconds": 60},
        "per_series_aligner": Aligner.ALIGN_NEXT_OLDER,
        "cross_series_reducer": monitoring_v3.Aggregation.Reducer.REDUCE_COUNT_FALSE,
    }
    threshold = {"filter": chosen, "aggregations": [aggregation], "comparison": GT, "threshold_value": 0}
    policy = watched.make("Down", {"condition_threshold": threshold})
    eventually(lambda: watched.states(policy) == ["OPEN"])
    watched.checks.delete_uptime_check_config(name=check.name)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"http_check": None, "tcp_check": {"port": 5432}}, "tcp_check"),
        ({"selected_regions": [monitoring_v3.UptimeCheckRegion.EUROPE]}, "selected_regions"),
        ({"http": {"ping_config": {"pings_count": 1}}}, "ping_config"),
    ],
)
def test_other_uptime_checks_are_refused_by_name(watched: Watched, more: dict[str, Any], named: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=f"{named}.*not supported by the sandbox"):
        watched.checks.create_uptime_check_config(parent=PROJECT, uptime_check_config=check_of("/", **more))


def test_dashboards_are_kept_changed_and_deleted(gcp: Sandbox) -> None:
    client = monitoring_dashboard_v1.DashboardsServiceClient()
    chart = {"time_series_query": {"time_series_filter": {"filter": 'metric.type="custom.googleapis.com/lag"'}}}
    widget = {"title": "Lag", "xy_chart": {"data_sets": [chart]}}
    dashboard = {"display_name": "Ragonometrics", "grid_layout": {"widgets": [widget]}}
    made = client.create_dashboard(request={"parent": PROJECT, "dashboard": dashboard})
    assert [one.display_name for one in client.list_dashboards(parent=PROJECT)] == ["Ragonometrics"]
    made.display_name = "Another"
    changed = client.update_dashboard(request={"dashboard": made})
    assert client.get_dashboard(name=made.name).display_name == "Another"
    assert changed.etag != made.etag
    with pytest.raises(exceptions.Aborted):
        client.update_dashboard(request={"dashboard": made})
    client.delete_dashboard(name=made.name)
    with pytest.raises(exceptions.NotFound):
        client.get_dashboard(name=made.name)
