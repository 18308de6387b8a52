"""The deployed API as an operator asks it: verdicts, jobs, and a load that counts what went wrong."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.operate.api import Api, Load
from tests.sandbox.conftest import eventually


class Played:
    """An API whose answers are told: request → answers, of which the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.keys: list[str | None] = []
        self.asked = threading.Semaphore(0)

    def answer(self, request: str, key: str | None) -> tuple[int, Any]:
        self.keys.append(key)
        self.asked.release()
        told = self.answers[request]
        return told.pop(0) if len(told) > 1 else told[0]


@pytest.fixture
def played() -> Iterator[tuple[Played, Api]]:
    play = Played()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = play.answer(f"{self.command} {self.path}", self.headers["X-API-Key"])
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *told: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield play, Api(f"http://127.0.0.1:{server.server_port}", lambda: {"X-API-Key": f"key {len(play.keys)}"})
        server.shutdown()


def job(status: str, error: str | None = None) -> tuple[int, Any]:
    return 200, {"id": "7", "status": status, "error": error}


def test_the_first_answer_that_is_not_good_is_named(played: tuple[Played, Api]) -> None:
    play, api = played
    play.answers["GET /ask?q=inflation"] = [(200, {}), (500, "the kettle is cold"), (200, {})]
    assert api.wrong_answer() == 'the API answers 500: "the kettle is cold"'
    assert api.wrong_answer() is None


def test_each_request_asks_anew_what_lets_it_in(played: tuple[Played, Api]) -> None:
    play, api = played
    play.answers["GET /ask?q=inflation"] = [(200, {})]
    assert api.wrong_answer(2) is None
    assert play.keys == ["key 0", "key 1"]
    assert "key" not in repr(api)


def test_a_job_is_good_when_it_has_finished_whatever_came_in_between(played: tuple[Played, Api]) -> None:
    play, api = played
    play.answers = {"POST /index": [job("queued")], "GET /jobs/7": [(503, "busy"), job("finished")]}
    assert api.failing_job() is None


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"POST /index": [(503, "no queue")]}, 'the API takes no job (503): "no queue"'),
        (
            {"POST /index": [job("queued")], "GET /jobs/7": [job("failed", "no steam")]},
            "the worker does not finish a job: it is failed, no steam",
        ),
    ],
)
def test_a_job_that_does_not_finish_is_told_with_its_cause(
    played: tuple[Played, Api], answers: dict[str, list[tuple[int, Any]]], said: str
) -> None:
    play, api = played
    play.answers = answers
    assert api.failing_job() == said


def test_an_api_that_does_not_tell_of_its_queue_is_an_error(played: tuple[Played, Api]) -> None:
    play, api = played
    play.answers = {"GET /jobs": [(200, {"waiting": 3}), (401, "no key")]}
    assert api.jobs() == {"waiting": 3}
    with pytest.raises(RagonotebooksError, match=r"does not tell about the queue \(401\): \"no key\""):
        api.jobs()


def test_a_load_keeps_how_each_request_ended(played: tuple[Played, Api]) -> None:
    play, api = played
    play.answers["GET /search?q=inflation"] = [(200, {}), (503, {}), (200, {})]
    load = Load(api)
    load.begin()
    for _ in range(3):
        assert play.asked.acquire(timeout=30)
    load.end()
    assert load.asked[:3] == [200, 503, 200]
    assert load.failed == {503}


def test_a_request_without_an_answer_has_failed_too() -> None:
    load = Load(Api("http://127.0.0.1:1", dict))
    load.begin()
    eventually(lambda: load.asked)
    load.end()
    assert load.failed == {"ConnectionError"}
