"""The deployed API as an operator asks it, the same on every cloud: answers, jobs, and requests while something changes."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from ragonotebooks.errors import RagonotebooksError

_TIMEOUT: Final = 60  # seconds for one request
_JOB_SECONDS: Final = 200  # for a job, with the time that it waits
_PAUSE: Final = 0.2  # seconds between two requests of a load
_ENDED: Final = ("finished", "failed")


@dataclass(frozen=True)
class Api:
    """The API of one deployment.

    Attributes:
        address: Scheme and host: `https://api.example.com`.
        headers: Returns what lets a caller in. It is called for each request, since tokens expire; its values are secrets.
    """

    address: str
    headers: Callable[[], Mapping[str, str]] = field(repr=False)

    def ask(self, method: str, path: str) -> requests.Response:
        """Send a request, such as `GET /ask?q=inflation`."""
        return requests.request(method, self.address + path, headers=self.headers(), timeout=_TIMEOUT)

    def wrong_answer(self, times: int = 10) -> str | None:
        """Ask a question some times; return what was wrong with the first answer that was not good."""
        for _ in range(times):
            answer = self.ask("GET", "/ask?q=inflation")
            if answer.status_code != requests.codes.ok:
                return f"the API answers {answer.status_code}: {answer.text[:200]}"
        return None

    def failing_job(self) -> str | None:
        """Let a worker do a job, the index job, which does nothing when nothing is new; return what was wrong."""
        queued, end = self.ask("POST", "/index"), time.monotonic() + _JOB_SECONDS
        if not queued.ok:
            return f"the API takes no job ({queued.status_code}): {queued.text[:200]}"
        job = queued.json()
        while job["status"] not in _ENDED and time.monotonic() < end:
            time.sleep(0.5)
            answer = self.ask("GET", f"/jobs/{job['id']}")
            job = answer.json() if answer.ok else job  # a moment without an answer is no failed job
        why = job["error"] or "without an error"
        return (
            None if job["status"] == "finished" else f"the worker does not finish a job: it is {job['status']}, {why}"
        )

    def jobs(self) -> dict[str, Any]:
        """What the API tells of the queue: how many jobs wait, which are dead, and the newest ones.

        Raises:
            RagonotebooksError: It tells nothing.
        """
        answer = self.ask("GET", "/jobs")
        if not answer.ok:
            raise RagonotebooksError(
                f"the API does not tell about the queue ({answer.status_code}): {answer.text[:200]}"
            )
        told: dict[str, Any] = answer.json()
        return told


class Load:
    """Somebody who searches five times a second, from `begin` to `end`.

    Args:
        api: Whom to ask.

    Attributes:
        asked: How each request ended: its status, or the name of what came in place of an answer.
    """

    def __init__(self, api: Api) -> None:
        self.asked: list[int | str] = []
        self._api = api
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_asking, daemon=True)

    @property
    def failed(self) -> set[int | str]:
        """How requests ended that were not answered as they should be."""
        return {status for status in self.asked if status != requests.codes.ok}

    def begin(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def end(self) -> None:
        """Ask no more; return when the last answer is there."""
        self._over.set()
        self._thread.join()

    def _keep_asking(self) -> None:
        while not self._over.wait(_PAUSE):
            try:
                self.asked.append(self._api.ask("GET", "/search?q=inflation").status_code)
            except requests.RequestException as error:
                self.asked.append(type(error).__name__)
