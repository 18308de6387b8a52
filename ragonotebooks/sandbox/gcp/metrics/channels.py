"""Notification channels: webhooks, which are really called, and topics of Pub/Sub. All other types are refused by name.

Source of the message: Cloud Monitoring, "Create and manage notification channels", schema of webhooks, read 2026-11.
"""

import base64
import json
import sys
from typing import Any, Final

from google.cloud.monitoring_v3 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid, unsupported
from ragonotebooks.sandbox.gcp.fields import copy_of
from ragonotebooks.sandbox.gcp.metrics.alerts import HOST, Alert, Json
from ragonotebooks.sandbox.gcp.metrics.outside import agent, send

#: The labels that each type needs.
LABELS: Final = {
    "pubsub": ("topic",),
    "webhook_tokenauth": ("url",),
    "webhook_basicauth": ("url", "username", "password"),
}

_SECONDS: Final = 10.0
_PUBSUB: Final = "pubsub.googleapis.com"
_Prompt: Final[Any] = types.AlertPolicy.AlertStrategy.NotificationPrompt


def complete(channel: Any) -> None:
    """Check a channel and fill in what it leaves out."""
    if channel.type_ not in LABELS:
        text = f"is not supported by the sandbox, which has {', '.join(LABELS)}"
        raise unsupported(f"{HOST} notification channels of the type {channel.type_!r}", text)
    for label in LABELS[channel.type_]:
        if not channel.labels.get(label):
            raise invalid(f"The channel has no label {label!r}.", {f"notification_channel.labels.{label}": "required"})
    if not channel.HasField("enabled"):
        channel.enabled.value = True


def hide(channel: Any) -> None:
    """Hide what only the service should know on a channel that is shown."""
    if "password" in channel.labels:
        channel.labels["password"] = "**"


def described(cloud: Cloud) -> list[Any]:
    """The types of channels."""
    return [
        types.NotificationChannelDescriptor.pb(
            types.NotificationChannelDescriptor(
                name=f"{cloud.project.name}/notificationChannelDescriptors/{name}",
                type_=name,
                display_name=name.replace("_", " "),
                labels=[{"key": label} for label in labels],
            )
        )
        for name, labels in LABELS.items()
    ]


def tell(cloud: Cloud, alert: Alert) -> None:
    """Tell all channels of an alert's policy that it was opened or closed. The caller holds the lock."""
    prompts = alert.policy.alert_strategy.notification_prompts or (_Prompt.OPENED, _Prompt.CLOSED)
    if (_Prompt.OPENED if alert.closed is None else _Prompt.CLOSED) not in prompts:
        return
    body = json.dumps(_message(cloud, alert)).encode()
    for name in alert.policy.notification_channels:
        channel = cloud.store.find(HOST, cloud.project.canonical(name, numbered=False))
        if channel is None or not channel.enabled.value:
            continue
        if channel.type_ == "pubsub":
            _publish(cloud, channel, body)
        else:
            cloud.context.workers.submit(_deliver, cloud, copy_of(channel), body)


def _publish(cloud: Cloud, channel: Any, body: bytes) -> None:
    """Publish to the channel's topic, if Monitoring's own account may."""
    topic = cloud.project.canonical(channel.labels["topic"], numbered=False)
    pubsub: Any = cloud.service(_PUBSUB)
    if problem := pubsub.publish_as(agent(cloud), topic, {"data": base64.b64encode(body).decode()}):
        _failed(channel, problem)


def _failed(channel: Any, why: str) -> None:
    print(f"{channel.name}: notification failed: {why}", file=sys.stderr, flush=True)  # noqa: T201 - the daemon's log


def _deliver(cloud: Cloud, channel: Any, body: bytes) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "Google-Alerts"}
    if channel.type_ == "webhook_basicauth":
        pair = f"{channel.labels['username']}:{channel.labels['password']}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    answer = send(cloud.context, "POST", channel.labels["url"], headers, body, _SECONDS)
    if not 200 <= answer.status < 300:
        _failed(channel, f"status {answer.status}" if answer.status else "no answer")


def _message(cloud: Cloud, alert: Alert) -> Json:
    policy, condition = alert.policy, alert.condition
    what = "is absent" if alert.value is None else f"is {alert.value:g}"
    incident = {
        "incident_id": alert.name.rpartition("/")[2],
        "scoping_project_id": cloud.project.id,
        "scoping_project_number": int(cloud.project.number),
        "state": "open" if alert.closed is None else "closed",
        "started_at": alert.opened // 10**9,
        "ended_at": None if alert.closed is None else alert.closed // 10**9,
        "policy_name": policy.display_name,
        "policy_user_labels": dict(policy.user_labels),
        "condition_name": condition.display_name,
        "condition": {"name": condition.name, "displayName": condition.display_name},
        **alert.subject.view,
        "observed_value": None if alert.value is None else f"{alert.value:g}",
        "threshold_value": f"{condition.condition_threshold.threshold_value:g}",
        "severity": types.AlertPolicy.Severity(policy.severity).name.removeprefix("SEVERITY_").capitalize(),
        "summary": f"{alert.subject.metric} for {cloud.project.id} {alert.subject.resource} {what}.",
    }
    if policy.documentation.content:
        incident["documentation"] = {
            "content": policy.documentation.content,
            "mime_type": policy.documentation.mime_type,
        }
    return {"incident": incident, "version": "1.2"}
