"""Pub/Sub's subscriptions over REST: what is published waits until it is acknowledged."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import google.auth
import pytest
from google.auth.transport.requests import AuthorizedSession

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT, enable


@dataclass(frozen=True)
class Queue:
    """A topic with a subscription.

    Attributes:
        session: The operator's.
        topic: `projects/p/topics/t`.
        subscription: `projects/p/subscriptions/s`.
    """

    session: AuthorizedSession
    topic: str
    subscription: str

    def call(self, verb: str, path: str, body: Any = None) -> Any:
        """Send a request; the answer's JSON."""
        answer = self.session.request(verb, f"https://pubsub.googleapis.com/v1/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def refused(self, verb: str, path: str, body: Any = None) -> tuple[int, str]:
        """The status and the sentence of a refusal."""
        answer = self.session.request(verb, f"https://pubsub.googleapis.com/v1/{path}", json=body, timeout=30)
        return answer.status_code, answer.json()["error"]["message"]

    def publish(self, *texts: str) -> None:
        messages = [{"data": base64.b64encode(text.encode()).decode()} for text in texts]
        self.call("POST", f"{self.topic}:publish", {"messages": messages})

    def pull(self, most: int = 10) -> dict[str, str]:
        """The texts that come, by the ids to acknowledge them with."""
        body = {"maxMessages": most, "returnImmediately": True}
        found = self.call("POST", f"{self.subscription}:pull", body).get("receivedMessages", [])
        return {one["ackId"]: base64.b64decode(one["message"]["data"]).decode() for one in found}


@pytest.fixture
def queue(gcp: Sandbox) -> Iterator[Queue]:
    enable("pubsub")
    name = f"q-{secrets.token_hex(4)}"
    made = Queue(
        AuthorizedSession(google.auth.default()[0]), f"{PROJECT}/topics/{name}", f"{PROJECT}/subscriptions/{name}"
    )
    made.call("PUT", made.topic, {})
    made.call("PUT", made.subscription, {"topic": made.topic, "labels": {"team": "rag"}})
    yield made
    made.call("DELETE", made.topic)


def test_a_message_is_somebodys_until_its_deadline_and_gone_when_acknowledged(queue: Queue) -> None:
    queue.publish("one", "two", "three")
    first = queue.pull(1)
    assert list(first.values()) == ["one"]
    assert list(queue.pull().values()) == ["two", "three"]
    assert queue.pull() == {}
    queue.call("POST", f"{queue.subscription}:modifyAckDeadline", {"ackIds": list(first), "ackDeadlineSeconds": 0})
    again = queue.pull()
    assert list(again.values()) == ["one"]
    queue.call("POST", f"{queue.subscription}:acknowledge", {"ackIds": list(again)})
    queue.call("POST", f"{queue.subscription}:modifyAckDeadline", {"ackIds": list(again), "ackDeadlineSeconds": 0})
    assert queue.pull() == {}


def test_every_subscription_gets_every_message_that_comes_after_it(queue: Queue) -> None:
    queue.publish("before")
    late = Queue(queue.session, queue.topic, f"{queue.subscription}-late")
    late.call("PUT", late.subscription, {"topic": late.topic, "ackDeadlineSeconds": 60})
    queue.publish("after")
    assert list(queue.pull().values()) == ["before", "after"]
    assert list(late.pull().values()) == ["after"]
    listed = queue.call("GET", f"{PROJECT}/subscriptions")["subscriptions"]
    assert {one["name"]: one["ackDeadlineSeconds"] for one in listed}.items() >= {
        queue.subscription: 10,
        late.subscription: 60,
    }.items()
    queue.call("DELETE", late.subscription)
    assert queue.refused("POST", f"{late.subscription}:pull", {"maxMessages": 1})[0] == 404


def test_a_subscription_outlives_its_topic(queue: Queue) -> None:
    queue.call("DELETE", queue.topic)
    shown = queue.call("GET", queue.subscription)
    assert (shown["topic"], shown["labels"]) == ("_deleted-topic_", {"team": "rag"})
    queue.call("PUT", queue.topic, {})
    queue.publish("to nobody")
    assert queue.pull() == {}


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"topic": f"{PROJECT}/topics/nowhere"}, 404, "nowhere"),
        ({"pushConfig": {"pushEndpoint": "https://example.com"}}, 501, "pushConfig of a Subscription"),
        ({"ackDeadlineSeconds": 5}, 400, "ackDeadlineSeconds is 10 to 600"),
    ],
)
def test_a_subscription_that_cannot_be_is_refused(queue: Queue, body: Any, status: int, sentence: str) -> None:
    code, message = queue.refused("PUT", f"{PROJECT}/subscriptions/refused", {"topic": queue.topic, **body})
    assert code == status
    assert sentence in message
