"""What the API's handlers share: the database, the bucket, the queue, the language model, and who may ask."""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Annotated

import psycopg
from fastapi import Depends, HTTPException, Security
from fastapi.requests import Request
from fastapi.security import APIKeyHeader

from . import embeddings, logs, settings
from .artifacts import open_artifacts
from .errors import InputError
from .health import Health
from .jobs import Jobs, connect
from .limits import Rates
from .pool import Pool
from .store import Store

RATE, BURST = 500, 1000  # requests a second for each key and process; API_RATE and API_BURST change them
PATIENCE = 1  # a client waits for its answer, so a queue that is down is told soon


class Service:
    """One environment's resources. Raises InputError naming the first setting that is missing or wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.keys = settings.api_keys(environment)
        rate, burst = settings.number(environment, "API_RATE", RATE), settings.number(environment, "API_BURST", BURST)
        self.rates = Rates(rate, burst)
        self.database = Pool(settings.database(environment))
        self.artifacts = open_artifacts(settings.artifacts(environment))
        self.jobs = Jobs(connect(settings.queue(environment), PATIENCE))
        self.provider = settings.provider(environment)
        self.health = Health(
            {
                "database": lambda: self.database.run(Store.require_schema),
                "queue": self.jobs.ping,
                "bucket": self.artifacts.reach,
            }
        )

    def open(self) -> None:
        """Pay before the first request what it would have to pay; a database that is down is waited for later."""
        embeddings.embed(["warm"])
        try:
            self.database.open()
        except (psycopg.OperationalError, InputError) as error:
            logs.warning("database not ready", message=str(error).strip())

    def close(self) -> None:
        """Let go of what is open."""
        self.health.close()
        self.database.close()


def of(request: Request) -> Service:
    """The service of the app that a request came to."""
    service: Service = request.app.state.service
    return service


async def admit(
    request: Request, given: Annotated[str | None, Security(APIKeyHeader(name="X-API-Key", auto_error=False))]
) -> None:
    """Let a request pass that has a key, as often as the key may ask."""
    service = of(request)
    known = [key for key in service.keys if compare_digest(key.encode(), (given or "").encode())]
    if not known:
        detail = "The header X-API-Key holds no valid key." if given else "The header X-API-Key is missing."
        raise HTTPException(401, detail, {"WWW-Authenticate": "ApiKey"})
    if seconds := service.rates.wait(known[0]):
        detail = f"This key asks too often: try again in {seconds} s."
        raise HTTPException(429, detail, {"Retry-After": str(seconds)})


async def _of(request: Request) -> Service:
    return of(request)  # async: FastAPI would start a thread for a plain function


Use = Annotated[Service, Depends(_of)]
