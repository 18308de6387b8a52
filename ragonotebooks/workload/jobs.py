"""The queue as its clients see it: jobs that wait, run, are retried, have finished or are dead.

A job is a function of `tasks.py`. Arguments and results are JSON: a queue of pickles would run whatever somebody who
can write to it puts there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import redis
import rq
from redis.backoff import ExponentialBackoff
from redis.retry import Retry as Reconnect
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job as QueuedJob
from rq.registry import BaseRegistry
from rq.results import Result
from rq.serializers import JSONSerializer

from . import logs, tasks
from .settings import Queue

NAME = "jobs"
KINDS = {"index": tasks.index, "report": tasks.report}
SECONDS = 600  # a job that takes longer is stopped and counts as failed
KEPT_SECONDS = 7 * 86_400  # how long the result of a job can be asked for
# at once, since a job is not to blame when its worker was killed; then as long as a database takes to fail over
RETRY_SECONDS = (0, 5, 30, 120)


@dataclass(frozen=True)
class Job:
    """A job: `status` is queued, started, scheduled (to be tried again), finished, failed (dead) or stopped."""

    id: str
    kind: str
    status: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    retries_left: int
    result: dict[str, Any] | None
    error: str | None


def connect(queue: Queue, patience: int) -> "redis.Redis":
    """A client of the queue's server, which connects when it is first used; with TLS the server must prove who it is.

    A command that finds no server is tried again up to `patience` times, with up to a second between two tries.
    """
    return redis.Redis(
        host=queue.host,
        port=queue.port,
        password=queue.password,
        ssl=queue.tls,
        ssl_ca_certs=queue.authority,
        # an authority of the server's own says as much as a name, and Memorystore's certificates have none that clients
        # accept: the address as common name alone (envoyproxy/ratelimit, pull request 409, 2023-04)
        ssl_check_hostname=queue.tls and queue.authority is None,
        socket_connect_timeout=3,
        socket_timeout=5,
        health_check_interval=30,
        retry=Reconnect(ExponentialBackoff(cap=1, base=0.05), patience),
    )


class Jobs:
    """The jobs of one queue."""

    def __init__(self, connection: "redis.Redis") -> None:
        self._connection = connection
        self.queue = rq.Queue(NAME, connection=connection, serializer=JSONSerializer)

    def ping(self) -> None:
        """Raises redis.RedisError when the queue cannot be reached."""
        self._connection.ping()

    def depth(self) -> int:
        """How many jobs wait for a worker."""
        return self.queue.count

    def put(self, kind: str) -> Job:
        """Enqueue a job of one of KINDS; it remembers what logs tell of the request that asked for it."""
        job = uuid4().hex
        queued = self.queue.enqueue_call(
            KINDS[kind],
            args=[job],
            job_id=job,
            timeout=SECONDS,
            result_ttl=KEPT_SECONDS,
            failure_ttl=KEPT_SECONDS,
            retry=rq.Retry(len(RETRY_SECONDS), RETRY_SECONDS),
            meta={"kind": kind, "request": dict(logs.current())},
        )
        return _job(queued)

    def find(self, job: str) -> Job | None:
        """The job of that id, None when there is none or it was too long ago."""
        try:
            queued = self._fetch(job)
        except NoSuchJobError:
            return None
        return _job(queued, queued.latest_result())

    def recent(self, most: int) -> list[Job]:
        """Up to `most` jobs, the newest first, without their results."""
        ids = {job for ids in self._ids(most) for job in ids}
        found = QueuedJob.fetch_many(sorted(ids), connection=self._connection, serializer=JSONSerializer)
        return sorted(map(_job, filter(None, found)), key=lambda job: job.created, reverse=True)[:most]

    def revive(self, job: str) -> bool:
        """Put a dead job back into the queue, with all of its tries; False when it is not dead."""
        try:
            dead = self._fetch(job)
            dead.retries_left = len(RETRY_SECONDS)
            self.queue.failed_job_registry.requeue(dead)
        except (NoSuchJobError, InvalidJobOperation):
            return False
        return True

    def _fetch(self, job: str) -> QueuedJob:
        return QueuedJob.fetch(job, connection=self._connection, serializer=JSONSerializer)

    def _ids(self, most: int) -> Iterator[list[str]]:
        yield self.queue.get_job_ids(0, most)
        registries: tuple[BaseRegistry, ...] = (
            self.queue.started_job_registry,
            self.queue.scheduled_job_registry,
            self.queue.finished_job_registry,
            self.queue.failed_job_registry,
        )
        for registry in registries:
            yield registry.get_job_ids(0, most - 1, desc=True, cleanup=False)  # cleaning up is the workers' business


def _job(queued: QueuedJob, last: Result | None = None) -> Job:
    status = str(queued.get_status(refresh=False).value)
    error = queued.meta.get("error")
    if not error and last and last.exc_string:
        error = last.exc_string.strip().splitlines()[-1]
    return Job(
        id=queued.id,
        kind=queued.meta["kind"],
        status=status,
        created=queued.created_at,
        started=queued.started_at,
        ended=queued.ended_at,
        retries_left=queued.retries_left or 0,
        result=last.return_value if last and status == "finished" else None,
        error=error if status != "finished" else None,
    )
