"""SNS: topics that reach queues whose policies let them, and HTTP endpoints that confirmed their subscription.

Endpoints are addresses of this machine (`http://127.0.0.1:8080/`) and load balancers of the sandbox; it sends no mail, no SMS and
calls no functions, so other protocols are refused by name. moto keeps topics, filters and attributes.
Source: Amazon SNS developer guide, "Fanout to HTTP/S endpoints", read 2026-11.
"""

import ipaddress
import re
import secrets
import time
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.core.responses import ActionResult
from moto.sns import models
from moto.sns.responses import SNSResponse as Response

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws import cloudwatch, queues, service_access
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.context import Context

SERVICE: Final = "sns.amazonaws.com"
_WEB: Final = ("http", "https")
_ARN: Final = re.compile(r"arn:aws:sns:[a-z0-9-]+:\d{12}:[\w.-]+")
_BALANCER: Final = re.compile(r".+\.elb(\.[a-z0-9-]+)?\.amazonaws\.com")
_ATTEMPTS, _SECONDS_BETWEEN, _PATIENCE = 3, 1.0, 15.0


class Topics:
    """The controller.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def publish(self, arn: str, message: str, subject: str | None, service: str, source: str) -> None:
        """Publish as an AWS service, when the topic's policy lets it.

        Args:
            arn: The topic's.
            message: The text.
            subject: Of mails and envelopes; None for none.
            service: The service's principal, `cloudwatch.amazonaws.com`.
            source: The ARN of what the service acts for.

        Raises:
            RagonotebooksError: The topic does not exist, or does not let the service.
        """
        with self._context.lock:
            topic = models.sns_backends[arn.split(":")[4]][arn.split(":")[3]].topics.get(arn)
            if topic is None:
                raise RagonotebooksError(f"the topic {arn} does not exist")
            owned = service == "cloudwatch.amazonaws.com"
            service_access.require(service, source, "SNS:Publish", arn, [topic.policy], owned=owned)
            topic.publish(message, subject)

    def to_queue(self, subscription: Any) -> bool:
        """Whether a topic may send to the queue that is subscribed to it; a topic that may not has failed silently."""
        try:
            queues.of(self._context).require(subscription.endpoint, SERVICE, subscription.topic.arn)
        except RagonotebooksError:
            self._count(subscription, "NumberOfNotificationsFailed")
            return False
        self._count(subscription, "NumberOfNotificationsDelivered")
        return True

    def to_endpoint(self, subscription: Any, kind: str, body: dict[str, Any], *, raw: bool = False) -> None:
        """Post a message to an endpoint, from another thread; what fails is tried again a few times."""
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "User-Agent": "Amazon Simple Notification Service Agent",
            "x-amz-sns-message-type": kind,
            "x-amz-sns-message-id": body["MessageId"],
            "x-amz-sns-topic-arn": subscription.topic.arn,
            "x-amz-sns-subscription-arn": subscription.arn,
            **({"x-amz-sns-rawdelivery": "true"} if raw else {}),
        }
        self._context.workers.submit(self._post, subscription, headers, body["Message"] if raw else body)

    def _post(self, subscription: Any, headers: dict[str, str], body: Any) -> None:
        session = requests.Session()
        session.trust_env, session.verify = False, str(self._context.authority.bundle)
        if not _is_here(subscription.endpoint):
            gateway = f"http://127.0.0.1:{self._context.state.port}"
            session.proxies = {"http": gateway, "https": gateway}
        content = {"data": body.encode()} if isinstance(body, str) else {"json": body}
        for attempt in range(_ATTEMPTS):
            time.sleep(_SECONDS_BETWEEN * attempt)
            try:
                if session.post(subscription.endpoint, headers=headers, timeout=_PATIENCE, **content).ok:
                    return self._count(subscription, "NumberOfNotificationsDelivered")
            except requests.RequestException:
                continue
        return self._count(subscription, "NumberOfNotificationsFailed")

    def _count(self, subscription: Any, name: str) -> None:
        dimensions = [{"Name": "TopicName", "Value": subscription.topic.name}]
        datum = {"MetricName": name, "Dimensions": dimensions, "Value": 1, "Unit": "Count"}
        region = subscription.topic.arn.split(":")[3]
        cloudwatch.of(self._context).put(region, "AWS/SNS", [datum])


def of(context: Context) -> Topics:
    """Return the sandbox's topics; the first call puts them behind moto's."""
    return context.part(Topics, lambda: _install(context))


def _install(context: Context) -> Topics:
    topics, publish = Topics(context), models.Subscription.publish
    get, send_on = models.SNSBackend.get_topic, models.SNSBackend.publish

    def deliver(self: Any, message: str, message_id: str, *args: Any, **more: Any) -> None:
        if str(self.attributes.get("RawMessageDelivery")).lower() == "false":
            self.attributes["RawMessageDelivery"] = False
        if self.protocol in _WEB:
            _deliver_to_web(topics, self, message, message_id, more)
        elif self.protocol == "sqs" and _wants(self, message, more) and topics.to_queue(self):
            publish(self, message, message_id, *args, **more)
            context.changed.notify_all()

    def get_topic(self: Any, arn: str) -> Any:
        if _ARN.fullmatch(arn or "") is None:
            raise ApiError("InvalidParameter", "Invalid parameter: TopicArn; the sandbox publishes to topics alone")
        return get(self, arn)

    def send(self: Any, message: str, arn: str | None, phone_number: str | None = None, **more: Any) -> Any:
        if phone_number:
            raise ApiError("InvalidParameter", "Invalid parameter: PhoneNumber; the sandbox sends no SMS")
        return send_on(self, message, arn, **more)

    models.SNSBackend.get_topic, models.SNSBackend.publish = get_topic, send
    models.Subscription.publish = deliver
    models.Subscription.private_key = lambda self: _key()
    Response.subscribe = lambda self: _subscribe(self, topics)
    Response.confirm_subscription = _confirm
    return topics


@cache
def _key() -> rsa.RSAPrivateKey:
    """One key for all; making one takes longer than everything else about a message."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _deliver_to_web(topics: Topics, self: Any, message: str, message_id: str, more: dict[str, Any]) -> None:
    if self.attributes["PendingConfirmation"] or not _wants(self, message, more):
        return
    if more.get("message_structure") == "json":
        message = self._parse_message_structure(message, self.protocol)
    body = self.get_post_data(message, message_id, more.get("subject"), more.get("message_attributes"))
    topics.to_endpoint(self, "Notification", body, raw=bool(self.attributes["RawMessageDelivery"]))


def _wants(self: Any, message: str, more: dict[str, Any]) -> bool:
    matcher = self._filter_policy_matcher
    return matcher is None or bool(matcher.matches(more.get("message_attributes"), message))


def _subscribe(self: Any, topics: Topics) -> ActionResult:
    wanted = self._get_params()
    protocol, endpoint = wanted["Protocol"], wanted.get("Endpoint") or ""
    if protocol not in ("sqs", *_WEB):
        problem = f"Subscriptions of the protocol {protocol} are not supported by the sandbox; take sqs, http or https."
        raise ApiError("InvalidParameter", f"Invalid parameter: {problem}")
    if protocol in _WEB:
        _check_endpoint(protocol, endpoint)
    attributes = self._get_attributes() or {}
    subscription = self.backend.subscribe(wanted["TopicArn"], endpoint, protocol)
    for name in sorted(attributes, key=lambda name: name != "FilterPolicyScope"):
        self.backend.set_subscription_attributes(subscription.arn, name, attributes[name])
    if protocol in _WEB and not hasattr(subscription, "token"):
        _ask_to_confirm(subscription, topics)
    pending = subscription.attributes["PendingConfirmation"] and not wanted.get("ReturnSubscriptionArn")
    return ActionResult({"SubscriptionArn": "pending confirmation" if pending else subscription.arn})


def _check_endpoint(protocol: str, endpoint: str) -> None:
    parts = urlsplit(endpoint)
    if parts.scheme != protocol or not parts.hostname:
        raise ApiError("InvalidParameter", f"Invalid parameter: Endpoint must be a URL that begins with {protocol}://")
    if not _is_here(endpoint) and not _BALANCER.fullmatch(parts.hostname):
        problem = f"{parts.hostname} is not reached by the sandbox; take an address of this machine or a load balancer"
        raise ApiError("InvalidParameter", f"Invalid parameter: Endpoint: {problem}")


def _is_here(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ask_to_confirm(subscription: Any, topics: Topics) -> None:
    """Send what an endpoint has to answer with ConfirmSubscription before it gets anything else."""
    topic = subscription.topic.arn
    subscription.token = secrets.token_hex(64)
    subscription.attributes["PendingConfirmation"] = True
    subscription.attributes["ConfirmationWasAuthenticated"] = False
    visit = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic, "Token": subscription.token})
    url = f"https://sns.{topic.split(':')[3]}.amazonaws.com/?{visit}"
    text = f"You have chosen to subscribe to the topic {topic}.\nTo confirm, visit the SubscribeURL of this message."
    body = subscription.get_post_data(text, secrets.token_hex(16), None)
    del body["UnsubscribeURL"]
    body |= {"Type": "SubscriptionConfirmation", "Token": subscription.token, "SubscribeURL": url}
    topics.to_endpoint(subscription, "SubscriptionConfirmation", body)


def _confirm(self: Any) -> ActionResult:
    topic, token = self._get_param("TopicArn"), self._get_param("Token")
    for subscription in self.backend.subscriptions.values():
        if subscription.topic.arn == topic and secrets.compare_digest(getattr(subscription, "token", ""), token):
            subscription.attributes["PendingConfirmation"] = False
            return ActionResult({"SubscriptionArn": subscription.arn})
    raise ApiError("InvalidParameter", "Invalid parameter: Token")
