"""The jobs as they run in a container: a package called `workload`, an environment, exit codes, JSON log lines."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ragonotebooks.workload import logs


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit code, what it logged, and every byte it wrote."""

    code: int
    lines: list[dict[str, Any]]
    output: str

    @property
    def refusal(self) -> str:
        """The one sentence of a job that was refused."""
        assert self.code == 2, self.output
        [line] = [line for line in self.lines if line["level"] == "error"]
        assert "traceback" not in line
        assert "Traceback" not in self.output
        message: str = line["message"]
        assert "\n" not in message
        assert message.endswith(".")
        return message


Run = Callable[..., Ended]


@pytest.fixture
def run(image: Path, environment: dict[str, str]) -> Run:
    """Run a job with the task's environment, changed by `changes` (None takes a variable away)."""

    def once(job: str, *arguments: str, **changes: str | None) -> Ended:
        given = environment | {"PATH": os.environ["PATH"]} | changes
        ended = subprocess.run(
            [sys.executable, "-m", f"workload.{job}", *arguments],
            env={name: value for name, value in given.items() if value is not None},
            cwd=image,
            capture_output=True,
            text=True,
        )
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        assert all(list(line)[:4] == ["time", "level", "event", "severity"] for line in lines)
        assert all(line["severity"] == line["level"].upper() for line in lines)
        return Ended(ended.returncode, lines, ended.stdout + ended.stderr)

    return once


def test_the_four_jobs_in_their_order(run: Run, corpus: Any, environment: dict[str, str]) -> None:
    questions = [
        {"question": "Why do bad cars drive out good ones?", "papers": ["lemons"]},
        {"question": "Can a central bank hold unemployment low for ever?", "papers": ["money"]},
    ]
    corpus.artifacts.write("evaluation/questions.jsonl", "\n".join(map(json.dumps, questions)).encode())
    jobs = [("migrate",), ("index",), ("search", "Who knows the quality", "of a used car?"), ("evaluate",)]
    ended = [run(*job, IMAGE_DIGEST=f"sha256:{'a' * 64}") for job in jobs]

    assert [job.code for job in ended] == [0, 0, 0, 0], ended
    assert environment["DATABASE_PASSWORD"] not in "".join(job.output for job in ended)
    assert ended[0].lines[-1]["applied"] == []

    latest = json.loads(corpus.artifacts.read("runs/latest.json").data)
    assert latest["image"] == f"sha256:{'a' * 64}"
    assert latest["run"] == ended[1].lines[-1]["run"]
    assert json.loads(corpus.artifacts.read(f"runs/{latest['run']}/manifest.json").data) == latest

    best = ended[2].lines[0]
    assert (best["event"], best["rank"], best["paper"], best["title"]) == (
        "passage", 1, "lemons", "The Market for Lemons",
    )  # fmt: skip
    assert (best["authors"], best["year"], best["venue"]) == (["Ada Author", "Bo Writer"], 1970, "A Journal")
    assert "Bad cars drive out good ones" in best["passage"]
    assert [line.get("score", 0) for line in ended[2].lines[:3]] == sorted(
        (line["score"] for line in ended[2].lines[:3]), reverse=True
    )

    result = json.loads(corpus.artifacts.read("evaluation/result.json").data)
    assert result["methods"] == ended[3].lines[-1]["methods"]
    assert set(result["methods"]) == {"bm25", "vectors", "fused"}
    assert result["methods"]["fused"]["mrr"] == 1.0


@pytest.mark.parametrize("variable", ["HOST", "NAME", "USER", "PASSWORD"])
def test_a_missing_database_variable_is_named(run: Run, variable: str) -> None:
    assert f"DATABASE_{variable} is not set" in run("migrate", **{f"DATABASE_{variable}": None}).refusal


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ARTIFACTS", ""),
        ("ARTIFACTS", "az://bucket/prefix"),
        ("DATABASE_PORT", "65536"),
        ("DATABASE_PORT", "five"),
        ("DATABASE_SSLMODE", "verify"),
        ("IMAGE_DIGEST", "latest"),
    ],
)
def test_a_wrong_variable_is_named(run: Run, variable: str, value: str) -> None:
    assert variable in run("index", **{variable: value}).refusal


def test_an_empty_corpus_is_refused(run: Run, corpus: Any) -> None:
    for path in (corpus.folder / "corpus").iterdir():
        path.unlink()
    assert run("index").refusal.startswith("The corpus is empty")
    assert corpus.artifacts.list("") == []


def test_a_broken_pdf_is_named_and_nothing_is_written(run: Run, corpus: Any) -> None:
    corpus.put("sub/broken.pdf", b"%PDF-1.7\nxref\n0 1\ntrailer << /Root 9 0 R >>\nstartxref\n9\n%%EOF")
    assert run("index").refusal.startswith("sub/broken.pdf cannot be read as a PDF")
    assert {key.split("/")[0] for key in corpus.artifacts.list("")} == {"corpus"}


def test_a_search_without_a_question_is_refused(run: Run) -> None:
    assert run("search").refusal.startswith("There is no question")


def test_an_evaluation_without_questions_says_where_they_belong(run: Run) -> None:
    assert run("evaluate").refusal.endswith("/evaluation/questions.jsonl: put it there.")


def test_a_job_before_the_migration_names_it(run: Run, server: Any) -> None:
    empty = server.new_database().name
    assert "run python -m workload.migrate first" in run("search", "Why?", DATABASE_NAME=empty).refusal


def test_a_database_that_lets_nobody_in_ends_with_1_and_a_traceback(run: Run) -> None:
    ended = run("migrate", DATABASE_PASSWORD="wr0ng-secret")
    [line] = ended.lines
    assert (ended.code, line["level"], line["event"]) == (1, "error", "failed")
    assert "password authentication failed" in line["message"]
    assert "Traceback" in line["traceback"]
    assert "wr0ng-secret" not in ended.output


def test_a_server_without_tls_is_told_no_user_and_no_password(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        heard = pool.submit(answer_without_tls, server)
        port = str(server.getsockname()[1])
        ended = run("migrate", DATABASE_HOST="127.0.0.1", DATABASE_PORT=port, PGSSLROOTCERT="system")
        assert ended.code == 1
        assert "server does not support SSL" in ended.lines[0]["message"]
        assert heard.result(30) == (80877103).to_bytes(4, "big")


def answer_without_tls(server: socket.socket) -> bytes:
    """Refuse a Postgres client's wish for TLS as a server does; all that it says after the length of its request."""
    server.settimeout(30)
    client, _ = server.accept()
    with client:
        client.settimeout(30)
        said = client.recv(8)[4:]
        client.sendall(b"N")
        return said + client.recv(1000)


def test_secrets_are_hidden_wherever_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    formatter = logs.JsonLines(["s3cr3t", ""])
    record = logs._logger.makeRecord("workload", 20, "", 0, "with s3cr3t", (), None, extra={
        "fields": {"text": "a s3cr3t b", "list": [{"deep": ("s3cr3t",)}], "count": 3},
    })  # fmt: skip
    line = json.loads(formatter.format(record))
    assert line | {"time": ""} == {
        "time": "", "level": "info", "event": "with ***", "severity": "INFO",
        "text": "a *** b", "list": [{"deep": ["***"]}], "count": 3,
    }  # fmt: skip
