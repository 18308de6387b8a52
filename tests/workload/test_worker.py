"""The worker as a process: jobs that end well, are tried again, die, and outlive whoever is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from ragonotebooks.workload import jobs, logs, settings
from ragonotebooks.workload.store import _LOCK, connect, open_connection
from tests.workload.valkey import Valkey

SECONDS = 180
# a test does not wait as long as a deployment should
IMPATIENT = "from workload import job, jobs, keeper, worker; {changes}; raise SystemExit(job.run(worker.main))"


class Process:
    """A worker, and the log lines that it has written so far."""

    def __init__(self, image: Path, environment: dict[str, str], log: Path, changes: dict[str, Any]) -> None:
        settled = "; ".join(f"{name} = {value!r}" for name, value in changes.items()) or "pass"
        command = [sys.executable, "-c", IMPATIENT.format(changes=settled)]
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, env=environment, cwd=image, stdout=out, stderr=subprocess.STDOUT)

    @property
    def text(self) -> str:
        return self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        every = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in every if line["event"] == event]

    def kill(self) -> None:
        """End it with all of its processes, as when its machine is lost."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            self.process.wait()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()


@pytest.fixture
def start(image: Path, service: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start a worker; `changes` are values of its modules."""
    started: list[Process] = []

    def worker(**changes: Any) -> Process:
        named = {name.replace("__", "."): value for name, value in changes.items()}
        log = tmp_path / f"worker-{len(started)}.log"
        started.append(Process(image, service | {"PATH": os.environ["PATH"]}, log, named))
        eventually(lambda: "working" in started[-1].text, started[-1])
        return started[-1]

    yield worker
    for each in started:
        each.kill()


@pytest.fixture
def queue(service: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> jobs.Jobs:
    """The queue as the API sees it; the functions have the names that they have in the image."""
    for kind, function in list(jobs.KINDS.items()):
        monkeypatch.setitem(jobs.KINDS, kind, f"workload.tasks.{function.__name__}")
    return jobs.Jobs(jobs.connect(settings.queue(service), patience=20))


@pytest.fixture
def held(service: dict[str, str]) -> Iterator[Callable[[], None]]:
    """Index jobs wait for a lock until the test calls this."""
    connection = open_connection(settings.database(service), autocommit=True)
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    yield connection.close
    connection.close()


def eventually(true: Callable[[], Any], *processes: Process) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, "\n".join(process.text for process in processes)
        time.sleep(0.05)


def ended(queue: jobs.Jobs, job: str, *processes: Process) -> jobs.Job:
    """The job once it has finished or died."""
    eventually(lambda: (found := queue.find(job)) and found.status in ("finished", "failed"), *processes)
    found = queue.find(job)
    assert found is not None
    return found


def is_waiting_for_the_lock(service: dict[str, str]) -> bool:
    with connect(settings.database(service)) as store:
        return bool(store._scalar("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


def papers(service: dict[str, str]) -> int:
    with connect(settings.database(service)) as store:
        return store.counts()["papers"]


def test_a_job_finishes_and_tells_what_it_did(start: Any, queue: jobs.Jobs, corpus: Any) -> None:
    trace = {"logging.googleapis.com/trace": "projects/papers/traces/3"}
    with logs.about(request_id="mine-3", **trace):
        job = queue.put("index").id
    worker = start()
    done = ended(queue, job, worker)
    assert (done.status, done.error) == ("finished", None)
    assert done.result == {
        "run": job, "manifest": f"runs/{job}/manifest.json",
        "papers": 3, "passages": 3, "embedded": 3, "kept": 0, "removed": 0,
    }  # fmt: skip
    assert json.loads(corpus.artifacts.read(f"runs/{job}/manifest.json").data)["run"] == job
    eventually(lambda: worker.lines("job ended"), worker)
    [line] = worker.lines("job ended")
    assert (line["job_id"], line["request_id"], line["job"], line["service"]) == (job, "mine-3", "index", "worker")
    assert line.items() >= trace.items()
    assert (line["JobsDone"], line["JobsFailed"]) == (1, 0)
    assert line["JobDuration"] > 0
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"], ["service", "job"]]
    assert worker.lines("indexed")[0]["job_id"] == job


def test_the_depth_of_the_queue_is_measured(start: Any, queue: jobs.Jobs, held: Any, service: Any) -> None:
    worker = start(keeper__DEPTH_SECONDS=0.1)
    for _ in range(3):
        queue.put("index")
    eventually(lambda: any(line["QueueDepth"] == 2 for line in worker.lines("queue")), worker)
    held()
    eventually(lambda: worker.lines("queue")[-1]["QueueDepth"] == 0, worker)


def test_a_report_is_written_as_data_and_as_a_page(start: Any, queue: jobs.Jobs, corpus: Any) -> None:
    question = {"question": "Why do bad cars drive out good ones?", "papers": ["lemons"]}
    corpus.artifacts.write("evaluation/questions.jsonl", json.dumps(question).encode())
    index, report = queue.put("index").id, queue.put("report").id
    worker = start()
    ended(queue, index, worker)
    done = ended(queue, report, worker)
    assert done.result == {"report": f"reports/{report}.json", "page": f"reports/{report}.md", "papers": 3}
    written = json.loads(corpus.artifacts.read(done.result["report"]).data)
    assert written["corpus"] | {"words": 0} == {
        "papers": 3, "passages": 3, "words": 0, "authors": 2, "decades": {"1970s": 3},
        "venues": {"A Journal": 3}, "fields": {"D": 3},
    }  # fmt: skip
    assert written["evaluation"]["questions"] == 1
    assert written["evaluation"]["methods"]["fused"] == {"recall@5": 1.0, "mrr": 1.0}
    assert written["evaluation"]["index_recall@10"] == 1.0
    page = corpus.artifacts.read(done.result["page"]).data.decode()
    assert "| A Journal | 3 |" in page
    assert "| fused | 1.000 | 1.000 |" in page


def test_a_report_without_questions_says_so(start: Any, queue: jobs.Jobs, corpus: Any) -> None:
    report = queue.put("report").id
    done = ended(queue, report, start())
    assert "so nothing was measured" in corpus.artifacts.read(done.result["page"]).data.decode()


def test_a_wrong_input_is_dead_at_once_and_revived_when_it_is_right(
    start: Any, queue: jobs.Jobs, corpus: Any, make_record: Any
) -> None:
    corpus.put("lemons.json", b"{")
    job = queue.put("index").id
    worker = start()
    dead = ended(queue, job, worker)
    assert (dead.status, dead.result) == ("failed", None)
    assert dead.error is not None
    assert dead.error.startswith("lemons.json is not JSON")
    assert [found.id for found in queue.recent(10) if found.status == "failed"] == [job]
    assert len(worker.lines("job failed")) == 1
    assert "Traceback" not in worker.text

    corpus.put("lemons.json", make_record("lemons"))
    assert queue.revive(job)
    assert ended(queue, job, worker).status == "finished"
    assert not queue.revive(job)


def test_what_may_pass_is_tried_again_and_is_dead_after_three_times(
    start: Any, queue: jobs.Jobs, service: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "RETRY_SECONDS", (0, 1, 1))
    job = queue.put("index").id
    service["DATABASE_PASSWORD"] = "wr0ng-secret-of-the-database"
    worker = start()
    dead = ended(queue, job, worker)
    assert dead.error is not None
    assert "password authentication failed" in dead.error
    assert [line["retries_left"] for line in worker.lines("job failed")] == [3, 2, 1, 0]
    assert "wr0ng" not in worker.text + dead.error


def test_a_worker_that_is_stopped_finishes_its_job(start: Any, queue: jobs.Jobs, held: Any, service: Any) -> None:
    job = queue.put("index").id
    worker = start()
    eventually(lambda: is_waiting_for_the_lock(service), worker)
    later = queue.put("index").id
    for each in [*psutil.Process(worker.process.pid).children(recursive=True), worker.process]:
        each.send_signal(signal.SIGTERM)  # whoever stops a task may signal all of its processes
    eventually(lambda: worker.lines("stopping"), worker)
    assert worker.process.poll() is None
    held()
    assert worker.process.wait(SECONDS) == 0, worker.text
    assert worker.lines("stopping")[0]["busy"] is True
    assert [queue.find(each).status for each in (job, later)] == ["finished", "queued"]  # type: ignore[union-attr]


def test_a_worker_without_a_job_stops_at_once(start: Any) -> None:
    worker = start()
    worker.process.terminate()
    assert worker.process.wait(SECONDS) == 0, worker.text
    assert len(worker.lines("stopped")) == 1


def test_a_job_that_takes_too_long_at_the_end_is_given_to_another_worker(
    start: Any, queue: jobs.Jobs, held: Any, service: Any
) -> None:
    job = queue.put("index").id
    stopped = start(worker__STOP_SECONDS=1)
    eventually(lambda: is_waiting_for_the_lock(service), stopped)
    stopped.process.terminate()
    assert stopped.process.wait(SECONDS) == 0, stopped.text
    waiting = queue.find(job)
    assert waiting is not None
    assert (waiting.status, waiting.retries_left) == ("queued", len(jobs.RETRY_SECONDS) - 1)
    held()
    done = ended(queue, job, start(), stopped)
    assert (done.status, papers(service)) == ("finished", 3)


def test_the_job_of_a_killed_worker_is_done_by_another(
    start: Any, queue: jobs.Jobs, held: Any, service: dict[str, str]
) -> None:
    job = queue.put("index").id
    killed = start(worker__DEAD_SECONDS=2, worker__BEAT_SECONDS=1)
    eventually(lambda: is_waiting_for_the_lock(service), killed)
    killed.kill()
    held()
    other = start(worker__DEAD_SECONDS=2, worker__BEAT_SECONDS=1)
    done = ended(queue, job, other, killed)
    assert (done.status, papers(service)) == ("finished", 3)
    assert done.result is not None
    assert done.result["run"] == job


def test_a_job_survives_a_queue_that_is_killed_and_comes_back(
    start: Any, queue: jobs.Jobs, held: Any, service: dict[str, str], valkey: Valkey
) -> None:
    job = queue.put("index").id
    worker = start(worker__BEAT_SECONDS=1)
    eventually(lambda: is_waiting_for_the_lock(service), worker)
    valkey.kill()
    try:
        eventually(lambda: worker.lines("queue unreachable"), worker)
    finally:
        valkey.run()
    held()
    assert ended(queue, job, worker).status == "finished"
    assert ended(queue, queue.put("index").id, worker).status == "finished"


def test_a_job_that_is_run_again_keeps_its_first_result(
    service: dict[str, str], corpus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ragonotebooks.workload import tasks

    for name, value in service.items():
        monkeypatch.setenv(name, value)
    first = [tasks.index("a-job"), tasks.report("another-job")]
    kept = {key: corpus.artifacts.read(key).data for key in corpus.artifacts.list("")}
    assert [tasks.index("a-job"), tasks.report("another-job")] == first
    assert {key: corpus.artifacts.read(key).data for key in corpus.artifacts.list("")} == kept


@pytest.mark.parametrize("variable", ["QUEUE_HOST", "QUEUE_PASSWORD", "DATABASE_HOST", "ARTIFACTS"])
def test_a_missing_setting_is_named(image: Path, service: dict[str, str], variable: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "workload.worker"],
        env=service | {"PATH": os.environ["PATH"], variable: ""},
        cwd=image,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2, ended
    assert f"{variable} is not set" in json.loads(ended.stdout)["message"]


def test_a_queue_whose_certificate_is_not_trusted_is_told_no_password(
    service: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    untrusted = jobs.Jobs(jobs.connect(settings.queue(service), patience=0))
    with pytest.raises(Exception, match="certificate verify failed"):
        untrusted.ping()


def test_an_authority_of_the_queues_own_is_trusted_whatever_the_queue_is_called(
    service: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"QUEUE_AUTHORITY": os.environ["SSL_CERT_FILE"], "QUEUE_HOST": "127.0.0.1"}
    monkeypatch.delenv("SSL_CERT_FILE")
    jobs.Jobs(jobs.connect(settings.queue(service | own), patience=0)).ping()


def test_a_wrong_password_of_the_queue_is_not_shown(service: dict[str, str]) -> None:
    wrong = settings.queue(service | {"QUEUE_PASSWORD": "wr0ng-secret-of-the-queue"})
    with pytest.raises(Exception, match="invalid username-password") as caught:
        jobs.Jobs(jobs.connect(wrong, patience=0)).ping()
    assert "wr0ng" not in str(caught.value) + repr(wrong)
