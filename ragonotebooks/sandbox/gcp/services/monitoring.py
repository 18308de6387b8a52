"""Cloud Monitoring: time series, metric descriptors, alert policies and their incidents, uptime checks, channels, dashboards."""

import re
from functools import cached_property
from typing import Any, ClassVar, Final

from google.cloud.monitoring_v3 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid, not_found, unmet, unsupported
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.http_front import Request, Response
from ragonotebooks.sandbox.gcp.metrics import (
    aggregate,
    alerts_api,
    channels,
    descriptors,
    points,
    policies,
    query,
    uptime,
)
from ragonotebooks.sandbox.gcp.metrics.alerts import Alerts
from ragonotebooks.sandbox.gcp.metrics.series import Metrics
from ragonotebooks.sandbox.gcp.metrics.watch import Watch
from ragonotebooks.sandbox.gcp.service import (
    Call,
    Service,
    created,
    creating,
    deleting,
    rpc,
    showing,
    updated,
    updating,
)
from ragonotebooks.sandbox.ledger import Call as Entry

_ALERTS: Final = re.compile(r"/v3/projects/[^/]+/alerts(?:/.*)?")
_LARGEST_PAGE: Final = 100_000
_SERVICES: Final = "google.cloud.monitoring_v3.services"
_View: Final[Any] = types.ListTimeSeriesRequest.TimeSeriesView


class Monitoring(Service):
    """Metrics and what watches them."""

    host = "monitoring.googleapis.com"
    title = "Cloud Monitoring API"
    clients = (
        f"{_SERVICES}.metric_service:MetricServiceClient",
        f"{_SERVICES}.alert_policy_service:AlertPolicyServiceClient",
        f"{_SERVICES}.notification_channel_service:NotificationChannelServiceClient",
        f"{_SERVICES}.uptime_check_service:UptimeCheckServiceClient",
        "google.cloud.monitoring_dashboard_v1:DashboardsServiceClient",
    )
    keeps = frozenset(("AlertPolicy", "NotificationChannel", "UptimeCheckConfig", "Dashboard"))
    discovery = ("monitoring", "v3")
    discovered: ClassVar = {
        "monitoring.projects.timeSeries.create": "CreateTimeSeries",
        "monitoring.projects.timeSeries.createService": "CreateServiceTimeSeries",
        "monitoring.projects.alertPolicies.patch": "UpdateAlertPolicy",
        "monitoring.projects.notificationChannels.patch": "UpdateNotificationChannel",
        "monitoring.projects.uptimeCheckConfigs.patch": "UpdateUptimeCheckConfig",
    }
    permissions: ClassVar = {
        "CreateTimeSeries": "monitoring.timeSeries.create",
        "ListTimeSeries": "monitoring.timeSeries.list",
        **{
            f"{verb}MetricDescriptor": f"monitoring.metricDescriptors.{verb.lower()}"
            for verb in ("Create", "Get", "Delete")
        },
        "ListMetricDescriptors": "monitoring.metricDescriptors.list",
    }

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._metrics = cloud.context.part(Metrics, Metrics)
        self._alerts = Alerts(cloud, lambda alert: channels.tell(cloud, alert))
        self._checks = uptime.UptimeChecks(cloud)
        self._watch = Watch(cloud, self._alerts, self._checks)
        self._alerts_api = alerts_api.AlertsApi(cloud, self._alerts, self._watch.look)

    def http(self, request: Request, entry: Entry) -> Response:
        """Answer a REST request; alerts are in the discovery document alone."""
        answers = self._alerts_api.http if _ALERTS.fullmatch(request.path) else super().http
        return answers(request, entry)

    @cached_property
    def behaviours(self) -> dict[str, dict[str, frozenset[str]]]:
        """What each field of each message may do."""
        found = super().behaviours
        # FULL, the first of the views, is what a request has that names none
        del found["google.monitoring.v3.ListTimeSeriesRequest"]["view"]
        return found

    @rpc("CreateTimeSeries")
    def _write(self, call: Call) -> Made:
        points.write(self.cloud, call.message.time_series)
        return None, None

    @rpc("ListTimeSeries")
    def _list(self, call: Call) -> Made:
        message = call.message
        if message.order_by:
            raise unsupported(f"{self.host} order_by of ListTimeSeries")
        matches = query.of_metric(message.filter)
        end = message.interval.end_time.ToNanoseconds()
        start = message.interval.start_time.ToNanoseconds() if message.interval.HasField("start_time") else end
        if start > end:
            raise invalid("The interval ends before it starts.", {"interval": "invalid"})
        steps = [one for one in (message.aggregation, message.secondary_aggregation) if one.ListFields()]
        found = [one for one in self._metrics.all() if matches({**one.subject.view, "project": self.cloud.project.id})]
        made = aggregate.aggregated(found, steps, start, end)
        first = int(message.page_token or 0)
        last = first + min(message.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
        whole = message.view == _View.FULL
        answer = call.method.response(time_series=[points.shown(one, whole=whole) for one in made[first:last]])
        answer.next_page_token = str(last) if last < len(made) else ""
        return answer, None

    @rpc("CreateMetricDescriptor")
    def _describe(self, call: Call) -> Made:
        return descriptors.describe(self.cloud, call.message.metric_descriptor), None

    @rpc("GetMetricDescriptor")
    def _descriptor(self, call: Call) -> Made:
        found = next((one for one in descriptors.all_of(self.cloud) if one.name == call.path), None)
        if found is None:
            raise not_found(f"The metric descriptor {call.path}")
        return found, None

    @rpc("ListMetricDescriptors")
    def _descriptors(self, call: Call) -> Made:
        matches = query.compiled(call.message.filter)
        found = [
            one
            for one in descriptors.all_of(self.cloud)
            if matches({"metric": {"type": one.type}, "project": self.cloud.project.id})
        ]
        return call.method.response(metric_descriptors=found), None

    @rpc("DeleteMetricDescriptor")
    def _undescribe(self, call: Call) -> Made:
        metric = call.path.partition("/metricDescriptors/")[2]
        descriptors.check_custom(metric)
        if self._metrics.described.pop(metric, None) is None:
            raise not_found(f"The metric descriptor {call.path}")
        self._metrics.forget(metric)
        return None, None

    @creating("AlertPolicy")
    def _new_policy(self, call: Call, policy: Any) -> None:
        for condition in policy.conditions:
            condition.name = ""
        policies.complete(self.cloud, policy)
        policy.creation_record.mutate_time.GetCurrentTime()
        policy.creation_record.mutated_by = call.email
        policy.mutation_record.CopyFrom(policy.creation_record)

    @updating("AlertPolicy")
    def _changed_policy(self, call: Call, before: Any, after: Any) -> None:
        policies.complete(self.cloud, after)
        after.creation_record.CopyFrom(before.creation_record)
        after.mutation_record.mutate_time.GetCurrentTime()
        after.mutation_record.mutated_by = call.email

    @creating("UptimeCheckConfig")
    def _new_check(self, call: Call, config: Any) -> None:
        uptime.complete(self.cloud, config)

    @updating("UptimeCheckConfig")
    def _changed_check(self, call: Call, before: Any, after: Any) -> None:
        if before.monitored_resource != after.monitored_resource:
            raise invalid("The resource of a check cannot be changed.", {"update_mask": "monitored_resource"})
        uptime.complete(self.cloud, after)
        self._checks.forget(after.name)

    @deleting("UptimeCheckConfig")
    def _drop_check(self, call: Call, config: Any) -> None:
        self._checks.forget(config.name)

    @created("AlertPolicy")
    @created("UptimeCheckConfig")
    def _watch_new(self, call: Call, resource: Any) -> None:
        self._watch.wake()

    @updated("AlertPolicy")
    def _watch_changed(self, call: Call, before: Any, after: Any) -> None:
        self._watch.wake()

    @creating("NotificationChannel")
    def _new_channel(self, call: Call, channel: Any) -> None:
        channels.complete(channel)
        channel.creation_record.mutate_time.GetCurrentTime()
        channel.creation_record.mutated_by = call.email

    @updating("NotificationChannel")
    def _changed_channel(self, call: Call, before: Any, after: Any) -> None:
        channels.complete(after)

    @showing("NotificationChannel")
    def _show_channel(self, call: Call, channel: Any) -> None:
        channels.hide(channel)

    @deleting("NotificationChannel")
    def _drop_channel(self, call: Call, channel: Any) -> None:
        for entry in self.cloud.store.children(self.host, f"{self.cloud.project.name}/alertPolicies"):
            names = [self.cloud.project.canonical(one, numbered=False) for one in entry.resource.notification_channels]
            if channel.name in names and not call.message.force:
                raise unmet(f"The notification channel {channel.name} is used by {entry.name}.")

    @rpc("ListNotificationChannelDescriptors")
    def _channel_types(self, call: Call) -> Made:
        return call.method.response(channel_descriptors=channels.described(self.cloud)), None

    @rpc("GetNotificationChannelDescriptor")
    def _channel_type(self, call: Call) -> Made:
        found = next((one for one in channels.described(self.cloud) if one.name == call.path), None)
        if found is None:
            raise not_found(call.path)
        return found, None
