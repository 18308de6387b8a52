"""The API over HTTP, in this process: a real Postgres, a real Valkey behind TLS, a corpus in a folder."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ragonotebooks.workload import index
from ragonotebooks.workload.api import BODY_BYTES, create_app
from ragonotebooks.workload.errors import InputError
from tests.workload.conftest import API_KEY
from tests.workload.valkey import Valkey

Open = Callable[..., TestClient]


@pytest.fixture
def open_client(service: dict[str, str]) -> Iterator[Open]:
    """A client of the API in the service's environment with `changes`."""
    opened: list[TestClient] = []

    def client(**changes: str) -> TestClient:
        app: Any = create_app(service | changes)
        opened.append(TestClient(app, headers={"X-API-Key": API_KEY}).__enter__())
        return opened[-1]

    yield client
    for each in opened:
        each.__exit__()


@pytest.fixture
def api(open_client: Open) -> TestClient:
    return open_client()


@pytest.fixture
def indexed(service: dict[str, str]) -> None:
    index.run(service)


def test_first(api: TestClient, indexed: None) -> None:
    print(api.get("/healthz").json(), api.get("/readyz").json())
    print(json.dumps(api.get("/search", params={"q": "Why do bad cars drive out good ones?"}).json(), indent=1))
    print(json.dumps(api.get("/ask", params={"q": "Why do bad cars drive out good ones?"}).json(), indent=1))
    r = api.post("/index")
    print(r.status_code, r.json(), r.headers)
    print(api.get("/jobs").json())
    print(api.get("/papers").json())
    for r in (
        api.get("/search"),
        api.get("/search?q=%20"),
        api.get("/search?q=a&top=0"),
        api.get("/nope"),
        api.post("/papers", json={"id": "../x"}),
        api.post("/papers", content=b"{"),
        api.get("/jobs/nope"),
        api.post("/papers", content=b"x" * 300000),
        api.get("/papers", headers={"X-API-Key": "no"}),
    ):
        print(r.status_code, r.text, r.headers.get("x-request-id"))
