"""What a worker does for the whole queue beside its jobs: puts back those whose next try is due, and measures."""

import threading
import time

import redis
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from . import jobs, logs, metrics

DEPTH_SECONDS = 10  # how often the depth of the queue is measured


class Keeper(threading.Thread):
    """Runs as long as the worker. Of several workers' keepers, one at a time puts jobs back."""

    def __init__(self, connection: "redis.Redis") -> None:
        super().__init__(daemon=True)
        self._jobs = jobs.Jobs(connection)
        self._scheduler = RQScheduler(
            [self._jobs.queue], connection, logging_level="WARNING", serializer=JSONSerializer
        )
        self._measured = 0.0
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(self._scheduler.interval):
            try:
                self._keep()
            except redis.RedisError as error:
                logs.warning("queue unreachable", message=str(error))

    def stop(self) -> None:
        """Leave the work to another worker's keeper."""
        self._stopped.set()
        self.join()
        self._scheduler.release_locks()  # type: ignore[no-untyped-call]

    def _keep(self) -> None:
        self._scheduler.acquire_locks()  # type: ignore[no-untyped-call]
        self._scheduler.enqueue_scheduled_jobs()  # type: ignore[no-untyped-call]
        if time.monotonic() - self._measured >= DEPTH_SECONDS:
            self._measured = time.monotonic()
            metrics.log("queue", {"QueueDepth": (self._jobs.depth(), "Count")}, [["service"]], service="worker")
