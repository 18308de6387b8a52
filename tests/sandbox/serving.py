"""Serves a WSGI application on a loopback port, under the host name that it is meant for."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import waitress

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def serving(app: WSGIApp, host: str | None = None) -> Iterator[str]:
    """Serve `app` and yield the address, `127.0.0.1:port`; it sees requests for `host` if given."""

    def renamed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return app({**environ, "HTTP_HOST": host} if host else environ, start_response)

    server = waitress.create_server(renamed, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown()
        server.trigger.pull_trigger(lambda: [part.close() for part in list(server._map.values())])
        thread.join()
