"""A language model's provider on loopback: it says what a test wants, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Model:
    """`says` is its answer, `status` the provider's; while `may_answer` is unset it thinks."""

    name = "a-model"
    key = "the-key-of-the-provider"

    def __init__(self) -> None:
        self.says, self.status = "An answer [1].", 200
        self.asked: list[dict[str, Any]] = []
        self.authorization = ""
        self.was_asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        self.port = 0

    def environment(self) -> dict[str, str]:
        return {"LLM_API_URL": f"http://127.0.0.1:{self.port}/v1/", "LLM_API_KEY": self.key, "LLM_MODEL": self.name}


@contextmanager
def serving() -> Iterator[Model]:
    """A model that answers until the block ends."""
    model = Model()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/chat/completions"
            model.authorization = self.headers["Authorization"]
            model.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            model.was_asked.set()
            model.may_answer.wait(60)
            body = json.dumps({"choices": [{"message": {"role": "assistant", "content": model.says}}]}).encode()
            self.send_response(model.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        model.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield model
        model.may_answer.set()
        server.shutdown()
