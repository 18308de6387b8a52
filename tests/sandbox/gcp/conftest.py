"""What the tests of Google Cloud share: Google's own clients, unmodified, in the environment of a sandbox."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from google.cloud import service_usage_v1

from ragonotebooks.sandbox import client
from tests.sandbox.conftest import Sandbox, running_sandbox

PROJECT = "projects/ragonometrics-sandbox"
_APIS = ("iam", "iamcredentials", "secretmanager", "cloudresourcemanager")


@pytest.fixture(scope="session")
def _shared() -> Iterator[Sandbox]:
    """One for all in this process: gRPC reads the trusted certificates once, so a process works on one sandbox only."""
    with running_sandbox() as sandbox:
        with environment_of(sandbox):
            enable(*_APIS)
        yield sandbox


@pytest.fixture
def gcp(_shared: Sandbox) -> Iterator[Sandbox]:
    """The sandbox that tests of Google Cloud share, some APIs enabled; this process is in its environment meanwhile."""
    with environment_of(_shared):
        yield _shared


def environment_of(sandbox: Sandbox) -> Any:
    """This process's environment with that of a sandbox."""
    kept = {key: value for key, value in os.environ.items() if key not in client.FOREIGN_VARIABLES}
    return mock.patch.dict(os.environ, {**kept, **client.environment(sandbox.state)}, clear=True)


def enable(*apis: str) -> None:
    """Enable APIs, given by the first label of their hosts."""
    usage = service_usage_v1.ServiceUsageClient()
    request = {"parent": PROJECT, "service_ids": [f"{api}.googleapis.com" for api in apis]}
    usage.batch_enable_services(request=request).result(timeout=60)


def run(sandbox: Sandbox, program: str) -> str:
    """What a Python program prints that runs in a sandbox's environment."""
    with environment_of(sandbox):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
