"""CloudWatch dashboards: stored when what they would show can be drawn. moto keeps them."""

import json
from typing import Any, Final

from moto.core.responses import ActionResult

from ragonotebooks.sandbox.aws.errors import ApiError

_COLUMNS: Final = 24
# widget types and the property that each needs
# "Dashboard body structure and syntax", Amazon CloudWatch API reference, read 2026-11
_NEEDS: Final = {
    "metric": "region",
    "text": "markdown",
    "log": "query",
    "alarm": "alarms",
    "explorer": "metrics",
    "custom": "endpoint",
}


def put(self: Any) -> ActionResult:
    """Answer PutDashboard: a body that is no dashboard is refused and leaves the stored one alone."""
    name, body = str(self._get_param("DashboardName")), str(self._get_param("DashboardBody"))
    problems = list(validate(body))
    if problems:
        raise ApiError("InvalidParameterInput", f"The dashboard body is invalid: {'; '.join(problems)}")
    dashboard = self.cloudwatch_backend.put_dashboard(name, body)
    self.cloudwatch_backend.tagger.tag_resource(dashboard.arn, self._get_param("Tags", []))
    return ActionResult({"DashboardValidationMessages": []})


def validate(body: str) -> list[str]:
    """Return what is wrong with a dashboard body, each with the path of the part that it is about."""
    try:
        dashboard = json.loads(body)
    except ValueError as error:
        return [f"it is no JSON: {error}"]
    widgets = dashboard.get("widgets") if isinstance(dashboard, dict) else None
    if not isinstance(widgets, list):
        return ["/widgets should be a list"]
    return [f"/widgets/{number}{problem}" for number, widget in enumerate(widgets) for problem in _problems(widget)]


def _problems(widget: Any) -> list[str]:
    if not isinstance(widget, dict):
        return [" should be an object"]
    kind, properties = widget.get("type"), widget.get("properties")
    if kind not in _NEEDS:
        return [f"/type should be one of {', '.join(_NEEDS)}, not {kind}"]
    if not isinstance(properties, dict):
        return ["/properties should be an object"]
    found = [] if _NEEDS[kind] in properties else [f"/properties should have {_NEEDS[kind]}"]
    if kind == "metric" and not {"metrics", "annotations"} & set(properties):
        found.append("/properties should have metrics or annotations")
    if kind == "metric" and not all(isinstance(one, list) and one for one in properties.get("metrics", [])):
        found.append("/properties/metrics should be a list of lists")
    return found + _misplaced(widget)


def _misplaced(widget: dict[str, Any]) -> list[str]:
    sizes = {side: widget[side] for side in ("x", "y", "width", "height") if side in widget}
    wrong = [
        f"/{side} should be a whole number" for side, size in sizes.items() if not isinstance(size, int) or size < 0
    ]
    if not wrong and sizes.get("x", 0) + sizes.get("width", 6) > _COLUMNS:
        wrong.append(f" should end within {_COLUMNS} columns")
    return wrong
