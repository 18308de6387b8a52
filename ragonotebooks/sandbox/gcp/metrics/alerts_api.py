"""Alerts in the API: `projects.alerts`, which the discovery document knows and the generated client does not yet."""

from collections.abc import Callable
from typing import Any, Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, not_found
from ragonotebooks.sandbox.gcp.json_service import JsonService, page
from ragonotebooks.sandbox.gcp.metrics.alerts import HOST, Alerts, Json
from ragonotebooks.sandbox.gcp.service import Call, rpc

_ORDERS: Final = {"open_time": "openTime", "close_time": "closeTime"}


class AlertsApi(JsonService):
    """Reads alerts.

    Args:
        cloud: The cloud.
        alerts: The alerts.
        refresh: Brings them up to date.
    """

    host = HOST
    title = "Cloud Monitoring API"
    api = ("monitoring", "v3")

    def __init__(self, cloud: Cloud, alerts: Alerts, refresh: Callable[[], None]) -> None:
        super().__init__(cloud)
        self._alerts, self._refresh = alerts, refresh

    @rpc("monitoring.projects.alerts.list")
    def _list(self, call: Call) -> Json:
        self._refresh()
        found = [alert.shown() for alert in self._alerts.all()]
        for part in reversed([one.split() for one in call.message.get("orderBy", "").split(",") if one.strip()]):
            if part[0] not in _ORDERS:
                raise invalid(f"Alerts cannot be sorted by {part[0]!r}.", {"order_by": part[0]})
            found.sort(key=lambda one: one.get(_ORDERS[part[0]], ""), reverse=part[1:] == ["desc"])
        return {**page(call, found, "alerts"), "totalSize": len(found)}

    @rpc("monitoring.projects.alerts.get")
    def _get(self, call: Call) -> Json:
        self._refresh()
        found = next((alert for alert in self._alerts.all() if alert.name == call.path), None)
        if found is None:
            raise not_found(call.path)
        return found.shown()

    def error_body(self, error: ApiError) -> Any:
        """As all of Monitoring tells errors."""
        return error.body()
