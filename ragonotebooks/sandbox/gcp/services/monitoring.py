"""Cloud Monitoring: time series, metric descriptors, alert policies and their incidents, uptime checks, channels, dashboards."""

from functools import cached_property
from typing import Any, ClassVar, Final

from google.cloud.monitoring_v3 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid, not_found, unsupported
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.metrics import aggregate, descriptors, points, query
from ragonotebooks.sandbox.gcp.metrics.series import Metrics
from ragonotebooks.sandbox.gcp.service import Call, Service, rpc

_LARGEST_PAGE: Final = 100_000
_SERVICES: Final = "google.cloud.monitoring_v3.services"
_View: Final[Any] = types.ListTimeSeriesRequest.TimeSeriesView


class Monitoring(Service):
    """Metrics and what watches them."""

    host = "monitoring.googleapis.com"
    title = "Cloud Monitoring API"
    clients = (f"{_SERVICES}.metric_service:MetricServiceClient",)
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
