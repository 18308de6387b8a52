"""Who plays which host: the sandbox's HTTP server is one WSGI application that hands each request to whoever plays the host that
it names; some hosts are played from the first byte of a connection.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from ragonotebooks.sandbox.gateway import Player

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: The address that the notebook's machine has, seen from a cloud (a documentation address, RFC 5737).
OPERATOR_ADDRESS = "203.0.113.10"
_ADDRESS_SERVICE = "checkip.amazonaws.com"


class Front:
    """Routes by host name.

    Args:
        local: Answers requests for the loopback address itself: task credentials and the like.
    """

    def __init__(self, local: WSGIApp) -> None:
        self._local = local
        self._players: list[tuple[re.Pattern[str], Player]] = []
        self._hosts: list[tuple[re.Pattern[str], WSGIApp]] = [(re.compile(re.escape(_ADDRESS_SERVICE)), _own_address)]

    def play(self, pattern: str, app: WSGIApp) -> None:
        """From now on `app` answers for the hosts that match `pattern` whole; what was said first wins."""
        self._hosts.append((re.compile(pattern), app))

    def play_whole(self, pattern: str, player: Player) -> None:
        """From now on `player` gets the connections to the hosts that match `pattern` whole."""
        self._players.append((re.compile(pattern), player))

    def player(self, host: str) -> Player | None:
        """Who plays `host` from the first byte, if anyone does."""
        return next((player for pattern, player in self._players if pattern.fullmatch(host.lower())), None)

    def plays(self, host: str) -> bool:
        """Whether anything answers for `host`."""
        return any(pattern.fullmatch(host.lower()) for pattern, _ in self._hosts)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "").partition(":")[0].lower()
        for pattern, app in self._hosts:
            if pattern.fullmatch(host):
                return app(environ, start_response)
        return self._local(environ, start_response)


def _own_address(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{OPERATOR_ADDRESS}\n".encode()]
