"""Structured logs: one JSON object a line on standard output, with `time`, `level`, `event` and the event's fields.

Inside of `about(request_id=…)` every line also tells which request or job it belongs to. `severity` says the level in
Cloud Logging's words, which takes it, `time` and fields named logging.googleapis.com/… out of the line; elsewhere they are
fields like any other. Source: Cloud Logging, "Structured logging", special JSON fields, 2026-11.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

_logger = logging.getLogger("workload")
_about: ContextVar[Mapping[str, Any]] = ContextVar("about", default={})  # noqa: B039 - a mapping is never changed


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON. Every occurrence of one of `secrets` in a value becomes `***`."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= {"severity": record.levelname, **_about.get(), **getattr(record, "fields", {})}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps({name: self._hide(value) for name, value in line.items()}, ensure_ascii=False)

    def _hide(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, "***")
            return value
        if isinstance(value, dict):
            return {name: self._hide(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._hide(item) for item in value]
        return value


def start(secrets: Sequence[str] = (), stream: TextIO | None = None) -> None:
    """Send this process's logs to `stream` (standard output), the libraries' warnings included, without `secrets`."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines(secrets))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    _logger.setLevel(logging.INFO)
    # pypdf logs what is odd about a file; whether it can be read is reported once, by us
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Add `fields` to every line that is logged inside of the block, in this thread or task."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def current() -> Mapping[str, Any]:
    """The fields of the blocks of `about` that this thread or task is in."""
    return _about.get()


@contextmanager
def held() -> Iterator[None]:
    """No other thread is in the middle of a line inside of the block, so that the process can be copied."""
    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.acquire()
    try:
        yield
    finally:
        for handler in handlers:
            handler.release()


def info(event: str, **fields: Any) -> None:
    """Log that `event` happened; the values of `fields` are what JSON can hold."""
    _logger.info(event, extra={"fields": fields})


def warning(event: str, **fields: Any) -> None:
    """Log something that a person may want to look at, though the job goes on."""
    _logger.warning(event, extra={"fields": fields})


def error(event: str, *, traceback: bool = False, **fields: Any) -> None:
    """Log why the job ends; with `traceback` inside an exception handler, where it came from."""
    _logger.error(event, exc_info=traceback, extra={"fields": fields})
