"""The deployed services as somebody outside of their network meets them, and the processes that they are here."""

import json
import re
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import requests

from ragonotebooks.sandbox import client, status
from tests.desk import Desk, Done
from tests.sandbox.conftest import eventually

DEPLOYMENT = "ragonometrics"
SECONDS = 60
AT_ONCE = 4  # requests of a steady load


@dataclass(frozen=True)
class Services:
    """The API, the worker and the UI.

    Attributes:
        desk: The shell of whoever operates them.
        address: The load balancer's, for a browser of this machine.
        key: The API's.
    """

    desk: Desk
    address: str
    key: str = field(repr=False)

    @classmethod
    def of(cls, desk: Desk) -> "Services":
        """What a desk has deployed, at the local link that `ragonotebooks sandbox status` prints."""
        shown = desk.ragonotebooks("sandbox", "status").output
        link = re.search(rf"elasticloadbalancing +{DEPLOYMENT}:80 +active +(127\.0\.0\.1:\d+)", shown)
        assert link, shown
        stored = desk.aws("secretsmanager").get_secret_value(SecretId=f"{DEPLOYMENT}/api")["SecretString"]
        return cls(desk, f"http://{link[1]}", json.loads(stored)["key"])

    def run(self, what: str, parameter: str = "") -> Done:
        """Run a lesson or a runbook."""
        options = ["-p", parameter] if parameter else []
        return self.desk.ragonotebooks("run", what, *options, "--out", str(self.desk.folder / secrets.token_hex(4)))

    def ask(self, path: str, method: str = "GET", **parameters: Any) -> requests.Response:
        """Ask the API."""
        headers = {"X-API-Key": self.key}
        return requests.request(method, self.address + path, params=parameters, headers=headers, timeout=SECONDS)

    def start_index(self) -> str:
        """Start an index job and return its id."""
        answer = self.ask("/index", "POST")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, job: str) -> dict[str, Any]:
        answer = self.ask(f"/jobs/{job}")
        assert answer.ok, answer.text
        return dict(answer.json())

    def finished(self, job: str) -> dict[str, Any]:
        """The job once it has ended, which must be well."""
        eventually(lambda: self.job(job)["status"] in ("finished", "failed"), 2 * SECONDS)
        found = self.job(job)
        assert found["status"] == "finished", found
        return found

    @contextmanager
    def load(self) -> Iterator[list[requests.Response]]:
        """Search all the time; the answers so far, and at the end all of them. A request without any answer fails the test."""
        answers: list[requests.Response] = []
        over = threading.Event()

        def search() -> None:
            while not over.is_set():
                answers.append(self.ask("/search", q="inflation"))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            searching = [pool.submit(search) for _ in range(AT_ONCE)]
            try:
                eventually(lambda: len(answers) > 20, SECONDS)
                yield answers
            finally:
                over.set()
            for one in searching:
                one.result()

    def running(self, service: str, name: str) -> list[status.Server]:
        """What runs on this machine behind a resource: a database, a cache, the tasks of a service."""
        state = client.find(self.desk.sandbox)
        assert state
        servers = [one for one in status.ask(state).servers if one.service == service and one.pid]
        return [one for one in servers if one.id.partition("/")[0] == name]

    def kill(self, server: status.Server) -> None:
        """End it with all of its processes, as when its machine is lost, and wait until another has taken its place."""
        name = server.id.partition("/")[0]
        count = len(self.running(server.service, name))
        assert server.pid
        process = psutil.Process(server.pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        eventually(lambda: server.pid not in (pids := self._pids(server.service, name)) and len(pids) == count, SECONDS)

    def _pids(self, service: str, name: str) -> list[int | None]:
        return [one.pid for one in self.running(service, name)]
