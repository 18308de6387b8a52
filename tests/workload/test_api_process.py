"""The API as it runs in a container: a process that is asked over a socket and stopped by SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from ragonotebooks.workload import index
from tests.workload.free import free_port
from tests.workload.provider import Model

SECONDS = 180


class Api:
    """A running API; `get` asks it with its key."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, port: int, key: str) -> None:
        self.process = process
        self.log = log
        self._url, self._headers = f"http://127.0.0.1:{port}", {"X-API-Key": key}

    def get(self, path: str, **parameters: object) -> requests.Response:
        return requests.get(self._url + path, params=parameters, headers=self._headers, timeout=SECONDS)  # type: ignore[arg-type]

    def is_up(self) -> bool:
        with suppress(requests.ConnectionError):
            return self.get("/healthz").ok
        return False


@pytest.fixture
def start(image: Path, service: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Api]]:
    started: list[Api] = []

    def api(**changes: str) -> Api:
        port = free_port()
        environment = service | {"PATH": os.environ["PATH"], "PORT": str(port)} | changes
        command, log = [sys.executable, "-m", "workload.api"], tmp_path / f"api-{len(started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=environment, cwd=image, stdout=out, stderr=subprocess.STDOUT)
        started.append(Api(process, log, port, service["API_KEY"]))
        deadline = time.monotonic() + SECONDS
        while not started[-1].is_up():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return started[-1]

    yield api
    for each in started:
        each.process.kill()
        each.process.wait()


def test_a_stopped_api_finishes_what_it_was_asked(
    start: Callable[..., Api], service: dict[str, str], model: Model
) -> None:
    index.run(service)
    api = start(**model.environment())
    model.may_answer.clear()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(api.get, "/ask", q="Why do bad cars drive out good ones?")
        assert model.was_asked.wait(SECONDS)
        api.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + SECONDS
        while api.is_up():
            assert time.monotonic() < deadline
        assert not asked.done()
        model.may_answer.set()
        assert asked.result(SECONDS).json()["answered_by"] == "provider"
    code, output = api.process.wait(SECONDS), api.log.read_text()
    assert code == 0, output
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["event"] for line in lines] == ["serving", "request", "stopped"]
    assert model.key not in output


def test_two_hundred_requests_at_once_are_all_answered(start: Callable[..., Api], service: dict[str, str]) -> None:
    index.run(service)
    api = start()
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda number: api.get("/search", q=f"question {number}"), range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 200


def test_a_missing_setting_is_named(image: Path, service: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "workload.api"],
        env=service | {"PATH": os.environ["PATH"], "API_KEY": ""},
        cwd=image,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2, ended
    assert "API_KEY is not set" in json.loads(ended.stdout)["message"]
