"""Cloud Run's metrics: its requests are counted and timed, and an uptime check may ask a service that not everybody may call."""

import time
from typing import Any

import httplib2
import pytest
import requests
from google.cloud import monitoring_v3
from googleapiclient.discovery import build

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.conftest import PROJECT
from tests.sandbox.gcp.test_access import grant
from tests.sandbox.gcp.test_metrics import value_of
from tests.sandbox.gcp.test_run_services import Services

Aligner = monitoring_v3.Aggregation.Aligner
AGENT = "service-314159265358@gcp-sa-monitoring-notification.iam.gserviceaccount.com"


@pytest.fixture
def run(gcp: Sandbox) -> Services:
    return Services(gcp)


def read(metric: str, aligner: Any, more: str) -> dict[str, Any]:
    """The newest aligned value of a metric's series, by response code."""
    now = int(time.time())
    request = {
        "name": PROJECT,
        "filter": f'metric.type = "{metric}" AND {more}',
        "interval": {"start_time": {"seconds": now - 300}, "end_time": {"seconds": now + 1}},
        "aggregation": {"alignment_period": {"seconds": 600}, "per_series_aligner": aligner},
    }
    found = monitoring_v3.MetricServiceClient().list_time_series(request=request)
    return {one.metric.labels["response_code"]: value_of(one.points[0]) for one in found}


def test_requests_are_counted_and_timed_by_response_code(run: Services) -> None:
    service = run.make("measured")
    for path in ("/", "/", "/slow"):
        requests.get(f"{service.uri}{path}", timeout=30)
    requests.put(service.uri, timeout=30)
    mine = 'resource.type = "cloud_run_revision" AND resource.labels.service_name = "measured"'
    eventually(lambda: read("run.googleapis.com/request_count", Aligner.ALIGN_SUM, mine) == {"200": 3, "501": 1})
    slowest = read("run.googleapis.com/request_latencies", Aligner.ALIGN_PERCENTILE_99, mine)
    assert slowest["200"] > 1500


def test_a_service_that_not_everybody_may_call_lets_an_uptime_check_in_that_says_who_asks(run: Services) -> None:
    service = run.make("guarded", public=False)
    host = service.uri.removeprefix("https://")
    checks, made = monitoring_v3.UptimeCheckServiceClient(), {}
    for name, http in (("anonymous", {}), ("agent", {"service_agent_authentication": {"type_": "OIDC_TOKEN"}})):
        resource = {"type": "uptime_url", "labels": {"host": host}}
        config = {"display_name": name, "monitored_resource": resource, "http_check": {"use_ssl": True, **http}}
        grant(run.services, service.name, "roles/run.invoker", f"serviceAccount:{AGENT}")
        made[name] = checks.create_uptime_check_config(parent=PROJECT, uptime_check_config=config).name

    def passed(check: str) -> bool | None:
        chosen = 'metric.type = "monitoring.googleapis.com/uptime_check/check_passed"'
        interval = {"start_time": {"seconds": int(time.time()) - 300}, "end_time": {"seconds": int(time.time()) + 1}}
        request = {"name": PROJECT, "filter": chosen, "interval": interval}
        found = monitoring_v3.MetricServiceClient().list_time_series(request=request)
        values = [value_of(one.points[0]) for one in found if one.metric.labels["check_id"] == check.rpartition("/")[2]]
        return values[0] if values else None

    eventually(lambda: {name: passed(check) for name, check in made.items()} == {"anonymous": False, "agent": True})
    for check in made.values():
        checks.delete_uptime_check_config(name=check)


def test_a_discovery_client_writes_reads_and_watches(gcp: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    # httplib2 reads HTTPLIB2_CA_CERTS when it is imported, and this process imported it for another sandbox
    monkeypatch.setattr(httplib2, "CA_CERTS", gcp.bundle)
    projects = build("monitoring", "v3", cache_discovery=False).projects()
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    series = {
        "metric": {"type": "custom.googleapis.com/by_discovery"},
        "resource": {"type": "global"},
        "points": [{"interval": {"endTime": moment}, "value": {"doubleValue": 9.5}}],
    }
    projects.timeSeries().create(name=PROJECT, body={"timeSeries": [series]}).execute()
    chosen = 'metric.type = "custom.googleapis.com/by_discovery" AND resource.type = "global"'
    interval = {"interval_startTime": "2026-01-01T00:00:00Z", "interval_endTime": moment}
    found = projects.timeSeries().list(name=PROJECT, filter=chosen, **interval).execute()
    assert found["timeSeries"][0]["points"][0]["value"] == {"doubleValue": 9.5}
    threshold = {"filter": chosen, "comparison": "COMPARISON_GT", "thresholdValue": 5, "duration": "0s"}
    policy = {
        "displayName": "d",
        "combiner": "OR",
        "conditions": [{"displayName": "c", "conditionThreshold": threshold}],
    }
    made = projects.alertPolicies().create(name=PROJECT, body=policy).execute()
    changed = (
        projects.alertPolicies().patch(name=made["name"], updateMask="displayName", body={"displayName": "e"}).execute()
    )
    assert changed["displayName"] == "e"
    [alert] = projects.alerts().list(parent=PROJECT, filter=f'policy.name="{made["name"]}"').execute()["alerts"]
    assert projects.alerts().get(name=alert["name"]).execute()["state"] == "OPEN"
    projects.alertPolicies().delete(name=made["name"]).execute()
