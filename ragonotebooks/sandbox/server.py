"""waitress, without what S3 clients run into: it waits for bodies that are empty, and does not keep header names.

The names of an S3 object's metadata are header names; theirs are lower case, and `a_b` is not `a-b`.
"""

import re
from typing import Any

import waitress
from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, environ_key_for_header
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser

_UNDERSCORED = re.compile(rb"^x-amz-meta-[^:\r\n]*_[^:\r\n]*(?=:)", re.IGNORECASE | re.MULTILINE)
_METADATA = "x-amz-meta-"
_NAMES = "X_SANDBOX_HEADER_NAMES"


def create_server(app: Any, **settings: Any) -> Any:
    """Return waitress's server for a WSGI application; `settings` are waitress's own. Call its `run()`."""
    server = waitress.create_server(_keeping_names(app), **settings)
    server.channel_class = _Channel
    return server


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress is not typed
    def parse_header(self, header_plus: bytes) -> None:
        """Read a request's header; waitress 3.0.2 drops names with an underscore, so they come with a hyphen."""
        names = _UNDERSCORED.findall(header_plus)
        super().parse_header(_UNDERSCORED.sub(lambda name: name[0].replace(b"_", b"-"), header_plus))
        self.headers.pop(_NAMES, None)
        if names:
            self.headers[_NAMES] = b",".join(names).decode("latin-1")
        if not self.content_length and not self.chunked:
            # waitress 3.0.2 would answer 100 Continue and then wait for ever; boto3 asks so for an empty object
            self.expect_continue = False


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress is not typed
    parser_class = _Parser


class _Name(str):
    """A header name that waitress, which capitalises the parts of names, sends as it is."""

    def split(self, *_: Any) -> list[Any]:
        return [self]

    def capitalize(self) -> str:
        return self


def _keeping_names(app: Any) -> Any:
    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        names = environ.pop(f"HTTP_{_NAMES}", "").split(",")
        environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = {environ_key_for_header(name): name for name in names if name}

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [(_Name(name.lower()) if name.lower().startswith(_METADATA) else name, v) for name, v in headers]
            return start_response(status, kept, *rest)

        return app(environ, start)

    return answer
