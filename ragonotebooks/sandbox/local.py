"""What the gateway's own loopback address answers: the daemon's word that it is there, and what controllers serve to tasks."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from ragonotebooks.sandbox.context import Context


class Local:
    """A WSGI application for `http://127.0.0.1:PORT/…`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._prefixes: dict[str, Callable[[dict[str, Any]], tuple[str, object]]] = {}

    def serve(self, prefix: str, answer: Callable[[dict[str, Any]], tuple[str, object]]) -> None:
        """Let `answer(environ)` give the status line and the JSON body for paths that start with `prefix`."""
        self._prefixes[prefix] = answer

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        answer = next((answer for prefix, answer in self._prefixes.items() if path.startswith(prefix)), self._nothing)
        status, body = answer(environ)
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    def _nothing(self, environ: dict[str, Any]) -> tuple[str, object]:
        message = f"the sandbox {self._context.state.name} serves nothing at {environ.get('PATH_INFO', '')}"
        return "404 Not Found", {"message": message}
