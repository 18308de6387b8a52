"""Google Cloud's APIs over REST: one form serves them all, where each client has its own."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

_TIMEOUT: Final = 60  # seconds for one request
_POLLS: Final = 5  # what takes longer than these polls, goes on while the cleanup does


class ApiError(Exception):
    """An API's refusal.

    Attributes:
        status: The HTTP status; 409 for an operation that failed.
        code: The name of a google.rpc.Code, such as FAILED_PRECONDITION; empty when the API is of the older make.
        reasons: Why, in the API's own words, such as SERVICE_DISABLED.
    """

    def __init__(self, status: int, code: str, reasons: frozenset[str], message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.reasons = status, code, reasons


@dataclass(frozen=True)
class Api:
    """One API, as it is called for one project.

    Attributes:
        session: A session of google-auth, which adds the caller's token.
        service: What its host begins with: `run`.
        project: The project's id.
        region: Where things are looked for that are in a region.
    """

    session: Any
    service: str
    project: str
    region: str

    def call(self, verb: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """Send one request and return the answer's JSON.

        Args:
            verb: `GET`.
            path: Behind the host, such as `v2/{project}/locations/{region}/services`; `{project}` becomes `projects/…`.
            body: What is sent.
            query: Parameters.

        Raises:
            ApiError: It is refused.
        """
        where = path.replace("{project}", f"projects/{self.project}").replace("{region}", self.region)
        url = f"https://{self.service}.googleapis.com/{where}"
        answer = self.session.request(verb, url, params=query, json=body, timeout=_TIMEOUT)
        if not answer.ok:
            raise _refused(answer)
        told: Json = answer.json() if answer.content else {}
        return told

    def each(self, path: str, items: str, **query: Any) -> Iterator[Json]:
        """Yield what the list `items` of the answers to a GET holds, page after page."""
        more: Json = {}
        while True:
            answer = self.call("GET", path, None, **query, **more)
            yield from answer.get(items, [])
            if not answer.get("nextPageToken"):
                return
            more = {"pageToken": answer["nextPageToken"]}

    def start(self, verb: str, path: str, body: Json | None = None) -> None:
        """Send a request that starts an operation. One that ends at once with an error is refused; a long one goes on.

        Raises:
            ApiError: The request is refused, or its operation fails.
        """
        operation = self.call(verb, path, body)
        for poll in range(_POLLS):
            if problem := operation.get("error"):
                raise _failed(problem)
            if operation.get("done") or operation.get("status") == "DONE" or not (where := _place(path, operation)):
                return
            time.sleep(poll / 2)
            operation = self.call("GET", where)


def _place(path: str, operation: Json) -> str:
    """Where an operation is asked about; empty when the answer was none."""
    if url := operation.get("selfLink", ""):  # Compute Engine, Cloud SQL
        return str(url).split("googleapis.com/", 1)[1]
    name = str(operation.get("name", ""))
    return f"{path.split('/')[0]}/{name}" if "operations/" in name else ""


def _refused(answer: Any) -> ApiError:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return ApiError(answer.status_code, "", frozenset(), f"{answer.status_code} {answer.reason}")
    told = [*error.get("details", []), *error.get("errors", [])]
    reasons = frozenset(one["reason"] for one in told if "reason" in one)
    return ApiError(answer.status_code, error.get("status", ""), reasons, error.get("message", answer.reason))


def _failed(problem: Json) -> ApiError:
    """What an operation failed with: a google.rpc.Status, or the list of older APIs."""
    first = problem.get("errors", [problem])[0]
    return ApiError(409, str(first.get("code", "")), frozenset(), first.get("message", "its deletion failed"))
