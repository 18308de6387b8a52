"""What the tests of the sandbox share."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import waitress
from botocore.config import Config

ACCOUNT = "123456789012"


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
        """A boto3 client, the operator's unless a key is given."""
        key, secret = (key, secret) if key else self.operator
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **more.pop("config", {}))
        return boto3.Session().client(
            service,
            region_name=more.pop("region", "us-east-1"),
            endpoint_url=self.url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=config,
            **more,
        )


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    from ragonotebooks.sandbox.aws import guard, iam, s3
    from ragonotebooks.sandbox.aws.identity import Operator

    operator = Operator(ACCOUNT, "AKIAOPERATOR00000000", "the-secret-of-the-operator")
    s3.install()
    iam.install()
    guarded = guard.guarded(operator)
    server = waitress.create_server(_serialised(guarded), host="127.0.0.1", port=0, threads=4)
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
