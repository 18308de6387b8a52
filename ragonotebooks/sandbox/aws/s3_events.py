"""What S3 tells EventBridge about objects of buckets that are set to tell it.

Source: Amazon S3 user guide, "EventBridge event message structure", read 2026-11.
"""

from typing import Any

from moto.s3 import notifications

from ragonotebooks.sandbox.front import OPERATOR_ADDRESS


def install() -> None:
    """Let moto send whole events: its own lack fields, and go to other buses than the default one too."""
    told: Any = notifications
    told._send_event_bridge_message = _send


def event_of(bucket: Any, kind: str, key: Any) -> dict[str, Any]:
    """Return the event about an object.

    Args:
        bucket: moto's bucket.
        kind: Such as `s3:ObjectCreated:Put`.
        key: moto's object.
    """
    described = {"key": key.name, "size": key.size, "etag": key.etag.strip('"'), "sequencer": f"{id(key):016X}"}
    if key.version_id:
        described["version-id"] = key.version_id
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": described,
        "requester": bucket.account_id,
        "source-ip-address": OPERATOR_ADDRESS,
        "reason": _reason(kind),
    }
    source = {"source": "aws.s3", "region": bucket.region_name, "resources": [bucket.arn]}
    return {**source, "detail-type": notifications._detail_type(kind), "detail": detail}


def _send(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
    from moto.events.models import events_backends

    rules: list[Any] = [*events_backends[account_id][bucket.region_name].event_buses["default"].rules.values()]
    for rule in rules:
        rule.send_to_targets(event_of(bucket, event_name, key))


def _reason(kind: str) -> str:
    """The S3 operation, as CloudTrail calls it."""
    what = kind.rpartition(":")[2]
    return {"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject", "Delete": "DeleteObject"}.get(what, what)
