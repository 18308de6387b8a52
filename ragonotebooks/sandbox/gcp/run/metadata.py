"""The metadata server: who an instance is. It answers the instance alone, at a port of its own loopback address and, through the
gateway, under the name `metadata.google.internal`.

Source: Cloud Run, "Container runtime contract", section "Container instance metadata server", read 2026-11.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from ragonotebooks.sandbox.callers import Address, CallerGone
from ragonotebooks.sandbox.gateway import GiveBack, Wanted
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.parts.balancer import http1
from ragonotebooks.sandbox.parts.balancer.http1 import BadMessageError, Head
from ragonotebooks.sandbox.streams import Stream, close

_ROOT: Final = "/computeMetadata/v1"
_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_MARGIN: Final = 60  # seconds for which a token lives on behind what the answer says

#: Status, content type and body.
Answer = tuple[int, str, str]


@dataclass(frozen=True)
class Identity:
    """What an instance is told of itself.

    Attributes:
        id: The instance's id.
        region: Its region.
        email: Of its service account.
    """

    id: str
    region: str
    email: str


class MetadataServer:
    """One for all instances of a sandbox.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._known: dict[str, Identity] = {}
        self._servers: dict[str, asyncio.Server] = {}

    def open(self, name: str, identity: Identity, address: str) -> str:
        """Answer an instance from now on; return where: `127.130.4.5:40123`.

        Args:
            name: As the daemon knows the instance among its callers.
            identity: What it is told.
            address: Its loopback address.
        """
        self._known[name] = identity
        port: int = self._cloud.context.run(self._listen(name, address))
        return f"{address}:{port}"

    def close(self, name: str) -> None:
        """Answer an instance no more."""
        self._known.pop(name, None)
        if server := self._servers.pop(name, None):
            self._cloud.context.loop.call_soon_threadsafe(server.close)

    async def take(self, client: Stream, wanted: Wanted, give_back: GiveBack) -> str | None:
        """Answer a request that comes through the gateway, or tell why it must not pass."""
        client[1].transport.resume_reading()  # type: ignore[attr-defined]  # a socket's transport can
        if not wanted.head:
            return "the metadata server speaks HTTP without TLS"
        reader = asyncio.StreamReader()
        reader.feed_data(wanted.head)
        head = await http1.read_request(reader)
        path = "/" + head.line[1].partition("://")[2].partition("/")[2]
        answer = await asyncio.to_thread(self._answer, _ends(client), Head((head.line[0], path, ""), head.fields))
        client[1].write(_encoded(answer, keep=False))
        await client[1].drain()
        close(client[1])
        return None

    async def _listen(self, name: str, address: str) -> int:
        server = await asyncio.start_server(self._serve, address, 0)
        self._servers[name] = server
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = _ends((reader, writer))
        try:
            while True:
                head = await http1.read_request(reader)
                answer = await asyncio.to_thread(self._answer, ends, head)
                writer.write(_encoded(answer, keep=True))
                await writer.drain()
        except (OSError, EOFError, BadMessageError):
            pass  # the client has gone, or speaks something else
        finally:
            close(writer)

    def _answer(self, ends: tuple[Address, Address], head: Head) -> Answer:
        try:
            identity = self._known.get(self._cloud.context.callers.who(*ends) or "")
        except CallerGone:
            identity = None
        if identity is None:
            return 404, "text/plain", "the metadata server answers instances alone\n"
        path, _, query = head.line[1].partition("?")
        if path.rstrip("/") in ("", _ROOT.rpartition("/")[0]):
            return 200, "application/text", "computeMetadata/\n"
        if head.get("metadata-flavor") != "Google":
            return 403, "text/html", "Missing Metadata-Flavor:Google header.\n"
        parameters = {key: values[0] for key, values in parse_qs(query).items()}
        return self._value(identity, path.removeprefix(_ROOT).strip("/"), parameters)

    def _value(self, identity: Identity, path: str, query: dict[str, str]) -> Answer:
        project, accounts = self._cloud.project, "instance/service-accounts"
        plain = {
            "": "instance/\nproject/\nuniverse/\n",
            "project/project-id": project.id,
            "project/numeric-project-id": project.number,
            "instance/id": identity.id,
            "instance/region": f"projects/{project.number}/regions/{identity.region}",
            "instance/zone": f"projects/{project.number}/zones/{identity.region}-1",
            "universe/universe-domain": "googleapis.com",
            accounts: f"default/\n{identity.email}/\n",
        }
        if path in plain:
            return 200, "application/text", plain[path]
        for name in ("default", identity.email):
            if path == f"{accounts}/{name}" or path.startswith(f"{accounts}/{name}/"):
                return self._account(identity, path.removeprefix(f"{accounts}/{name}").strip("/"), query)
        return 404, "text/html", f"{path} is nothing that the sandbox's metadata server has\n"

    def _account(self, identity: Identity, what: str, query: dict[str, str]) -> Answer:
        email = identity.email
        if what == "" and query.get("recursive") == "true":
            shown = {"aliases": ["default"], "email": email, "scopes": list(_SCOPES)}
            return 200, "application/json", json.dumps(shown)
        if what == "token":
            with self._cloud.context.lock:
                token = self._cloud.identities.give_token(email)
                left = self._cloud.identities.seconds_left(token) - _MARGIN
            given = {"access_token": token, "expires_in": left, "token_type": "Bearer"}
            return 200, "application/json", json.dumps(given)
        if what == "identity":
            if not query.get("audience"):
                return 400, "text/html", "non-empty audience parameter required\n"
            return 200, "text/html", self._cloud.keys.identity_token(email, query["audience"])
        plain = {"": "aliases\nemail\nidentity\nscopes\ntoken\n", "email": email, "aliases": "default\n"}
        plain["scopes"] = "\n".join(_SCOPES)
        return (200, "application/text", plain[what]) if what in plain else (404, "text/html", "not found\n")


def _ends(client: Stream) -> tuple[Address, Address]:
    return client[1].get_extra_info("peername"), client[1].get_extra_info("sockname")


def _encoded(answer: Answer, *, keep: bool) -> bytes:
    status, kind, text = answer
    body = text.encode()
    fields = [
        ("Metadata-Flavor", "Google"),
        ("Server", "Metadata Server for Serverless"),
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Connection", "keep-alive" if keep else "close"),
    ]
    return Head(("HTTP/1.1", str(status), "OK" if status == 200 else "Refused"), fields).encode() + body
