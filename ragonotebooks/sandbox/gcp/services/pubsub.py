"""Pub/Sub: topics, and what is published to them. Who listens are triggers of Cloud Build; other subscriptions are refused."""

import base64
import binascii
import re
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from google.iam.v1 import policy_pb2
from google.protobuf import json_format

from ragonotebooks.sandbox.gcp.access import may
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import already_exists, invalid, unsupported
from ragonotebooks.sandbox.gcp.json_service import JsonService, now, page
from ragonotebooks.sandbox.gcp.service import Call, rpc

Json = dict[str, Any]

_ID: Final = re.compile(r"(?!goog)[A-Za-z][\w.~+%-]{2,254}")
_FIELDS: Final = frozenset(("name", "labels"))
_LARGEST: Final = 10_000_000  # bytes of a message; Pub/Sub, "Quotas and limits", read 2026-11


class PubSub(JsonService):
    """Topics.

    Attributes:
        listeners: Are told of every message, as its topic and itself. Whoever tells them holds the lock.
    """

    host = "pubsub.googleapis.com"
    title = "Cloud Pub/Sub API"
    api = ("pubsub", "v1")
    keeps = frozenset(("topics",))
    refuses = frozenset(("pubsub.projects.topics.patch",))

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.listeners: list[Callable[[str, Json], None]] = []
        self._ids = count(1)

    @rpc("pubsub.projects.topics.create")
    def _create(self, call: Call) -> Json:
        if not _ID.fullmatch(call.path.rpartition("/")[2]):
            raise invalid(f"Invalid resource name given (name={call.path}): it must match {_ID.pattern}.")
        if unknown := sorted(set(call.body) - _FIELDS):
            raise unsupported(f"{unknown[0]} of a Topic")
        if self.cloud.store.find(self.host, call.path) is not None:
            raise already_exists(f"Resource already exists in the project (resource={call.path.rpartition('/')[2]})")
        topic = {**call.body, "name": call.path}
        self.cloud.store.put(self.host, call.path, topic)
        return topic

    @rpc("pubsub.projects.topics.list")
    def _list(self, call: Call) -> Json:
        return page(call, [entry.resource for entry in self.cloud.store.children(self.host, call.path)], "topics")

    @rpc("pubsub.projects.topics.delete")
    def _delete(self, call: Call) -> Json:
        self.cloud.store.get(self.host, call.path)
        self.cloud.store.delete(self.host, call.path)
        self.cloud.policies.forget(self.host, call.path)
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
        identity = str(next(self._ids))
        for listener in self.listeners:
            listener(topic, {**message, "messageId": identity, "publishTime": now()})
        return identity

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
    if unknown := sorted(set(message) - {"data", "attributes"}):
        raise unsupported(f"{unknown[0]} of a PubsubMessage")
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
