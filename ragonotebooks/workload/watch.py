"""Around every request: its id, its trace, the limit of its body, and one log line that is also its measurement."""

import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs, metrics, problems

HEADER = "X-Request-Id"
TRACE = "logging.googleapis.com/trace"  # by which Cloud Logging shows a line beside the request that it is about
QUIET = ("/healthz", "/readyz")  # a load balancer asks all day long; only what went wrong there is told


class Watch:
    """The outermost layer: an ASGI app around another one that takes bodies of up to `body_bytes`.

    `project` is the project of Google Cloud that has the traces, None elsewhere.
    """

    def __init__(self, app: ASGIApp, body_bytes: int, project: str | None) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._project = project

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, headers, status = time.perf_counter(), Headers(scope=scope), 0
        request = _request_id(headers)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request
            await send(message)

        with logs.about(request_id=request, **self._trace(headers)):
            try:
                if int(headers.get("Content-Length") or 0) > self._body_bytes:
                    too_large = problems.Problem(413, f"The body may have {self._body_bytes} bytes at most.")
                    await too_large(scope, receive, answer)
                else:
                    await self._app(scope, receive, answer)
            except Exception:  # Starlette raises again what has been logged and answered
                if not status:
                    raise
            finally:
                _tell(scope, status, (time.perf_counter() - begun) * 1000)

    def _trace(self, headers: Headers) -> dict[str, str]:
        """The field with the trace that the platform gave the request, which it tells by W3C's header `traceparent`."""
        found = re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", headers.get("traceparent", ""))
        return {TRACE: f"projects/{self._project}/traces/{found[1]}"} if self._project and found else {}


def _request_id(headers: Headers) -> str:
    given = headers.get(HEADER, "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else uuid4().hex


def _tell(scope: Scope, status: int, ms: float) -> None:
    if scope["path"] in QUIET and status < 400:
        return
    route = getattr(scope.get("route"), "path", "unknown")  # never the path: each would be a series of its own
    values = {
        "Requests": (1, "Count"),
        "Latency": (round(ms, 2), "Milliseconds"),
        "Errors": (int(status >= 500 or not status), "Count"),
        "Refused": (int(status == 401), "Count"),
    }
    about = {"service": "api", "route": route, "method": scope["method"], "status": status}
    metrics.log("request", values, [["service"], ["service", "route"]], **about)
