"""How a daemon is spoken to from outside, in JSON on its own address. It answers only the holder of the secret key."""

import hmac
import http
import http.client
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.state import DAEMON_LOG, State, folder_of

if TYPE_CHECKING:  # the context holds the faults that are told this way
    from ragonotebooks.sandbox.context import Context
    from ragonotebooks.sandbox.local import Local

_LIMIT: Final = 10.0


def serve(context: "Context", local: "Local", path: str, answer: Callable[[Any], object]) -> None:
    """Answer at `path` with `answer(body)`, where the body is None for a request without one."""

    def respond(environ: dict[str, Any]) -> tuple[str, object]:
        given = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1")
        if not hmac.compare_digest(given, _authorization(context.state).encode()):
            return "401 Unauthorized", {"message": f"{path} needs the operator's secret key as bearer token"}
        body = environ["wsgi.input"].read()
        return "200 OK", answer(json.loads(body) if body else None)

    local.serve(path, respond)


def ask(state: State, path: str, body: object = None) -> Any:
    """What a running sandbox answers at `path`; a body is told it.

    Raises:
        RagonotebooksError: It does not answer, or refuses to.
    """
    connection = http.client.HTTPConnection("127.0.0.1", state.port, timeout=_LIMIT)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "PUT", path, sent, {"Authorization": _authorization(state)})
        response = connection.getresponse()
        answer = json.load(response)
    except (OSError, http.client.HTTPException, ValueError) as error:
        log = folder_of(state.name) / DAEMON_LOG
        raise RagonotebooksError(f"the sandbox {state.name} does not answer ({error}); see its log {log}") from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise RagonotebooksError(f"the sandbox {state.name} refuses to answer at {path}: {answer['message']}")
    return answer


def _authorization(state: State) -> str:
    return f"Bearer {state.secret_key}"
