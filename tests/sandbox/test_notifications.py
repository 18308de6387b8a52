"""SNS and SQS: who gets which message."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.metrics import counted
from tests.sandbox.queues import queue_for


@pytest.fixture(scope="module")
def cloudwatch(sandbox: Sandbox) -> Any:
    return sandbox.client("cloudwatch")


def test_topic_does_not_reach_a_queue_whose_policy_does_not_let_it(sandbox: Sandbox, cloudwatch: Any) -> None:
    sns, sqs = sandbox.client("sns"), sandbox.client("sqs")
    topic = sns.create_topic(Name="denied")["TopicArn"]
    url, arn = queue_for(sandbox, "denied", "sns.amazonaws.com", f"{topic}-other")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="hello")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert counted(cloudwatch, "AWS/SNS", "NumberOfNotificationsFailed", TopicName="denied") == 1


def test_endpoint_gets_messages_once_it_has_confirmed(sandbox: Sandbox) -> None:
    posted: list[dict[str, Any]] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    Thread(target=server.serve_forever, daemon=True).start()
    sns = sandbox.client("sns")
    topic = sns.create_topic(Name="endpoint")["TopicArn"]
    endpoint = f"http://127.0.0.1:{server.server_port}/alarms"
    assert (
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)["SubscriptionArn"] == "pending confirmation"
    )
    eventually(lambda: posted)
    sns.publish(TopicArn=topic, Message="too early")
    # the endpoint visits the URL without credentials; the token in it is the proof
    session = requests.Session()
    session.trust_env = False
    wrong = posted[0]["SubscribeURL"].replace(posted[0]["Token"], "0" * 128)
    for url, status in ((wrong, 400), (posted[0]["SubscribeURL"], 200)):
        answered = session.get(url, proxies={"https": sandbox.proxy}, verify=sandbox.bundle, timeout=60)
        assert answered.status_code == status
    sns.publish(TopicArn=topic, Message="hello")
    eventually(lambda: len(posted) > 1)
    assert [one["Type"] for one in posted] == ["SubscriptionConfirmation", "Notification"]
    assert posted[1]["Message"] == "hello"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("protocol", "endpoint", "problem"),
    [
        ("email", "someone@example.org", "protocol email are not supported"),
        ("https", "https://example.org/alarms", "example.org is not reached"),
        ("http", "https://127.0.0.1/", "begins with http://"),
    ],
)
def test_subscription_that_would_get_nothing_is_refused(
    sandbox: Sandbox, protocol: str, endpoint: str, problem: str
) -> None:
    sns = sandbox.client("sns")
    topic = sns.create_topic(Name="refused")["TopicArn"]
    with pytest.raises(ClientError, match=problem):
        sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint)


def test_waiting_for_a_message_lets_others_be_answered(sandbox: Sandbox) -> None:
    sqs = sandbox.client("sqs")
    url = sqs.create_queue(QueueName="long-poll")["QueueUrl"]
    got: list[Any] = []
    waiting = Thread(target=lambda: got.extend(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]))
    waiting.start()
    sandbox.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    waiting.join(timeout=15)
    assert [message["Body"] for message in got] == ["hello"]
