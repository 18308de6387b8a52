"""The front end of Cloud Run: plays `*.run.app`, lets in whom policies let, and hands requests to instances."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from google.cloud.run_v2 import types

from ragonotebooks.sandbox.callers import CallerGone
from ragonotebooks.sandbox.front import OPERATOR_ADDRESS
from ragonotebooks.sandbox.gateway import GiveBack, Wanted
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.identity import caller_of
from ragonotebooks.sandbox.gcp.run import HOST, answers, requests_log
from ragonotebooks.sandbox.gcp.run.exchange import Exchange, InstanceError, UnreachableError
from ragonotebooks.sandbox.gcp.run.failures import StartFailure
from ragonotebooks.sandbox.gcp.run.instance import Host
from ragonotebooks.sandbox.gcp.run.pool import Pool, TooBusyError
from ragonotebooks.sandbox.gcp.run.revisions import Revisions
from ragonotebooks.sandbox.link import Link
from ragonotebooks.sandbox.parts.balancer import http1
from ragonotebooks.sandbox.parts.balancer.http1 import BadMessageError, Head
from ragonotebooks.sandbox.parts.balancer.passing import Request, understand
from ragonotebooks.sandbox.status import Server
from ragonotebooks.sandbox.streams import Stream, close, no_delay, quick_ack

_URL: Final = re.compile(
    r"(?:(?P<tag>[a-z0-9-]+)---)?(?P<name>[a-z0-9-]+)-(?P<number>\d+)\.(?P<region>[a-z0-9-]+)\.run\.app"
)
_INVOKE: Final = "run.routes.invoke"
_IDLE_SECONDS: Final = 600.0
_LARGEST: Final = 32 * 1024**2  # bytes of a request over HTTP/1; Cloud Run, "Quotas and limits", read 2026-11
_INTERNAL: Final[Any] = (
    types.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY,
    types.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER,
)


class RefusedError(Exception):
    """A request that Cloud Run answers itself.

    Args:
        status: The HTTP status.
        text: What is said to a person.
        unread: Whether nothing of the request's body has been read.
    """

    def __init__(self, status: int, text: str = "", *, unread: bool = True) -> None:
        super().__init__(text)
        self.status, self.text, self.unread = status, text, unread


@dataclass(frozen=True)
class Target:
    """Who answers a request.

    Attributes:
        revision: Its name in full.
        pool: Its instances.
        timeout: How long an answer may take, in seconds.
        verified: Whether the caller had to show who it is.
    """

    revision: str
    pool: Pool
    timeout: float
    verified: bool


class Gate:
    """One for all services of a sandbox.

    Args:
        host: What all instances share.
        revisions: Keeps revisions.
    """

    def __init__(self, host: Host, revisions: Revisions) -> None:
        self._host, self._revisions = host, revisions
        # the lock is not for the event loop to wait for
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="run gate")
        self._links: dict[str, Link] = {}

    @property
    def _cloud(self) -> Cloud:
        return self._host.cloud

    async def take(self, client: Stream, wanted: Wanted, give_back: GiveBack) -> str | None:
        """Serve a connection to its end, or tell why it must not pass."""
        client[1].transport.resume_reading()  # type: ignore[attr-defined]  # a socket's transport can
        ends = client[1].get_extra_info("peername"), client[1].get_extra_info("sockname")
        try:
            caller = await self._off_loop(self._cloud.context.callers.who, *ends)
        except CallerGone:
            return "the caller has gone"
        if caller and (reason := await self._off_loop(self._host.verdict, caller, wanted.host)):
            return str(reason)
        if wanted.head:
            target = wanted.head.split(b" ", 2)[1].decode("latin-1")
            client[1].write(answers.to_https(target))
            await client[1].drain()
            close(client[1])
            return None
        client[1].write(wanted.greeting)
        await client[1].drain()
        try:
            await client[1].start_tls(self._cloud.context.authority.server_context(wanted.host, ()))
            no_delay(client[1])
        except OSError:
            close(client[1])
        else:
            await self._serve(client, wanted.host, caller)
        return None

    def link(self, service: Any) -> None:
        """Let this machine's browser reach a service, whose names it does not know."""
        host = service.uri.partition("://")[2]

        async def serve(client: Stream) -> None:
            client[1].transport.resume_reading()  # type: ignore[attr-defined]  # a socket's transport can
            await self._serve(client, host, None)

        self._links[service.name] = Link(self._cloud.context.loop, serve)

    def unlink(self, service: Any) -> None:
        """Undo `link`."""
        self._links.pop(service.name).close()

    def servers(self) -> Iterator[Server]:
        """The services, with the addresses at which this machine's browser reaches them, and their instances."""
        with self._cloud.context.lock:
            links, running = dict(self._links), list(self._host.running.values())
        for name, link in links.items():
            yield Server("run", name.rpartition("/")[2], "ready", *link.address, None, None)
        for instance in running:
            short = instance.plan.owner.split("/")[5]
            yield Server("run", f"{short}/{instance.id[:8]}", "running", instance.address, None, instance.pid, None)

    async def _serve(self, client: Stream, host: str, caller: str | None) -> None:
        try:
            while await self._next(client, host, caller):
                quick_ack(client[1])
        except (OSError, EOFError, TimeoutError, BadMessageError):
            pass  # the client has gone, or sends what cannot be answered any more
        finally:
            close(client[1])

    async def _next(self, client: Stream, host: str, caller: str | None) -> bool:
        """Answer a request; return whether there may be another one."""
        async with asyncio.timeout(_IDLE_SECONDS):
            head = await http1.read_request(client[0])
        source = self._address(caller)
        try:
            request = understand(head, source)
        except BadMessageError:
            client[1].write(answers.problem(400, "", None))
            await client[1].drain()
            return False
        log = requests_log.RequestLog(self._cloud, request, host)
        revision = ""
        try:
            target = await self._off_loop(self._target, request, host, caller)
            revision = target.revision.rpartition("/")[2]
            keep = await self._ask(client, request, target, log)
        except RefusedError as refusal:
            keep = await self._say(client, request, refusal, log)
        if service := self._name(host)[0]:
            self._threads.submit(log.write, service, revision)
        return keep

    async def _ask(self, client: Stream, request: Request, target: Target, log: requests_log.RequestLog) -> bool:
        try:
            while (keep := await self._ask_one(client, request, target, log)) is None:
                pass  # another one is asked, which may have to start
            return keep
        except StartFailure as failure:
            text = f"The request failed because no instance of the revision could be started: {failure}"
            raise RefusedError(503, text) from failure
        except TooBusyError:
            raise RefusedError(429, "The request was aborted because there was no available instance.") from None
        except InstanceError as problem:
            raise RefusedError(problem.status, str(problem), unread=False) from problem

    async def _ask_one(
        self, client: Stream, request: Request, target: Target, log: requests_log.RequestLog
    ) -> bool | None:
        """Ask an instance; None when it turns out to have ended before it saw anything of the request."""
        seat = await target.pool.acquire()
        place = seat.instance.address, target.pool.probe.wanted
        exchange = Exchange(place, request, client, target.timeout, unsigned=target.verified)
        try:
            keep = await exchange.run(log.trace)
        except UnreachableError:
            if await target.pool.has_lost(seat):
                return None
            raise
        finally:
            await target.pool.release(seat)
        log.answered(exchange.status, exchange.sent, seat.instance.id)
        return keep

    async def _say(self, client: Stream, request: Request, refusal: RefusedError, log: requests_log.RequestLog) -> bool:
        # a client that still sends hears nothing; and what is left of a body would be taken for the next request
        if refusal.unread:
            async for _ in http1.pieces(client[0], request.framing):
                pass
        keep = request.keep and (refusal.unread or request.framing == 0)
        text = answers.problem(refusal.status, refusal.text, request if keep else None)
        client[1].write(text)
        await client[1].drain()
        log.answered(refusal.status, len(text), "", refusal.text)
        return keep

    def _target(self, request: Request, host: str, caller: str | None) -> Target:
        """Find who answers, whether the caller may ask, and which revision's turn it is."""
        if isinstance(request.framing, int) and request.framing > _LARGEST:
            raise RefusedError(413)
        with self._cloud.context.lock:
            name, tag = self._name(host)
            service = self._cloud.store.find(HOST, name)
            if service is None or service.default_uri_disabled:
                raise RefusedError(404)
            if service.ingress in _INTERNAL and not self._is_inside(caller):
                raise RefusedError(404)
            verified = self._admit(service, request.head)
            statuses = [one for one in service.traffic_statuses if one.tag == tag or not tag]
            if not statuses:
                raise RefusedError(404 if tag else 503, "The service has no revision that is ready to serve.")
            weights = [1 if tag else one.percent for one in statuses]
            chosen = random.choices(statuses, weights)[0]
            name = f"{service.name}/revisions/{chosen.revision}"
            revision, pool = self._cloud.store.get(HOST, name), self._revisions.pool(name)
            assert pool is not None
            return Target(name, pool, revision.timeout.ToTimedelta().total_seconds(), verified)

    def _name(self, host: str) -> tuple[str, str]:
        """The service that a host means, by its name in full, and a tag; empty when it is none of this project."""
        found, project = _URL.fullmatch(host), self._cloud.project
        if found is None or found["number"] != project.number:
            return "", ""
        return f"{project.name}/locations/{found['region']}/services/{found['name']}", found["tag"] or ""

    def _is_inside(self, caller: str | None) -> bool:
        """Whether a call comes by way of a VPC network of the project."""
        instance = self._host.running.get(caller or "")
        place = self._cloud.context.places.get(caller or "")
        return bool(instance and place and place.vpc is not None and instance.sends_everything_through_the_network)

    def _admit(self, service: Any, head: Head) -> bool:
        """Let a caller in; return whether it had to show who it is."""
        policies = self._cloud.policies
        if service.invoker_iam_disabled or policies.allows(None, _INVOKE, HOST, service.name):
            return False
        given = head.get("x-serverless-authorization") or head.get("authorization") or ""
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer":
            raise RefusedError(403, f"Your client does not have permission to get URL {head.line[1]} from this server.")
        email = self._cloud.keys.identity_of(token)
        caller = caller_of(email) if email else None
        if caller is None or not self._is_for(service, token, caller.kind):
            raise RefusedError(401, "The access token could not be verified")
        if not policies.allows(caller, _INVOKE, HOST, service.name):
            raise RefusedError(403, f"Your client does not have permission to get URL {head.line[1]} from this server.")
        return True

    def _is_for(self, service: Any, token: str, kind: str) -> bool:
        """Whether an identity token is meant for a service; a person's is for any."""
        tagged = [status.uri for status in service.traffic_statuses if status.uri]
        audiences = [*service.urls, *tagged, *service.custom_audiences]
        return kind == "user" or any(self._cloud.keys.identity_of(token, audience) for audience in audiences)

    def _address(self, caller: str | None) -> str:
        place = self._cloud.context.places.get(caller or "")
        return place.address if place else OPERATOR_ADDRESS

    async def _off_loop(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
