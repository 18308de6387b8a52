"""The API over HTTP, in this process: a real Postgres, a real Valkey behind TLS, a corpus in a folder."""

import io
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from ragonotebooks.workload import health, index, logs, pool, routes, settings
from ragonotebooks.workload.api import BODY_BYTES, create_app
from ragonotebooks.workload.embeddings import embed
from ragonotebooks.workload.errors import InputError
from tests.workload.free import free_port
from tests.workload.provider import Model

Open = Callable[..., TestClient]
QUESTION = "Why do bad cars drive out good ones?"
RECORD = {
    "id": "coase-1937",
    "title": "The Nature of the Firm",
    "authors": ["Ronald Coase"],
    "year": 1937,
    "venue": "Economica",
    "jel": ["D23"],
    "summary": "Firms exist because using the market has a price. They grow until organising costs as much.",
}


@pytest.fixture
def open_client(service: dict[str, str]) -> Iterator[Open]:
    """A client of the API in the service's environment with `changes`."""
    opened: list[TestClient] = []

    def client(**changes: str) -> TestClient:
        app: Any = create_app(service | changes)
        opened.append(TestClient(app, headers={"X-API-Key": service["API_KEY"]}, raise_server_exceptions=False))
        return opened[-1].__enter__()

    yield client
    for each in opened:
        each.__exit__()


@pytest.fixture
def api(open_client: Open) -> TestClient:
    return open_client()


@pytest.fixture
def indexed(service: dict[str, str]) -> None:
    index.run(service)


@pytest.fixture
def lines(service: dict[str, str]) -> Callable[[], list[dict[str, Any]]]:
    """The log lines so far; secrets are hidden as in a task."""
    stream = io.StringIO()
    logs.start(settings.secrets(service), stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The body of a refusal, which is a problem that names its request."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


def test_a_search_finds_passages_with_all_that_a_citation_needs(api: TestClient, indexed: None) -> None:
    found = api.get("/search", params={"q": QUESTION, "top": 2}).json()
    assert found["question"] == QUESTION
    first, _ = found["passages"]
    assert first["paper"] == "lemons"
    assert (first["title"], first["authors"], first["year"], first["venue"], first["position"]) == (
        "The Market for Lemons", ["Ada Author", "Bo Writer"], 1970, "A Journal", 0,
    )  # fmt: skip
    assert first["score"] == pytest.approx(2 / 61, abs=1e-6)


def test_an_answer_is_made_of_sentences_that_stand_in_what_it_cites(api: TestClient, indexed: None) -> None:
    answer = api.get("/ask", params={"q": QUESTION}).json()
    assert (answer["answered_by"], answer["model"], answer["provider_error"]) == ("extraction", None, None)
    assert answer["answer"].startswith("Bad cars drive out good ones, and the market may vanish. [1]")
    citations = {citation["number"]: citation for citation in answer["citations"]}
    assert len(citations) == 3
    for sentence in answer["sentences"]:
        assert sentence["text"] in citations[sentence["citation"]]["text"]
        assert f"{sentence['text']} [{sentence['citation']}]" in answer["answer"]
        assert citations[sentence["citation"]]["cited"]
    assert [sentence["score"] for sentence in answer["sentences"]] == sorted(
        (sentence["score"] for sentence in answer["sentences"]), reverse=True
    )


def test_a_question_that_nothing_comes_near_has_no_answer(api: TestClient, indexed: None) -> None:
    answer = api.get("/ask", params={"q": "How do I bake sourdough bread?"}).json()
    assert (answer["answer"], answer["sentences"]) == (None, [])
    assert not any(citation["cited"] for citation in answer["citations"])


def test_an_empty_index_answers_with_nothing(api: TestClient) -> None:
    assert api.get("/search", params={"q": QUESTION}).json()["passages"] == []
    answer = api.get("/ask", params={"q": QUESTION}).json()
    assert (answer["answer"], answer["citations"]) == (None, [])
    assert api.get("/papers").json() == {"papers": [], "next": None}


def test_a_language_model_answers_over_the_same_passages(open_client: Open, indexed: None, model: Model) -> None:
    api = open_client(**model.environment())
    model.says = "Quality is known to sellers alone [1]. Nobody knows [7]."
    answer = api.get("/ask", params={"q": QUESTION}).json()
    assert (answer["answered_by"], answer["model"], answer["answer"]) == ("provider", model.name, model.says)
    assert [citation["number"] for citation in answer["citations"] if citation["cited"]] == [1]
    assert answer["sentences"] == []
    [asked] = model.asked
    assert asked["model"] == model.name
    for citation in answer["citations"]:
        assert f"[{citation['number']}] {citation['title']}\n{citation['text']}" in asked["messages"][1]["content"]
    assert model.authorization == f"Bearer {model.key}"


@pytest.mark.parametrize("status", [200, 500])
def test_a_language_model_that_fails_is_not_pretended(
    open_client: Open, indexed: None, model: Model, status: int, lines: Any
) -> None:
    api = open_client(**model.environment())
    model.says, model.status = "", status
    answer = api.get("/ask", params={"q": QUESTION}).json()
    assert (answer["answered_by"], answer["model"]) == ("extraction", None)
    assert answer["answer"].startswith("Bad cars drive out good ones")
    assert answer["provider_error"].startswith("The language model's provider")
    assert [line["message"] for line in lines() if line["event"] == "provider failed"] == [answer["provider_error"]]


def test_papers_are_listed_page_by_page(api: TestClient, indexed: None) -> None:
    first = api.get("/papers", params={"limit": 2}).json()
    assert [paper["id"] for paper in first["papers"]] == ["lemons", "minimum-wage"]
    assert (first["next"], first["papers"][0]["passages"]) == ("minimum-wage", 1)
    assert [paper["id"] for paper in api.get("/papers", params={"after": first["next"]}).json()["papers"]] == ["money"]


def test_a_new_paper_is_found_once_it_is_indexed(api: TestClient, indexed: None, service: dict[str, str]) -> None:
    stored = api.post("/papers", json=RECORD)
    assert (stored.status_code, stored.json()["key"]) == (201, "corpus/coase-1937.json")
    index.run(service)
    question = {"q": "Why do firms exist?", "top": 1}
    assert [passage["paper"] for passage in api.get("/search", params=question).json()["passages"]] == ["coase-1937"]


def test_a_paper_with_the_same_id_is_replaced(api: TestClient, corpus: Any) -> None:
    assert api.post("/papers", json=RECORD).status_code == 201
    assert api.post("/papers", json=RECORD | {"title": "The Firm"}).status_code == 200
    assert json.loads(corpus.artifacts.read("corpus/coase-1937.json").data)["title"] == "The Firm"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "../secrets"}, "id"),
        ({"id": ""}, "id"),
        ({"title": " "}, "title"),
        ({"authors": []}, "authors"),
        ({"authors": "Ronald Coase"}, "authors"),
        ({"year": "soon"}, "year"),
        ({"jel": ["23"]}, "jel.0"),
        ({"abstract": "a field that no record has"}, "abstract"),
    ],
)
def test_a_paper_that_is_none_is_refused_by_its_field(api: TestClient, corpus: Any, change: Any, field: str) -> None:
    before = corpus.artifacts.list("corpus/")
    body = problem(api.post("/papers", json=RECORD | change), 422)
    assert [error["field"] for error in body["errors"]] == [field]
    assert body["detail"].startswith(f"{field}: ")
    assert corpus.artifacts.list("corpus/") == before


def test_a_paper_whose_text_vanishes_is_refused(api: TestClient) -> None:
    assert "holds no text" in problem(api.post("/papers", json=RECORD | {"summary": "\0"}), 422)["detail"]


@pytest.mark.parametrize(
    ("path", "field"),
    [("/search", "q"), ("/search?q=%20", "q"), (f"/ask?q={'x' * 1001}", "q"), ("/ask?q=why&top=21", "top"),
     ("/papers?limit=0", "limit"), ("/jobs?limit=many", "limit")],
)  # fmt: skip
def test_a_parameter_out_of_range_is_refused_by_name(api: TestClient, path: str, field: str) -> None:
    assert [error["field"] for error in problem(api.get(path), 422)["errors"]] == [field]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_record_is_refused(api: TestClient, body: bytes) -> None:
    answer = api.post("/papers", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, answer.status_code)["status"] in (400, 422)


@pytest.mark.parametrize("pieces", [1, 10])
def test_a_body_that_is_too_large_is_refused_however_it_comes(api: TestClient, pieces: int) -> None:
    body = json.dumps(RECORD | {"summary": "x" * BODY_BYTES}).encode()
    size = len(body) // pieces + 1
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    answer = api.post("/papers", content=body if pieces == 1 else iter(parts))
    assert problem(answer, 413)["title"] == "Content too large"


@pytest.mark.parametrize("key", [None, "", "a-wrong-key-of-the-api", "schlüssel"])
def test_nothing_is_answered_without_a_valid_key(api: TestClient, key: str | None) -> None:
    del api.headers["X-API-Key"]
    headers = {} if key is None else {"X-API-Key": key.encode()}
    for method, path in [("GET", "/search?q=a"), ("GET", "/ask?q=a"), ("GET", "/papers"), ("POST", "/papers"),
                         ("POST", "/index"), ("POST", "/report"), ("GET", "/jobs"), ("GET", "/jobs/x")]:  # fmt: skip
        answer = api.request(method, path, headers=headers)
        assert answer.headers["WWW-Authenticate"] == "ApiKey"
        assert "X-API-Key" in problem(answer, 401)["detail"]
    assert api.get("/healthz").status_code == 200


def test_two_keys_work_while_one_is_replaced(open_client: Open) -> None:
    api = open_client(API_KEY="the-old-key-of-the-api, the-new-key-of-the-api")
    for key, status in [("the-old-key-of-the-api", 200), ("the-new-key-of-the-api", 200), ("the-old-key", 401)]:
        assert api.get("/papers", headers={"X-API-Key": key}).status_code == status


def test_a_key_that_asks_too_often_is_told_when_to_come_back(open_client: Open) -> None:
    api = open_client(API_RATE="1", API_BURST="3", API_KEY="the-first-key-of-two,the-second-key-of-two")
    first, second = {"X-API-Key": "the-first-key-of-two"}, {"X-API-Key": "the-second-key-of-two"}
    assert [api.get("/papers", headers=first).status_code for _ in range(3)] == [200, 200, 200]
    refused = api.get("/papers", headers=first)
    assert refused.headers["Retry-After"] == "1"
    problem(refused, 429)
    assert api.get("/papers", headers=second).status_code == 200
    assert api.get("/healthz").status_code == 200


def test_a_request_keeps_the_id_that_it_came_with(api: TestClient, lines: Any) -> None:
    answer = api.get("/papers", headers={"X-Request-Id": "mine-1"})
    assert answer.headers["X-Request-Id"] == "mine-1"
    assert [line["request_id"] for line in lines() if line["event"] == "request"] == ["mine-1"]


@pytest.mark.parametrize("sampled", ["00", "01"])
def test_lines_name_the_trace_of_their_request_where_google_keeps_traces(
    open_client: Open, lines: Any, sampled: str
) -> None:
    headers = {"traceparent": f"00-{'7' * 32}-{'1' * 16}-{sampled}"}
    for variables in ({"GOOGLE_CLOUD_PROJECT": "papers"}, {}):
        open_client(**variables).get("/papers", headers=headers)
    told = [line.get("logging.googleapis.com/trace") for line in lines() if line["event"] == "request"]
    assert told == [f"projects/papers/traces/{'7' * 32}", None]


@pytest.mark.parametrize("given", ["", f"00-{'7' * 32}", f"00-{'X' * 32}-{'1' * 16}-01"])
def test_a_trace_that_is_none_is_left_out(open_client: Open, lines: Any, given: str) -> None:
    open_client(GOOGLE_CLOUD_PROJECT="papers").get("/papers", headers={"traceparent": given})
    assert not any("logging.googleapis.com/trace" in line for line in lines())


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, '"}{"'])
def test_an_id_that_could_spoil_a_log_is_replaced(api: TestClient, given: str) -> None:
    made = {api.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] for _ in range(2)}
    assert len(made) == 2
    assert all(len(request) == 32 for request in made)


def test_a_request_is_one_line_that_cloudwatch_measures(api: TestClient, lines: Any) -> None:
    api.get("/search", params={"q": "who?"})
    api.get("/jobs/some-job")
    api.get("/no/such/route")
    told = [line for line in lines() if line["event"] == "request"]
    assert [(line["route"], line["status"]) for line in told] == [
        ("/search", 200), ("/jobs/{job_id}", 404), ("unknown", 404),
    ]  # fmt: skip
    for line in told:
        [directive] = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Ragonometrics"
        assert directive["Dimensions"] == [["service"], ["service", "route"]]
        assert all(isinstance(line[field], str) for field in ("service", "route"))
        assert {each["Name"]: each["Unit"] for each in directive["Metrics"]} == {
            "Requests": "Count", "Latency": "Milliseconds", "Errors": "Count", "Refused": "Count",
        }  # fmt: skip
        assert (line["Requests"], line["Errors"]) == (1, 0)
        assert line["Latency"] > 0


def test_health_checks_that_pass_are_not_logged(api: TestClient, lines: Any) -> None:
    assert [api.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
    assert [line for line in lines() if line["event"] == "request"] == []


def test_readiness_tells_how_quickly_each_thing_answers(api: TestClient) -> None:
    body = api.get("/readyz").json()
    assert (body["ready"], body["failed"]) == (True, [])
    assert set(body["checks"]) == {"database", "queue", "bucket"}
    assert all(check["ok"] and 0 < check["ms"] < health.SECONDS * 1000 for check in body["checks"].values())


@pytest.mark.parametrize(
    ("failed", "change"),
    [
        ("database", {"DATABASE_PASSWORD": "wr0ng-secret-of-the-database"}),
        ("queue", {"QUEUE_PASSWORD": "wr0ng-secret-of-the-queue"}),
        ("bucket", {"ARTIFACTS": "file:///no/such/folder"}),
    ],
)
def test_readiness_names_what_cannot_be_reached(open_client: Open, lines: Any, failed: str, change: Any) -> None:
    answer = open_client(**change).get("/readyz")
    assert (answer.status_code, answer.json()["failed"]) == (503, [failed])
    told = [line for line in lines() if line["event"] == "not ready"]
    assert [line["failed"] for line in told] == [failed]
    assert "wr0ng" not in answer.text + str(told)


def test_readiness_does_not_wait_for_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.05)
    hanging, other = socket.socketpair()
    checks = health.Health({"stuck": lambda: hanging.recv(1), "fine": lambda: None})
    readiness = checks.readiness()
    assert (readiness.failed, readiness.checks["fine"].ok) == (["stuck"], True)
    other.close()
    hanging.close()
    checks.close()


def test_a_database_that_is_down_is_told_and_waited_for(open_client: Open, server: Any, service: Any) -> None:
    api = open_client(DATABASE_NAME="not_there_yet")
    assert api.get("/healthz").status_code == 200
    body = problem(api.get("/search", params={"q": "a"}), 503)
    assert body["detail"].startswith("The database cannot be reached")
    with server._connect() as connection:
        connection.execute(f"CREATE DATABASE not_there_yet TEMPLATE {service['DATABASE_NAME']}".encode())
    assert api.get("/search", params={"q": "a"}).status_code == 200


def test_connections_that_broke_are_opened_again_without_a_failed_request(
    api: TestClient, indexed: None, server: Any, service: dict[str, str]
) -> None:
    with server._connect() as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [service["DATABASE_NAME"]]
        ).fetchall()
    assert len(ended) == pool.SIZE
    assert [api.get("/search", params={"q": "a"}).status_code for _ in range(pool.SIZE + 1)] == [200] * (pool.SIZE + 1)


def test_a_changed_password_fails_no_request(api: TestClient, indexed: None, server: Any) -> None:
    with server._connect() as connection:
        connection.execute("ALTER ROLE postgres PASSWORD 'another-one'")
    try:
        assert [api.get("/search", params={"q": "a"}).status_code for _ in range(8)] == [200] * 8
    finally:
        with psycopg.connect(
            host=str(server.folder), user="postgres", password="another-one", autocommit=True
        ) as again:
            again.execute(f"ALTER ROLE postgres PASSWORD '{server.database().password}'".encode())


def test_the_api_cannot_write_to_the_database(api: TestClient) -> None:
    shared: Any = api.app
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        shared._app.state.service.database.run(lambda store: store.keep_only([]))


def test_a_database_without_its_schema_is_told(open_client: Open, server: Any) -> None:
    api = open_client(DATABASE_NAME=server.new_database().name)
    assert "workload.migrate" in problem(api.get("/search", params={"q": "a"}), 503)["detail"]


def test_a_queue_that_is_down_is_told_and_search_goes_on(open_client: Open, indexed: None) -> None:
    api = open_client(QUEUE_PORT=str(free_port()))
    assert problem(api.post("/index"), 503)["detail"].startswith("The queue cannot be reached")
    assert api.get("/search", params={"q": "a"}).status_code == 200


def test_an_unforeseen_error_shows_its_cause_in_the_log_alone(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, lines: Any
) -> None:
    monkeypatch.setattr(routes, "search", lambda *_: [][0])
    body = problem(api.get("/search", params={"q": "a"}), 500)
    assert "index out of range" not in str(body)
    told = {line["event"]: line for line in lines()}
    assert "IndexError" in told["request failed"]["message"]
    assert (told["request failed"]["request_id"], told["request"]["Errors"]) == (body["request_id"], 1)


def test_jobs_are_queued_found_and_listed(api: TestClient, lines: Any) -> None:
    started = [api.post("/index", headers={"X-Request-Id": "mine-2"}), api.post("/report")]
    assert [answer.status_code for answer in started] == [202, 202]
    job = started[0].json()
    assert (job["kind"], job["status"], job["result"], job["error"]) == ("index", "queued", None, None)
    assert api.get(started[0].headers["Location"]).json() == job
    listed = api.get("/jobs", params={"limit": 1}).json()
    assert (listed["waiting"], listed["dead"], [each["kind"] for each in listed["jobs"]]) == (2, [], ["report"])
    [line, _] = [line for line in lines() if line["event"] == "job queued"]
    assert (line["job_id"], line["request_id"]) == (job["id"], "mine-2")


def test_a_job_that_is_not_there_is_told(api: TestClient) -> None:
    assert "'nowhere'" in problem(api.get("/jobs/nowhere"), 404)["detail"]
    problem(api.post("/jobs/nowhere/retry"), 409)


def test_a_job_that_is_not_dead_cannot_be_revived(api: TestClient) -> None:
    job = api.post("/index").json()["id"]
    assert "not dead" in problem(api.post(f"/jobs/{job}/retry"), 409)["detail"]


def test_no_secret_is_in_any_line(open_client: Open, service: dict[str, str], lines: Any) -> None:
    api = open_client(DATABASE_PASSWORD="wr0ng-secret-of-the-database")
    for path in ("/search?q=a", "/jobs", f"/search?q={service['API_KEY']}", "/readyz"):
        api.get(path)
    shown = json.dumps(lines())
    for name in ("API_KEY", "QUEUE_PASSWORD"):
        assert service[name] not in shown
    assert "wr0ng" not in shown


def test_traces_that_cannot_be_sent_are_told(open_client: Open, lines: Any) -> None:
    api = open_client(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert api.get("/healthz").status_code == 200
    assert [line["message"] for line in lines() if line["event"] == "not traced"] == [
        "OTEL_EXPORTER_OTLP_ENDPOINT is set; install fastapi[opentelemetry] for traces."
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("API_KEY", ""), ("API_KEY", "short"), ("API_KEY", ","), ("QUEUE_HOST", ""), ("QUEUE_PASSWORD", " "),
        ("QUEUE_TLS", "yes"), ("QUEUE_PORT", "0"), ("DATABASE_PORT", "x"), ("API_RATE", "0"), ("API_BURST", "many"),
        ("QUEUE_AUTHORITY", "/none.pem"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(service: dict[str, str], variable: str, value: str) -> None:
    with pytest.raises(InputError, match=variable):
        create_app(service | {variable: value})


@pytest.mark.parametrize("change", [{"LLM_API_URL": ""}, {"LLM_API_URL": "ftp://x"}, {"LLM_MODEL": ""}])
def test_a_wrong_setting_of_the_language_model_is_named(
    service: dict[str, str], model: Model, change: dict[str, str]
) -> None:
    [variable] = change
    with pytest.raises(InputError, match=variable):
        create_app(service | model.environment() | change)


def test_questions_are_embedded_once(api: TestClient, indexed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = api.get("/search", params={"q": "the same question"}).json()
    monkeypatch.setattr("ragonotebooks.workload.search.embed", lambda _: pytest.fail("embedded again"))
    assert api.get("/search", params={"q": "the same question"}).json() == first
    assert embed(["x"]).shape == (1, 256)
