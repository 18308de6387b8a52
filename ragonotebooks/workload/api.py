"""The API: search, answers, the corpus and its jobs, over HTTP. `python -m workload.api` serves it at PORT (8000)."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec

import uvicorn
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from . import job, logs, problems, settings
from .routes import guarded, health
from .service import Service
from .watch import Watch

BODY_BYTES = 256_000  # a paper record is a few kilobytes
IDLE_SECONDS = (
    65  # longer than a load balancer's 60 s, which would otherwise ask over a connection that is being closed
)
GRACE_SECONDS = 20  # for the requests that are in flight at SIGTERM


def create_app(environment: Mapping[str, str]) -> Watch:
    """The API for an environment. Raises InputError naming the first setting that is missing or wrong."""
    traced = _traced(environment)
    app = FastAPI(
        title="Ragonometrics",
        description="Questions about economics papers, answered with citations.",
        lifespan=_lifespan,
        max_body_size=BODY_BYTES,
        telemetry={"tracing": traced, "metrics": False, "logs": False, "auto_configure": traced},
    )
    app.state.service = Service(environment)
    problems.explain(app)
    app.include_router(health)
    app.include_router(guarded)
    return Watch(app, BODY_BYTES, settings.project(environment))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    await run_in_threadpool(service.open)
    logs.info("serving")
    yield
    service.close()
    logs.info("stopped")


def _traced(environment: Mapping[str, str]) -> bool:
    if not environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return False
    if find_spec("opentelemetry.sdk") and find_spec("opentelemetry.exporter"):
        return True
    logs.warning("not traced", message="OTEL_EXPORTER_OTLP_ENDPOINT is set; install fastapi[opentelemetry] for traces.")
    return False


def main() -> None:
    # uvicorn ends by raising the signal that stopped it once more; a task that was asked to stop ends with 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        create_app(os.environ),
        host="0.0.0.0",
        port=settings.port(os.environ, 8000),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    raise SystemExit(job.run(main))
