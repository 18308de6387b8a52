"""What clients are told when something is wrong: problem details (RFC 9457) with the id of their request."""

from typing import Any

import psycopg
import redis
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from . import logs
from .errors import InputError
from .pool import BusyError

TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Content too large",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}
_UNREACHABLE = {
    psycopg.OperationalError: "The database cannot be reached or is too slow: try again later.",
    redis.RedisError: "The queue cannot be reached: try again later.",
    BusyError: "The database is busy: try again later.",
}


class Problem(JSONResponse):
    """A problem's answer; `more` are members beside the standard ones."""

    media_type = "application/problem+json"

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
        super().__init__(body | {"request_id": logs.current().get("request_id")} | more, status, headers)


def explain(app: FastAPI) -> None:
    """Make every error of the app a problem."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InputError, _unprepared)
    app.add_exception_handler(Exception, _unexpected)
    for kind in _UNREACHABLE:
        app.add_exception_handler(kind, _unreachable)


def _unexpected(request: Request, error: Exception) -> Problem:
    logs.error("request failed", message=f"{type(error).__name__}: {error}".strip(), traceback=True)
    return Problem(500, "Something went wrong; the log has the cause under this request's id.")


def _refused(request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    return Problem(error.status_code, str(error.detail), dict(error.headers or {}))


def _invalid(request: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(map(str, each["loc"][1:])) or str(each["loc"][0]), "message": each["msg"]}
        for each in error.errors()
    ]
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return Problem(422, detail, errors=errors)


def _unprepared(request: Request, error: Exception) -> Problem:
    logs.error("unprepared", message=str(error))
    return Problem(503, str(error))


def _unreachable(request: Request, error: Exception) -> Problem:
    logs.error("unreachable", message=f"{type(error).__name__}: {error}".strip())
    detail = next(told for kind, told in _UNREACHABLE.items() if isinstance(error, kind))
    return Problem(503, detail, {"Retry-After": "1"})
