"""Uptime checks: HTTP requests from one place, the sandbox, whose results are time series."""

import base64
import re
import time
from collections.abc import Callable
from typing import Any, Final

from google.cloud.monitoring_v3 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid, unsupported
from ragonotebooks.sandbox.gcp.fields import copy_of
from ragonotebooks.sandbox.gcp.metrics.alerts import HOST
from ragonotebooks.sandbox.gcp.metrics.descriptors import CHECK_LATENCY, CHECK_PASSED
from ragonotebooks.sandbox.gcp.metrics.outside import Answer, agent, send
from ragonotebooks.sandbox.gcp.metrics.series import Kind, Metrics, Point, Subject

LOCATION: Final = "sandbox"

_Http: Final[Any] = types.UptimeCheckConfig.HttpCheck
_Matcher: Final[Any] = types.UptimeCheckConfig.ContentMatcher.ContentMatcherOption
_Agent: Final[Any] = _Http.ServiceAgentAuthentication.ServiceAgentAuthenticationType
_PERIODS: Final = (60, 300, 600, 900)
_REFUSED: Final = ("resource_group", "synthetic_monitor", "tcp_check")
_MATCHES: Final[dict[Any, Callable[[str, str], bool]]] = {
    _Matcher.CONTENT_MATCHER_OPTION_UNSPECIFIED: lambda content, text: content in text,
    _Matcher.CONTAINS_STRING: lambda content, text: content in text,
    _Matcher.NOT_CONTAINS_STRING: lambda content, text: content not in text,
    _Matcher.MATCHES_REGEX: lambda content, text: re.search(content, text) is not None,
    _Matcher.NOT_MATCHES_REGEX: lambda content, text: re.search(content, text) is None,
}


def complete(cloud: Cloud, config: Any) -> None:
    """Check a configuration and fill in what it leaves out.

    Raises:
        ApiError: It is wrong, or the sandbox has no such thing.
    """
    if not config.display_name:
        raise invalid("The check has no display_name.", {"uptime_check_config.display_name": "required"})
    _check_supported(config)
    labels = config.monitored_resource.labels
    if config.monitored_resource.type != "uptime_url":
        text = "is not supported by the sandbox: use uptime_url with the label host"
        raise unsupported(f"{HOST} uptime checks of the resource {config.monitored_resource.type!r}", text)
    if not labels.get("host"):
        raise invalid("The resource has no label host.", {"uptime_check_config.monitored_resource": "host"})
    labels.setdefault("project_id", cloud.project.id)
    config.period.seconds = config.period.seconds or _PERIODS[0]
    config.timeout.seconds = config.timeout.seconds or 10
    if config.period.seconds not in _PERIODS:
        raise invalid("The period is 60, 300, 600 or 900 s.", {"uptime_check_config.period": "invalid"})
    if not 1 <= config.timeout.seconds <= 60:
        raise invalid("The timeout is 1 to 60 s.", {"uptime_check_config.timeout": "invalid"})
    http = config.http_check
    http.path = f"/{http.path.lstrip('/')}"
    http.port = http.port or (443 if http.use_ssl else 80)
    http.request_method = http.request_method or _Http.RequestMethod.GET


def _check_supported(config: Any) -> None:
    for field in _REFUSED:
        if config.HasField(field):
            raise unsupported(f"{HOST} uptime checks with a {field}")
    if config.selected_regions or config.internal_checkers or config.is_internal:
        text = "is not supported by the sandbox: it checks from one place"
        raise unsupported(f"{HOST} uptime checks with selected_regions or internal checkers", text)
    if config.http_check.HasField("ping_config"):
        raise unsupported(f"{HOST} uptime checks with ping_config")
    if len(config.content_matchers) > 1:
        raise invalid("A check has at most one content matcher.", {"uptime_check_config.content_matchers": "too many"})
    for matcher in config.content_matchers:
        if matcher.matcher not in _MATCHES:
            raise unsupported(f"{HOST} the content matcher {_Matcher(matcher.matcher).name}")


class UptimeChecks:
    """Runs the checks that are due.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._due: dict[str, int] = {}

    def forget(self, name: str) -> None:
        """Check at once what was changed, and no more what is gone."""
        self._due.pop(name, None)

    def run(self, now: int) -> bool:
        """Begin the checks that are due at a moment, in nanoseconds; return whether there are any at all.

        The caller holds the lock.
        """
        known = list(self._cloud.store.children(HOST, f"{self._cloud.project.name}/uptimeCheckConfigs"))
        for entry in known:
            if now >= self._due.get(entry.name, 0):
                self._due[entry.name] = now + entry.resource.period.ToNanoseconds()
                self._cloud.context.workers.submit(self._check, copy_of(entry.resource))
        return bool(known)

    def _check(self, config: Any) -> None:
        answer = _ask(self._cloud, config)
        with self._cloud.context.changed:
            if self._cloud.store.find(HOST, config.name) is not None:
                self._record(config, CHECK_PASSED, Kind.BOOL, "", _passes(config, answer))
                self._record(config, CHECK_LATENCY, Kind.DOUBLE, "ms", answer.milliseconds)
                self._cloud.context.changed.notify_all()

    def _record(self, config: Any, metric: str, value_type: int, unit: str, value: Any) -> None:
        labels = {
            "check_id": config.name.rpartition("/")[2],
            "checker_location": LOCATION,
            "checked_resource_id": config.monitored_resource.labels["host"],
        }
        now, subject = time.time_ns(), Subject.of(metric, labels, config.monitored_resource)
        metrics = self._cloud.context.part(Metrics, Metrics)
        metrics.series(subject, Kind.GAUGE, value_type, unit).add(Point(now, now, value))


def _ask(cloud: Cloud, config: Any) -> Answer:
    http, host = config.http_check, config.monitored_resource.labels["host"]
    scheme = "https" if http.use_ssl else "http"
    headers = {"User-Agent": "GoogleStackdriverMonitoring-UptimeChecks", **http.headers}
    if http.content_type == _Http.ContentType.URL_ENCODED:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif http.custom_content_type:
        headers["Content-Type"] = http.custom_content_type
    if http.service_agent_authentication.type_ == _Agent.OIDC_TOKEN:
        headers["Authorization"] = f"Bearer {cloud.keys.identity_token(agent(cloud), f'https://{host}')}"
    elif http.auth_info.username:
        pair = f"{http.auth_info.username}:{http.auth_info.password}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    is_post = http.request_method == _Http.RequestMethod.POST
    return send(
        cloud.context,
        "POST" if is_post else "GET",
        f"{scheme}://{host}:{http.port}{http.path}",
        headers,
        http.body if is_post else None,
        config.timeout.seconds,
        verify=http.validate_ssl,
    )


def _passes(config: Any, answer: Answer) -> bool:
    accepted = config.http_check.accepted_response_status_codes
    if not (any(_accepts(one, answer.status) for one in accepted) if accepted else answer.status // 100 == 2):
        return False
    text = answer.body.decode(errors="replace")
    return all(_MATCHES[one.matcher](one.content, text) for one in config.content_matchers)


def _accepts(code: Any, status: int) -> bool:
    if code.status_value:
        return bool(code.status_value == status)
    name = _Http.ResponseStatusCode.StatusClass(code.status_class).name.removeprefix("STATUS_CLASS_")
    return status > 0 and (name == "ANY" or name == f"{status // 100}XX")
