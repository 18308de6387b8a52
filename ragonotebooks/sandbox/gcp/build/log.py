"""A build's log: what its steps write and what Cloud Build says itself, as entries of Cloud Logging that its account writes."""

import time
from typing import IO, Any, Final

from google.cloud.logging_v2 import types as logging_types

from ragonotebooks.sandbox.aws.logs import LogDelivery
from ragonotebooks.sandbox.gcp.acting import call_as
from ragonotebooks.sandbox.gcp.build.failures import BuildFailure
from ragonotebooks.sandbox.gcp.build.request import email_of
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.run.instance import LOGGING

_INFO: Final = 200


class BuildLog:
    """Writes for one build.

    Args:
        cloud: The cloud.
        build: The build.
        wanted: Whether anything is kept.
    """

    def __init__(self, cloud: Cloud, build: Any, *, wanted: bool) -> None:
        self._cloud, self._wanted = cloud, wanted
        self._email = email_of(build.service_account)
        self._resource = {"build_id": build.id, "build_trigger_id": build.build_trigger_id}

    def say(self, text: str) -> None:
        """Write a line of Cloud Build's own.

        Raises:
            BuildFailure: The build's account may not write it.
        """
        try:
            self._write([(text, time.time())], "")
        except ApiError as error:
            raise BuildFailure("LOGGING_FAILURE", f"{self._email} cannot write the log: {error.message}") from error

    def deliver(self, output: IO[bytes], step: str) -> LogDelivery:
        """Write the lines of a step, from now on until its output ends.

        Args:
            output: What it writes.
            step: What it is called: `Step #0 - "fetch"`.
        """

        def put(events: list[dict[str, Any]]) -> None:
            self._write([(f"{step}: {event['message']}", event["timestamp"] / 1000) for event in events], step)

        delivery = LogDelivery(output, put)
        delivery.start()
        return delivery

    def _write(self, lines: list[tuple[str, float]], step: str) -> None:
        if self._wanted:
            entries = [self._entry(text, written, step) for text, written in lines]
            call_as(self._cloud, self._email, LOGGING, "WriteLogEntries", entries=entries)

    def _entry(self, text: str, written: float, step: str) -> Any:
        entry = logging_types.LogEntry.pb(logging_types.LogEntry(text_payload=text, severity=_INFO))
        entry.log_name = f"{self._cloud.project.name}/logs/cloudbuild"
        entry.resource.type = "build"
        entry.resource.labels.update(self._resource)
        entry.timestamp.FromNanoseconds(int(written * 1e9))
        if step:
            entry.labels["build_step"] = step
        return entry
