"""The request log of Cloud Run: one entry a request, with its trace, so that a program's own entries can be found beside it."""

import secrets
import time
from typing import Any, Final

from google.cloud.logging_v2 import types

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.run import HOST
from ragonotebooks.sandbox.gcp.run.instance import LOGGING
from ragonotebooks.sandbox.parts.balancer.passing import Request

_SEVERITIES: Final = {4: 400, 5: 500}  # WARNING and ERROR


class RequestLog:
    """What is to be said of one request.

    Args:
        cloud: The cloud.
        request: The request.
        host: The host that it is for.
    """

    def __init__(self, cloud: Cloud, request: Request, host: str) -> None:
        self._cloud, self._request, self._host = cloud, request, host
        self._started, self._arrived = time.perf_counter(), time.time_ns()
        self._status, self._size, self._instance, self._problem = 0, 0, "", ""
        given = (request.head.get("x-cloud-trace-context") or "").partition("/")[0]
        parts = (request.head.get("traceparent") or "").split("-")
        self._trace = given or (parts[1] if len(parts) == 4 else secrets.token_hex(16))
        self._span = secrets.randbits(63)

    @property
    def trace(self) -> dict[str, str]:
        """The header fields that tell an instance which trace a request is of."""
        return {
            "X-Cloud-Trace-Context": f"{self._trace}/{self._span};o=1",
            "traceparent": f"00-{self._trace}-{self._span:016x}-01",
        }

    def answered(self, status: int, size: int, instance: str, problem: str = "") -> None:
        """Note what was answered, by which instance, and what the platform says of it."""
        self._status, self._size, self._instance, self._problem = status, size, instance, problem
        self._latency = time.perf_counter() - self._started

    def write(self, service: str, revision: str) -> None:
        """Write the entry, unless there is no such service; not on the event loop.

        Args:
            service: The service's name in full.
            revision: The revision's short name, empty when none was asked.
        """
        request, words = self._request, service.split("/")
        entry: Any = types.LogEntry.pb(types.LogEntry())
        entry.log_name = f"{self._cloud.project.name}/logs/run.googleapis.com%2Frequests"
        entry.severity = _SEVERITIES.get(self._status // 100, 200)
        entry.timestamp.FromNanoseconds(self._arrived)
        entry.trace, entry.span_id = f"{self._cloud.project.name}/traces/{self._trace}", f"{self._span:016x}"
        entry.trace_sampled = True
        entry.resource.type = "cloud_run_revision"
        entry.resource.labels.update(
            {"service_name": words[5], "revision_name": revision, "configuration_name": words[5], "location": words[3]}
        )
        if self._instance:
            entry.labels["instanceId"] = self._instance
        entry.text_payload = self._problem
        http = entry.http_request
        http.request_method, http.request_url = request.method, f"https://{self._host}{request.head.line[1]}"
        http.status, http.response_size = self._status, self._size
        http.user_agent, http.remote_ip = request.head.get("user-agent") or "", request.asked.source
        http.protocol = request.head.line[2]
        http.latency.FromNanoseconds(int(self._latency * 1e9))
        logging: Any = self._cloud.service(LOGGING)
        with self._cloud.context.lock:
            if self._cloud.store.find(HOST, service) is not None:
                logging.write(entry)
