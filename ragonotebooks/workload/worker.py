"""The worker: takes jobs from the queue, one at a time, each in a process of its own.

Stopped by SIGTERM it finishes the job that it has begun. A job that takes longer than ECS waits before it kills is
put back for another worker, as is the job of a worker that was killed: it is noticed by its missing heartbeat.
"""

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import redis
import rq
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from . import job, jobs, logs, metrics, settings
from .errors import InputError
from .keeper import Keeper

STOP_SECONDS = 20  # ECS kills a task 30 s after it asked it to stop, unless the task definition says otherwise
BEAT_SECONDS = 5
DEAD_SECONDS = 20  # a job whose worker gave no sign for so long is given to another
PATIENCE = 15  # tries, about 13 s: a queue that is restarted or fails over is back by then


class Worker(rq.Worker):
    """RQ's worker with our log lines, our measurements and a limit to how long it goes on after SIGTERM."""

    max_connection_wait_time = 5.0
    stopping = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.stopping = True
        logs.info("stopping", busy=bool(self.horse_pid))
        killer = threading.Timer(STOP_SECONDS, self.kill_horse)
        killer.daemon = True
        killer.start()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        if self.horse_pid:
            super().kill_horse(sig)

    def setup_work_horse_signals(self) -> None:
        # whoever signals the whole process tree must not end the job
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        logs.info("working", worker=self.name)

    def fork_work_horse(self, job: Job, queue: rq.Queue) -> None:
        with logs.held():
            super().fork_work_horse(job, queue)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        return DEAD_SECONDS

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        try:
            super().maintain_heartbeats(job, execution)
        except redis.RedisError as error:
            logs.warning("queue unreachable", message=str(error), job_id=job.id)

    def perform_job(self, job: Job, queue: rq.Queue, execution: Execution) -> bool:
        begun = time.monotonic()
        with logs.about(job_id=job.id, **job.meta.get("request", {})):
            logs.info("job started", job=job.meta["kind"])
            done = super().perform_job(job, queue, execution)
            values = {
                "JobDuration": (round((time.monotonic() - begun) * 1000, 1), "Milliseconds"),
                "JobsDone": (int(done), "Count"),
                "JobsFailed": (int(not done), "Count"),
            }
            metrics.log("job ended", values, [["service"], ["service", "job"]], service="worker", job=job.meta["kind"])
        return done

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        error = exc_info[1]
        if isinstance(error, InputError):
            job.retries_left = 0  # the same input fails the same way
        job.meta["error"] = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}".strip()
        job.save_meta()  # type: ignore[no-untyped-call]
        unexpected = not isinstance(error, InputError)
        logs.error("job failed", message=job.meta["error"], retries_left=job.retries_left, traceback=unexpected)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until RQ listens, there is nothing to finish
    queue = settings.queue(os.environ)
    # what the jobs will need, named before one is taken
    settings.database(os.environ), settings.artifacts(os.environ), settings.image_digest(os.environ)
    connection = jobs.connect(queue, PATIENCE)
    keeper = Keeper(jobs.connect(queue, PATIENCE))
    worker = Worker(
        [jobs.Jobs(connection).queue],
        connection=connection,
        serializer=JSONSerializer,
        job_monitoring_interval=BEAT_SECONDS,
        maintenance_interval=BEAT_SECONDS,
        worker_ttl=15 + BEAT_SECONDS,  # RQ waits 15 s less than this for a job before it looks for dead ones
    )
    keeper.start()
    worker.work(logging_level="WARNING")
    if not worker.stopping:
        raise RuntimeError("the worker ended without being asked to")
    keeper.stop()
    logs.info("stopped", worker=worker.name)


if __name__ == "__main__":
    raise SystemExit(job.run(main))
