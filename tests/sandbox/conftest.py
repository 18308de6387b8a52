"""What the tests of the sandbox share."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.config import Config

from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.authority import BUNDLE_FILE
from ragonotebooks.sandbox.state import State, folder_of

ACCOUNT = "123456789012"
_SESSION = boto3.Session()  # one for all: each loads the service models anew
_ONE_AT_A_TIME = threading.Lock()  # sessions are not safe to use from several threads


@dataclass
class ControlPlane:
    """The AWS control plane behind a plain HTTP server in this process.

    Attributes:
        url: Where it answers.
        operator: The operator's access key id and secret.
    """

    url: str
    operator: tuple[str, str]

    def client(self, service: str, key: str = "", secret: str = "", token: str | None = None, **more: Any) -> Any:
        """A boto3 client, the operator's unless a key is given. It names AWS's hosts and reaches this server."""
        key, secret = (key, secret) if key else self.operator
        client = _SESSION.client(
            service,
            region_name=more.pop("region", "us-east-1"),
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(**{"retries": {"total_max_attempts": 1}, **more.pop("config", {})}),
        )
        client.meta.events.register("before-send", self._redirect)
        return client

    def fetch(self, url: str, method: str = "GET", **more: Any) -> requests.Response:
        """Send a request to the host that `url` names, as a browser would."""
        host = urlsplit(url).netloc
        headers = {"Host": host, **more.pop("headers", {})}
        return requests.request(method, f"{self.url}{url.partition(host)[2]}", headers=headers, timeout=60, **more)

    def _redirect(self, request: Any, **_: Any) -> None:
        host = urlsplit(request.url).netloc
        request.headers["Host"] = host
        request.url = f"{self.url}{request.url.partition(host)[2]}"


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    from ragonotebooks.sandbox.aws import ec2, guard, iam, logs_search, s3
    from ragonotebooks.sandbox.aws.identity import Operator
    from ragonotebooks.sandbox.server import create_server

    operator = Operator(ACCOUNT, "AKIAOPERATOR00000000", "the-secret-of-the-operator")
    s3.install()
    iam.install()
    ec2.install()
    logs_search.install()
    guarded = guard.guarded(operator)
    server = create_server(_serialised(guarded), host="127.0.0.1", port=0, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    yield ControlPlane(f"http://127.0.0.1:{server.effective_port}", (operator.access_key, operator.secret_key))
    server.close()


@pytest.fixture
def aws(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane, with nothing in it."""
    from moto.core.base_backend import BackendDict

    yield control_plane
    BackendDict.reset()


def _serialised(app: Callable[..., Any]) -> Callable[..., Any]:
    lock = threading.RLock()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        # what a proxy that ends TLS says
        environ["wsgi.url_scheme"] = environ.get("HTTP_X_TEST_SCHEME", "https")
        with lock:
            return [b"".join(app(environ, start_response))]

    return answer


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox, with clients that reach it and leave this process's environment alone.

    Attributes:
        state: How it is reached.
    """

    state: State

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return folder_of(self.state.name)

    @property
    def proxy(self) -> str:
        """The gateway's URL."""
        return f"http://127.0.0.1:{self.state.port}"

    @property
    def bundle(self) -> str:
        """The certificates that its clients trust."""
        return str(self.folder / BUNDLE_FILE)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client of the operator."""
        with _ONE_AT_A_TIME:
            return _SESSION.client(
                service,
                region_name=region,
                aws_access_key_id=self.state.access_key,
                aws_secret_access_key=self.state.secret_key,
                verify=self.bundle,
                config=Config(proxies={"https": self.proxy}),
            )


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """A sandbox of its own, gone afterwards."""
    name = f"test-{secrets.token_hex(4)}"
    try:
        yield Sandbox(client.up(name))
    finally:
        client.down(name)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The sandbox that tests share: each takes names of its own."""
    with running_sandbox() as shared:
        yield shared


@pytest.fixture
def another() -> Iterator[Sandbox]:
    """A sandbox for one test alone."""
    with running_sandbox() as alone:
        yield alone


def eventually(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until `holds()` is true and raises nothing; fail with its last word after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
            problem: Exception | None = None
        except Exception as error:
            problem = error
        if time.monotonic() > deadline:
            raise AssertionError("it did not come to hold") from problem
        time.sleep(0.05)
