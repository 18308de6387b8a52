"""SQS: what moto's queues lack. Long polls let other calls be answered, policies stay when other attributes are set."""

import time
from typing import Any

from moto.sqs.models import SQSBackend, sqs_backends

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws import service_access
from ragonotebooks.sandbox.context import Context

_BETWEEN_LOOKS = 0.1  # seconds


class Queues:
    """Sends messages on behalf of AWS services.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def send(self, arn: str, body: str, service: str, source: str, **more: Any) -> None:
        """Send a message as a service, such as `sns.amazonaws.com` for the topic `source`, when the queue's policy lets it.

        Raises:
            RagonotebooksError: It does not, or there is no such queue.
        """
        with self._context.lock:
            self.require(arn, service, source)
            _, _, _, region, account, name = arn.split(":")
            sqs_backends[account][region].send_message(name, body, validate_group_id=False, **more)
            self._context.changed.notify_all()

    def require(self, arn: str, service: str, source: str) -> None:
        """Raise a RagonotebooksError unless a service may send to a queue."""
        _, _, _, region, account, name = arn.split(":")
        queue = sqs_backends[account][region].queues.get(name)
        if queue is None:
            raise RagonotebooksError(f"the queue {arn} does not exist")
        service_access.require(service, source, "sqs:SendMessage", arn, [queue.policy] if queue.policy else [])


def of(context: Context) -> Queues:
    """Return the sandbox's queues; the first call changes moto's."""
    return context.part(Queues, lambda: _install(context))


def _install(context: Context) -> Queues:
    receive, set_attributes = SQSBackend.receive_message, SQSBackend.set_queue_attributes

    def receive_message(self: Any, queue_name: str, count: int, wait: int, *more: Any) -> Any:
        deadline = time.monotonic() + wait
        while not (found := receive(self, queue_name, count, 0, *more)):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            # messages also appear by the passing of time, so notifications are not enough
            context.changed.wait(min(_BETWEEN_LOOKS, left))
        return found

    def set_queue_attributes(self: Any, queue_name: str, attributes: dict[str, Any]) -> Any:
        return set_attributes(self, queue_name, {"Policy": self.get_queue(queue_name).policy, **attributes})

    SQSBackend.receive_message = receive_message
    SQSBackend.set_queue_attributes = set_queue_attributes
    return Queues(context)
