"""Pub/Sub: topics, what is published to them, and subscriptions that are pulled. Triggers of Cloud Build listen too."""

import base64
import binascii
import re
from collections.abc import Callable
from itertools import count
from typing import Any, ClassVar, Final

from google.iam.v1 import policy_pb2
from google.protobuf import json_format

from ragonotebooks.sandbox.gcp.access import may, require_permission
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import already_exists, invalid
from ragonotebooks.sandbox.gcp.identity import caller_of
from ragonotebooks.sandbox.gcp.json_service import JsonService, now, page, refuse_unknown
from ragonotebooks.sandbox.gcp.service import Call, rpc
from ragonotebooks.sandbox.gcp.subscriptions import Inbox

Json = dict[str, Any]

_ID: Final = re.compile(r"(?!goog)[A-Za-z][\w.~+%-]{2,254}")
_FIELDS: Final = frozenset(("name", "labels"))
_FIELDS_OF_SUBSCRIPTIONS: Final = frozenset(("name", "labels", "topic", "ackDeadlineSeconds"))
_DELETED: Final = "_deleted-topic_"
_DEADLINE, _LONGEST_DEADLINE = 10, 600  # seconds
_PATIENCE: Final = 2.0  # seconds that a pull waits for a message
_LARGEST: Final = 10_000_000  # bytes of a message; Pub/Sub, "Quotas and limits", read 2026-11


class PubSub(JsonService):
    """Topics and subscriptions.

    Attributes:
        listeners: Are told of every message, as its topic and itself. Whoever tells them holds the lock.
    """

    host = "pubsub.googleapis.com"
    title = "Cloud Pub/Sub API"
    api = ("pubsub", "v1")
    keeps = frozenset(("topics", "subscriptions"))
    refuses = frozenset(("pubsub.projects.topics.patch", "pubsub.projects.subscriptions.patch"))
    permissions: ClassVar = {
        f"pubsub.projects.subscriptions.{verb}": "pubsub.subscriptions.consume"
        for verb in ("acknowledge", "modifyAckDeadline", "pull")
    }

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.listeners: list[Callable[[str, Json], None]] = []
        self._ids = count(1)
        self._inboxes: dict[str, Inbox] = {}

    @rpc("pubsub.projects.topics.create")
    def _create(self, call: Call) -> Json:
        self._check_new(call, "Topic", _FIELDS)
        topic = {**call.body, "name": call.path}
        self.cloud.store.put(self.host, call.path, topic)
        return topic

    def _check_new(self, call: Call, kind: str, known: frozenset[str]) -> None:
        if not _ID.fullmatch(call.path.rpartition("/")[2]):
            raise invalid(f"Invalid resource name given (name={call.path}): it must match {_ID.pattern}.")
        refuse_unknown(kind, call.body, known)
        if self.cloud.store.find(self.host, call.path) is not None:
            raise already_exists(f"Resource already exists in the project (resource={call.path.rpartition('/')[2]})")

    @rpc("pubsub.projects.topics.list")
    def _list(self, call: Call) -> Json:
        return page(call, [entry.resource for entry in self.cloud.store.children(self.host, call.path)], "topics")

    @rpc("pubsub.projects.topics.delete")
    def _delete(self, call: Call) -> Json:
        self.cloud.store.get(self.host, call.path)
        self.cloud.store.delete(self.host, call.path)
        self.cloud.policies.forget(self.host, call.path)
        for subscription in self._subscriptions(call.path):
            subscription["topic"] = _DELETED
        return {}

    @rpc("pubsub.projects.topics.publish")
    def _publish(self, call: Call) -> Json:
        self.cloud.store.get(self.host, call.path)
        messages = call.body.get("messages") or []
        if not messages:
            raise invalid("The request has no messages.", {"messages": "required"})
        for message in messages:
            _check(message)
        return {"messageIds": [self.publish(call.path, message) for message in messages]}

    def publish(self, topic: str, message: Json) -> str:
        """Tell all who listen of a message to a topic, and return its id. Whoever calls holds the lock."""
        published = {**message, "messageId": str(next(self._ids)), "publishTime": now()}
        for listener in self.listeners:
            listener(topic, published)
        for subscription in self._subscriptions(topic):
            self._inboxes[subscription["name"]].add(published)
        self.cloud.context.changed.notify_all()
        return str(published["messageId"])

    def may_publish(self, email: str, topic: str) -> bool:
        """Whether the account of another service may publish to a topic, there or not."""
        return self.cloud.policies.allows(caller_of(email), "pubsub.topics.publish", self.host, topic)

    def publish_as(self, email: str, topic: str, message: Json) -> str | None:
        """Publish what another service tells; return why it cannot, None when it could. Whoever calls holds the lock."""
        if not self.may_publish(email, topic):
            return f"{email} may not publish to {topic}"
        if self.cloud.store.find(self.host, topic) is None:
            return f"there is no topic {topic}"
        self.publish(topic, message)
        return None

    def _subscriptions(self, topic: str) -> list[Json]:
        """The subscriptions to a topic."""
        every = self.cloud.store.children(self.host, f"{self.cloud.project.name}/subscriptions")
        return [entry.resource for entry in every if entry.resource["topic"] == topic]

    @rpc("pubsub.projects.subscriptions.create")
    def _subscribe(self, call: Call) -> Json:
        self._check_new(call, "Subscription", _FIELDS_OF_SUBSCRIPTIONS)
        topic, seconds = str(call.body.get("topic", "")), call.body.get("ackDeadlineSeconds") or _DEADLINE
        self.cloud.store.get(self.host, topic)
        require_permission(call, "pubsub.topics.attachSubscription", topic)
        if not isinstance(seconds, int) or not _DEADLINE <= seconds <= _LONGEST_DEADLINE:
            raise invalid(
                f"ackDeadlineSeconds is {_DEADLINE} to {_LONGEST_DEADLINE}.", {"ackDeadlineSeconds": "invalid"}
            )
        subscription = {**call.body, "name": call.path, "ackDeadlineSeconds": seconds, "state": "ACTIVE"}
        self.cloud.store.put(self.host, call.path, subscription)
        self._inboxes[call.path] = Inbox(seconds)
        return subscription

    @rpc("pubsub.projects.subscriptions.list")
    def _list_subscriptions(self, call: Call) -> Json:
        found = [entry.resource for entry in self.cloud.store.children(self.host, call.path)]
        return page(call, found, "subscriptions")

    @rpc("pubsub.projects.subscriptions.delete")
    def _unsubscribe(self, call: Call) -> Json:
        self._inbox(call)
        self.cloud.store.delete(self.host, call.path)
        del self._inboxes[call.path]
        return {}

    def _inbox(self, call: Call) -> Inbox:
        self.cloud.store.get(self.host, call.path)
        return self._inboxes[call.path]

    @rpc("pubsub.projects.subscriptions.pull")
    def _pull(self, call: Call) -> Json:
        inbox, most = self._inbox(call), call.body.get("maxMessages")
        if not isinstance(most, int) or most < 1:
            raise invalid("maxMessages is the most messages that are wanted, 1 or more.", {"maxMessages": "required"})
        if not call.body.get("returnImmediately"):
            self.cloud.context.wait_until(inbox.has_some, _PATIENCE)
        taken = inbox.take(most)
        return {"receivedMessages": taken} if taken else {}

    @rpc("pubsub.projects.subscriptions.acknowledge")
    def _acknowledge(self, call: Call) -> Json:
        self._inbox(call).acknowledge(call.body.get("ackIds") or [])
        return {}

    @rpc("pubsub.projects.subscriptions.modifyAckDeadline")
    def _put_off(self, call: Call) -> Json:
        self._inbox(call).put_off(call.body.get("ackIds") or [], int(call.body.get("ackDeadlineSeconds") or 0))
        return {}

    @rpc("pubsub.projects.topics.getIamPolicy")
    def _get_policy(self, call: Call) -> Json:
        self.cloud.store.get(self.host, call.path)
        return _shown(self.cloud.policies.get(self.host, call.path))

    @rpc("pubsub.projects.topics.setIamPolicy")
    def _set_policy(self, call: Call) -> Json:
        self.cloud.store.get(self.host, call.path)
        given = call.body.get("policy") or {}
        try:
            policy = json_format.ParseDict(given, policy_pb2.Policy())
        except json_format.ParseError as error:
            raise invalid(f"The policy cannot be read: {error}") from None
        return _shown(self.cloud.policies.set(self.host, call.path, policy))

    @rpc("pubsub.projects.topics.testIamPermissions")
    def _test_permissions(self, call: Call) -> Json:
        return {"permissions": [one for one in call.body.get("permissions", []) if may(call, one, call.path)]}


def _check(message: Json) -> None:
    refuse_unknown("PubsubMessage", message, ("data", "attributes"))
    try:
        size = len(base64.b64decode(message.get("data", ""), validate=True))
    except binascii.Error:
        raise invalid("The data of a message are no base64.", {"messages.data": "base64"}) from None
    if not size and not message.get("attributes"):
        raise invalid("One or more messages in the publish request is empty: give it data or attributes.")
    if size > _LARGEST:
        raise invalid(f"The message has {size} bytes; the most is {_LARGEST}.")


def _shown(policy: policy_pb2.Policy) -> Json:
    shown: Json = json_format.MessageToDict(policy)
    return shown
