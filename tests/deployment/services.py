"""The deployed services as somebody outside of their network meets them, and the processes that they are here."""

import base64
import json
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import psutil
import requests
from requests import Response
from requests.exceptions import ChunkedEncodingError

from ragonotebooks.sandbox import client, status
from tests.desk import Desk, Done
from tests.google import HERE, PROJECT, api
from tests.sandbox.conftest import eventually

DEPLOYMENT = "ragonometrics"
SECONDS = 180
AT_ONCE = 4  # requests of a steady load

Parts = Mapping[str, tuple[str, str]]
"""Part of the deployment → the service that it is a resource of, and its name there."""


@dataclass(frozen=True)
class Services:
    """The API, the worker and the UI.

    Attributes:
        desk: The shell of whoever operates them.
        page: The UI's address, for a browser of this machine.
        address: The API's.
        headers: With which the API lets one in.
        parts: What they and what they need are called on their cloud.
        kept: How many instances of the API there are when nobody asks.
        lost: The status of a request whose instance dies.
    """

    desk: Desk
    page: str
    address: str
    headers: dict[str, str] = field(repr=False)

    parts: ClassVar[Parts]
    kept: ClassVar[int]
    lost: ClassVar[int]

    def settle(self) -> None:
        """Wait until the cloud says that all is well with the API."""

    def run(self, what: str, parameter: str = "") -> Done:
        """Run a lesson or a runbook."""
        options = ["-p", parameter] if parameter else []
        return self.desk.ragonotebooks("run", what, *options, "--out", str(self.desk.folder / secrets.token_hex(4)))

    def ask(self, path: str, method: str = "GET", **parameters: Any) -> Response:
        """Ask the API."""
        return requests.request(method, self.address + path, params=parameters, headers=self.headers, timeout=SECONDS)

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
    def load(self) -> Iterator[list[Response]]:
        """Search all the time; the answers so far, and at the end all of them. A request without any answer fails the test."""
        answers: list[Response] = []
        over = threading.Event()

        def search() -> None:
            while not over.is_set():
                try:
                    answers.append(self.ask("/search", q="inflation"))
                except ChunkedEncodingError:
                    answers.append(Response())  # its status stays None: it broke off, since who gave it died

        with ThreadPoolExecutor(AT_ONCE) as pool:
            searching = [pool.submit(search) for _ in range(AT_ONCE)]
            try:
                eventually(lambda: len(answers) > 20, SECONDS)
                yield answers
            finally:
                over.set()
            for one in searching:
                one.result()

    def running(self, part: str) -> list[status.Server]:
        """What runs on this machine behind a part."""
        return self._running(*self.parts[part])

    def rested(self) -> list[status.Server]:
        """The API's instances once there are no more than when nobody asks."""
        eventually(lambda: len(self.running("api")) == self.kept, SECONDS)
        return self.running("api")

    def kill(self, server: status.Server) -> None:
        """End it with all of its processes, as when its machine is lost, and wait until another has taken its place."""
        name = server.id.partition("/")[0]
        count = len(self._running(server.service, name))
        assert server.pid
        process = psutil.Process(server.pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.kill()

        def is_replaced() -> bool:
            pids = [one.pid for one in self._running(server.service, name)]
            return server.pid not in pids and len(pids) == count

        eventually(is_replaced, SECONDS)

    def _running(self, service: str, name: str) -> list[status.Server]:
        state = client.find(self.desk.sandbox)
        assert state
        servers = [one for one in status.ask(state).servers if one.service == service and one.pid]
        return [one for one in servers if one.id.partition("/")[0] == name]


class OnAws(Services):
    """What is deployed on AWS, behind one load balancer."""

    parts: ClassVar[Parts] = {
        "api": ("ecs", "api"),
        "ui": ("ecs", "ui"),
        "worker": ("ecs", "worker"),
        "database": ("rds", f"{DEPLOYMENT}-db"),
        "queue": ("elasticache", f"{DEPLOYMENT}-queue"),
    }
    kept, lost = 2, 502

    @classmethod
    def of(cls, desk: Desk) -> "OnAws":
        """What a desk has deployed."""
        link = _link(desk, rf"elasticloadbalancing +{DEPLOYMENT}:80 +active")
        stored = desk.aws("secretsmanager").get_secret_value(SecretId=f"{DEPLOYMENT}/api")["SecretString"]
        return cls(desk, link, link, {"X-API-Key": json.loads(stored)["key"]})

    def settle(self) -> None:
        self.desk.aws("ecs").get_waiter("services_stable").wait(cluster=DEPLOYMENT, services=["api"])


class OnGoogleCloud(Services):
    """What is deployed on Google Cloud, where the API wants to know who asks."""

    parts: ClassVar[Parts] = {
        "api": ("run", f"{DEPLOYMENT}-api"),
        "ui": ("run", f"{DEPLOYMENT}-ui"),
        "worker": ("run", f"{DEPLOYMENT}-worker"),
        "database": ("cloudsql", f"{DEPLOYMENT}-db"),
        "queue": ("redis", f"{DEPLOYMENT}-queue"),
    }
    kept, lost = 1, 503

    @classmethod
    def of(cls, desk: Desk) -> "OnGoogleCloud":
        """What a desk has deployed; whoever asks the API is taken for the UI."""
        page, address = (_link(desk, rf"run +{DEPLOYMENT}-{part} +ready") for part in ("ui", "api"))
        secret = f"v1/{{project}}/secrets/{DEPLOYMENT}-api-key/versions/latest:access"
        key = api(desk.sandbox, "secretmanager").call("GET", secret)["payload"]["data"]
        audience = api(desk.sandbox, "run").call("GET", f"v2/{HERE}/services/{DEPLOYMENT}-api")["uri"]
        account = f"v1/projects/-/serviceAccounts/{DEPLOYMENT}-ui@{PROJECT}.iam.gserviceaccount.com"
        wanted = {"audience": audience, "includeEmail": True}
        token = api(desk.sandbox, "iamcredentials").call("POST", f"{account}:generateIdToken", wanted)["token"]
        headers = {"X-API-Key": base64.b64decode(key).decode(), "Authorization": f"Bearer {token}"}
        return cls(desk, page, address, headers)


def _link(desk: Desk, line: str) -> str:
    """The local link in a line of what `ragonotebooks sandbox status` prints."""
    shown = desk.ragonotebooks("sandbox", "status").output
    link = re.search(rf"{line} +(127\.0\.0\.1:\d+)", shown)
    assert link, shown
    return f"http://{link[1]}"
