"""What an alert policy may be: checks of what is asked for, and what it leaves out."""

from typing import Any, Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid, not_found, unsupported
from ragonotebooks.sandbox.gcp.metrics import alert_conditions
from ragonotebooks.sandbox.gcp.metrics.alerts import HOST

_MOST: Final = 6  # conditions; Cloud Monitoring, "Alerting limits", read 2026-11
_SHORTEST: Final = 30 * 60  # seconds until an alert without data is closed


def complete(cloud: Cloud, policy: Any) -> None:
    """Check a policy and fill in what it leaves out.

    Raises:
        ApiError: It is wrong, or the sandbox has no such thing.
    """
    if not policy.display_name:
        raise invalid("The policy has no display_name.", {"alert_policy.display_name": "required"})
    if not 1 <= len(policy.conditions) <= _MOST:
        raise invalid(f"A policy has 1 to {_MOST} conditions.", {"alert_policy.conditions": "required"})
    if not policy.combiner:
        raise invalid("The policy has no combiner.", {"alert_policy.combiner": "required"})
    _check_strategy(policy.alert_strategy)
    for channel in policy.notification_channels:
        if cloud.store.find(HOST, cloud.project.canonical(channel, numbered=False)) is None:
            raise not_found(f"The notification channel {channel}")
    for number, condition in enumerate(policy.conditions, 1):
        alert_conditions.check(condition)
        condition.name = condition.name or f"{policy.name}/conditions/{number}"
    if not policy.HasField("enabled"):
        policy.enabled.value = True


def _check_strategy(strategy: Any) -> None:
    if strategy.notification_channel_strategy:
        raise unsupported(f"{HOST} alert policies with a notification_channel_strategy")
    if strategy.HasField("notification_rate_limit"):
        text = "A notification rate limit is only for policies with a log match condition."
        raise invalid(text, {"alert_policy.alert_strategy.notification_rate_limit": "not allowed"})
    if strategy.HasField("auto_close") and strategy.auto_close.seconds < _SHORTEST:
        raise invalid("auto_close is at least 30 minutes.", {"alert_policy.alert_strategy.auto_close": "too short"})
