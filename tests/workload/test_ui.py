"""The page with Streamlit's own test runner, and the UI as a process; an API of the tests' own answers."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from streamlit.testing.v1 import AppTest

import ragonotebooks.workload
from tests.workload.free import free_port

PAGE = Path(ragonotebooks.workload.__file__).with_name("page.py")
SECONDS = 180
KEY = "a-key-for-the-api"

PASSAGE = {
    "paper": "akerlof-1970", "position": 0, "title": "The Market for Lemons", "authors": ["George Akerlof"],
    "year": 1970, "venue": "QJE", "text": "Bad cars drive out good ones. A price of $5 or *more*.", "score": 0.0328,
}  # fmt: skip
ANSWER = {
    "question": "Why?", "answer": "Bad cars drive out good ones. [1]", "answered_by": "extraction", "model": None,
    "provider_error": None, "sentences": [{"text": "Bad cars drive out good ones.", "citation": 1, "score": 0.9}],
    "citations": [PASSAGE | {"number": 1, "cited": True}, PASSAGE | {"number": 2, "cited": False, "title": "Other"}],
}  # fmt: skip
JOB = {
    "id": "job-1", "kind": "index", "status": "queued", "created": "2026-11-24T00:00:00Z", "started": None,
    "ended": None, "retries_left": 3, "result": None, "error": None,
}  # fmt: skip
PAPER = {
    "id": "akerlof-1970", "title": "The Market for Lemons", "authors": ["George Akerlof"], "year": 1970,
    "venue": "QJE", "jel": ["D82"], "doi": None, "indexed_at": "2026-11-24T00:00:00Z", "passages": 1,
}  # fmt: skip


class Api:
    """What the API answers to a method and path: a body, or a status and a body; and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "GET /ask": ANSWER,
            "GET /papers": {"papers": [PAPER], "next": None},
            "GET /jobs": {"waiting": 0, "dead": [], "jobs": []},
            "POST /index": (202, JOB),
            "GET /jobs/job-1": JOB,
        }
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.keys: set[str] = set()
        self.identities: set[str | None] = set()

    def answer(self, method: str, target: str, key: str) -> tuple[int, Any]:
        parts = urlsplit(target)
        self.keys.add(key)
        self.asked.append((f"{method} {parts.path}", dict(parse_qsl(parts.query))))
        question = f"{method} {parts.path}"
        after = self.asked[-1][1].get("after")
        answer = self.answers[f"{question} after {after}" if after else question]
        return answer if isinstance(answer, tuple) else (200, answer)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api.identities.add(self.headers["Authorization"])
            status, body = api.answer(self.command, self.path, self.headers["X-API-Key"])
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("API_URL", f"http://127.0.0.1:{server.server_address[1]}/")
        monkeypatch.setenv("API_KEY", KEY)
        yield api
        server.shutdown()


@pytest.fixture
def page(api: Api) -> AppTest:
    return AppTest.from_file(str(PAGE), default_timeout=SECONDS).run()


def texts(page: AppTest) -> str:
    assert not page.exception, page.exception
    kinds = (page.markdown, page.caption, page.subheader, page.error, page.warning, page.info)
    return "\n".join(element.value for elements in kinds for element in elements)


def ask(page: AppTest, question: str) -> None:
    page.text_input[0].input(question)
    page.button[0].click().run()


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()


def test_an_answer_is_shown_with_the_passages_that_it_cites(page: AppTest, api: Api) -> None:
    ask(page, "Why?")
    shown = texts(page)
    assert r"Bad cars drive out good ones. \[1\]" in shown
    assert "extraction" in shown
    labels = [(expander.label, expander.proto.expanded) for expander in page.expander]
    assert labels == [
        (r"\[1\] The Market for Lemons · score 0.0328", True), (r"\[2\] Other · score 0.0328", False),
    ]  # fmt: skip
    assert ("GET /ask", {"q": "Why?"}) in api.asked
    assert api.keys == {KEY}


def test_what_stands_in_a_paper_is_shown_as_it_is(page: AppTest) -> None:
    ask(page, "Why?")
    assert r"A price of \$5 or \*more\*." in texts(page)


def test_an_answer_that_is_none_says_so(page: AppTest, api: Api) -> None:
    api.answers["GET /ask"] = ANSWER | {"answer": None, "sentences": [], "citations": []}
    ask(page, "Why?")
    assert "No passage of the corpus comes near this question." in texts(page)


def test_who_answered_is_told(page: AppTest, api: Api) -> None:
    api.answers["GET /ask"] = ANSWER | {"answered_by": "provider", "model": "a-model"}
    ask(page, "Why?")
    assert r"Answered by the model a\-model" in texts(page)


def test_a_blank_question_is_not_asked(page: AppTest, api: Api) -> None:
    ask(page, "  ")
    assert "GET /ask" not in [asked for asked, _ in api.asked]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ((401, {"detail": "The header X-API-Key holds no valid key."}), r"holds no valid key."),
        ((503, {"detail": "The database cannot be reached."}), "The database cannot be reached."),
        ((502, b"<html>bad gateway</html>"), "The API answered 502"),
    ],
)
def test_a_refusal_of_the_api_is_shown_with_its_request(page: AppTest, api: Api, answer: Any, shown: str) -> None:
    api.answers["GET /ask"] = answer
    ask(page, "Why?")
    [error] = page.error
    assert shown in error.value.replace("\\", "")
    assert "request " in error.value
    assert KEY not in error.value


def test_an_api_that_is_not_there_is_told(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_URL", f"http://127.0.0.1:{free_port()}")
    ask(page, "Why?")
    assert {error.value.replace("\\", "") for error in page.error} == {"The API cannot be reached (ConnectionError)."}


def test_a_private_api_is_told_who_asks(page: AppTest, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = "/computeMetadata/v1/instance/service-accounts/default/identity"
    api.answers[f"GET {metadata}"] = b"who.i.am"
    monkeypatch.setenv("GCE_METADATA_HOST", os.environ["API_URL"].strip("/").removeprefix("http://"))
    monkeypatch.setenv("API_AUDIENCE", "https://api.example.com")
    ask(page, "Why?")
    assert (f"GET {metadata}", {"audience": "https://api.example.com"}) in api.asked
    assert "Bearer who.i.am" in api.identities


def test_the_corpus_is_shown_page_by_page(page: AppTest, api: Api) -> None:
    second = {"papers": [PAPER | {"title": "The Next"}], "next": None}
    api.answers["GET /papers"] = {"papers": [PAPER], "next": "akerlof-1970"}
    api.answers["GET /papers after akerlof-1970"] = second
    page.run()
    assert page.dataframe[0].value["title"].tolist() == ["The Market for Lemons"]
    press(page, "Next papers")
    assert page.dataframe[0].value["title"].tolist() == ["The Next"]
    assert "Next papers" not in [button.label for button in page.button]
    press(page, "First papers")
    assert page.dataframe[0].value["title"].tolist() == ["The Market for Lemons"]


def test_an_empty_corpus_says_what_to_do(page: AppTest, api: Api) -> None:
    api.answers["GET /papers"] = {"papers": [], "next": None}
    page.run()
    assert "start an index job" in texts(page)


def test_an_index_job_is_started_and_watched_until_it_ends(page: AppTest, api: Api) -> None:
    press(page, "Start an index job")
    assert "POST /index" in [asked for asked, _ in api.asked]
    assert "**queued**" in texts(page)
    api.answers["GET /jobs/job-1"] = JOB | {"status": "started"}
    page.run()
    assert "**started**" in texts(page)
    api.answers["GET /jobs/job-1"] = JOB | {"status": "finished", "result": {"papers": 88}}
    page.run()
    assert "**finished**" in texts(page)
    assert json.loads(page.json[0].value) == {"papers": 88}
    asked = [each for each, _ in api.asked].count("GET /jobs/job-1")
    page.run()
    assert [each for each, _ in api.asked].count("GET /jobs/job-1") == asked


def test_a_job_that_failed_shows_why(page: AppTest, api: Api) -> None:
    api.answers["GET /jobs/job-1"] = JOB | {"status": "failed", "error": "lemons.json is not JSON."}
    press(page, "Start an index job")
    assert [error.value.replace("\\", "") for error in page.error] == ["lemons.json is not JSON."]


def test_the_ui_serves_its_page_and_its_health(image: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "ui.log"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PORT": str(port)}
    environment |= {"API_URL": "http://127.0.0.1:9", "API_KEY": KEY}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "workload.ui"]
        process = subprocess.Popen(command, env=environment, cwd=image, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + SECONDS
        while not is_healthy(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        # as a load balancer would ask: for another host
        answer = requests.get(f"http://127.0.0.1:{port}/", headers={"Host": "ui.example.com"}, timeout=SECONDS)
        assert "<html" in answer.text
        process.terminate()
        assert process.wait(SECONDS) in (0, -15)
    finally:
        process.kill()
    assert KEY not in log.read_text()
    assert "external" not in log.read_text().lower()  # nothing is asked of a server elsewhere


def is_healthy(port: int) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=SECONDS).text == "ok"
    return False


@pytest.mark.parametrize("variable", ["API_URL", "API_KEY"])
def test_a_missing_setting_is_named(image: Path, variable: str) -> None:
    environment = {"PATH": os.environ["PATH"], "API_URL": "http://127.0.0.1:9", "API_KEY": KEY, variable: ""}
    command = [sys.executable, "-m", "workload.ui"]
    ended = subprocess.run(command, env=environment, cwd=image, capture_output=True, text=True)
    assert ended.returncode == 1
    assert f"{variable} is not set" in ended.stderr
