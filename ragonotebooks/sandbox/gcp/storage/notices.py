"""Notifications: a bucket tells a topic of Pub/Sub of objects that come. Other events of an object are refused by name.

Source: Cloud Storage, "Pub/Sub notifications for Cloud Storage", read 2026-11.
"""

import base64
import json
import re
from collections.abc import Callable
from typing import Any, Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import invalid, not_found, unsupported
from ragonotebooks.sandbox.gcp.http_front import Response
from ragonotebooks.sandbox.gcp.storage.asked import Asked
from ragonotebooks.sandbox.gcp.storage.model import Bucket, Json, Version

_PUBSUB: Final = "pubsub.googleapis.com"
_TOPIC: Final = re.compile(r"//pubsub\.googleapis\.com/(projects/[^/]+/topics/[^/]+)")
_COMES: Final = "OBJECT_FINALIZE"
_PAYLOADS: Final = ("JSON_API_V1", "NONE")


class Notices:
    """The methods on notifications, and who tells.

    Args:
        cloud: What the services share.
        find: Returns the bucket that is asked about when the caller has a permission on it.
    """

    def __init__(self, cloud: Cloud, find: Callable[[Asked, str], Bucket]) -> None:
        self._cloud, self._find = cloud, find

    def projects_serviceaccount_get(self, asked: Asked) -> Json:
        asked.require("storage.buckets.list", self._cloud.project.name)
        return {"kind": "storage#serviceAccount", "email_address": self.teller}

    @property
    def _pubsub(self) -> Any:
        return self._cloud.service(_PUBSUB)

    @property
    def teller(self) -> str:
        """The address of Cloud Storage's own account in the project, which publishes."""
        return f"service-{self._cloud.project.number}@gs-project-accounts.iam.gserviceaccount.com"

    def notifications_insert(self, asked: Asked) -> Json:
        bucket, wanted = self._find(asked, "storage.buckets.update"), asked.json()
        topic = self._topic(str(wanted.get("topic", "")))
        if wanted.get("event_types") != [_COMES]:
            raise unsupported(
                f"a notification of the events {wanted.get('event_types') or 'of all kinds'}",
                f"is not supported by the sandbox, only of [{_COMES}]",
            )
        if wanted.get("payload_format") not in _PAYLOADS:
            raise invalid(f"The payload_format of a notification is one of {', '.join(_PAYLOADS)}.")
        if not self._pubsub.may_publish(self.teller, topic):
            text = (
                f"The service account '{self.teller}' does not have permission to publish messages to the Cloud Pub/Sub "
                f"topic '//{_PUBSUB}/{topic}', or that topic does not exist."
            )
            raise invalid(text)
        known = [int(one["id"]) for one in bucket.notices]
        notice = {**wanted, "kind": "storage#notification", "id": str(max(known, default=0) + 1), "etag": "1"}
        notice["topic"] = f"//{_PUBSUB}/{topic}"
        notice["selfLink"] = f"https://www.googleapis.com/storage/v1/b/{bucket.name}/notificationConfigs/{notice['id']}"
        bucket.notices.append(notice)
        return notice

    def notifications_list(self, asked: Asked) -> Json:
        bucket = self._find(asked, "storage.buckets.get")
        return {"kind": "storage#notifications", "items": bucket.notices}

    def notifications_get(self, asked: Asked) -> Json:
        return self._notice(asked, self._find(asked, "storage.buckets.get"))

    def notifications_delete(self, asked: Asked) -> Response:
        bucket = self._find(asked, "storage.buckets.update")
        bucket.notices.remove(self._notice(asked, bucket))
        return Response(204)

    def tell(self, bucket: Bucket, version: Version) -> None:
        """Tell whoever wants to know that an object has come. Whoever calls holds the lock."""
        for notice in bucket.notices:
            if version.meta["name"].startswith(notice.get("object_name_prefix", "")):
                self._publish(bucket, notice, version)

    def _publish(self, bucket: Bucket, notice: Json, version: Version) -> None:
        topic = notice["topic"].removeprefix(f"//{_PUBSUB}/")
        attributes = {
            **notice.get("custom_attributes", {}),
            "notificationConfig": f"projects/_/buckets/{bucket.name}/notificationConfigs/{notice['id']}",
            "eventType": _COMES,
            "payloadFormat": notice["payload_format"],
            "bucketId": bucket.name,
            "objectId": version.meta["name"],
            "objectGeneration": version.meta["generation"],
            "eventTime": version.meta["timeCreated"],
        }
        message: Json = {"attributes": attributes}
        if notice["payload_format"] == "JSON_API_V1":
            message["data"] = base64.b64encode(json.dumps(version.meta).encode()).decode()
        self._pubsub.publish_as(
            self.teller, topic, message
        )  # Cloud Storage tries for days, and tells nobody why it cannot

    def _topic(self, reference: str) -> str:
        found = _TOPIC.fullmatch(reference)
        if found is None:
            raise invalid(f"Invalid topic {reference!r}: it has the form //{_PUBSUB}/projects/PROJECT/topics/TOPIC.")
        return self._cloud.project.canonical(found[1], numbered=False)

    def _notice(self, asked: Asked, bucket: Bucket) -> Json:
        wanted = asked.parameters["notification"]
        for notice in bucket.notices:
            if notice["id"] == wanted:
                return notice
        raise not_found(f"The notification {wanted}")
