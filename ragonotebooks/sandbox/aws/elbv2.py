"""Application Load Balancers: moto keeps what was asked for, this controller has a process of its own balance the load.

The process is started with the first load balancer. It is told the whole whenever something has changed that it must know: rules,
targets, the security groups between it and them. Connections come in here, are judged, and are handed to it for good.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from ragonotebooks.sandbox.aws import elbv2_counts, elbv2_model, elbv2_reach, elbv2_told
from ragonotebooks.sandbox.aws.elbv2_health import Health, Key
from ragonotebooks.sandbox.aws.elbv2_reach import UnreachableError
from ragonotebooks.sandbox.callers import CallerGone
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.front import Front
from ragonotebooks.sandbox.gateway import GiveBack, Wanted
from ragonotebooks.sandbox.link import Link
from ragonotebooks.sandbox.parts.channel import Channel, Message
from ragonotebooks.sandbox.status import Server
from ragonotebooks.sandbox.streams import Stream, abandon, close

_HOSTS: Final = r"[a-z0-9-]+\.[a-z0-9-]+\.elb\.amazonaws\.com"
_SEND_SECONDS: Final = 5.0
# security groups change, and tasks come and go, without a call of this API
_LOOK_SECONDS: Final = 0.25
_RESTART_PAUSE: Final = 0.2


class LoadBalancers:
    """The controller, and the player of the load balancers' names.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._told: dict[str, Any] = {}
        self._health: dict[Key, Health] = {}
        self._draining: dict[Key, float] = {}
        self._links: dict[tuple[str, str, int], Link] = {}
        self._give_back: GiveBack | None = None

    def sync(self) -> None:
        """Tell the process what has changed, if anything. The caller holds the lock."""
        told = elbv2_told.world(self._context, self._draining)
        if self._channel is None and told["balancers"]:
            self._start()
        if self._channel and told != self._told:
            self._told = told
            self._link()
            self._send({"world": told})

    def health(self, group: str, target: str) -> Health | None:
        """Return what the checks have found of a target, None while they have found nothing."""
        return self._health.get((group, target))

    def draining(self, group: str) -> dict[str, dict[str, Any]]:
        """Return the targets of a group that were deregistered and have requests left, as the API describes them."""
        keys = [key for arn, key in self._draining if arn == group]
        return {key: {"Id": key.rpartition(":")[0], "Port": int(key.rpartition(":")[2])} for key in keys}

    def register(self, key: Key) -> None:
        """A target is new, or again in its group."""
        self._health.pop(key, None)
        self._draining.pop(key, None)

    def deregister(self, key: Key, seconds: float) -> None:
        """A target leaves its group when it has finished its requests, or when the time is over."""
        self._health.pop(key, None)
        if self._channel:
            self._draining[key] = seconds

    async def take(self, client: Stream, wanted: Wanted, give_back: GiveBack | None) -> str | None:
        """Hand a connection to the process, or tell why it must not pass to its load balancer."""
        peer, here = client[1].get_extra_info("peername"), client[1].get_extra_info("sockname")
        try:
            task = await asyncio.to_thread(self._context.callers.who, peer, here)
            where = (wanted.host, wanted.port, peer[1])
            balancer, source = await asyncio.to_thread(elbv2_reach.admit, self._context, task, *where)
        except UnreachableError as problem:
            return str(problem)
        except CallerGone:
            return "the caller has gone"
        client[1].write(wanted.greeting)
        await client[1].drain()
        place = wanted.host if wanted.port == 80 else f"{wanted.host}:{wanted.port}"
        accept = {
            "balancer": balancer,
            "port": wanted.port,
            "source": source,
            "host": place if wanted.head else None,
        }
        self._give_back = give_back or self._give_back
        data = wanted.head + await abandon(client)
        self._send({"accept": accept}, data, client[1].get_extra_info("socket"))
        # the process has the connection: this closes this end's hold on it
        client[1].transport.abort()
        return None

    def servers(self) -> Iterator[Server]:
        """Yield each listener, with the address at which this machine's browser reaches it."""
        with self._context.lock:
            links, process = dict(self._links), self._process
        for (arn, _, port), link in links.items():
            yield Server(
                service="elasticloadbalancing",
                id=f"{arn.split('/')[2]}:{port}",
                status="active",
                address=link.address[0],
                port=link.address[1],
                pid=process.pid if process else None,
                log=None,
            )

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "ragonotebooks.sandbox.parts.balancer", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self._context.watcher.add(self._process.pid, "server")
        ours.settimeout(_SEND_SECONDS)
        self._channel, self._told = Channel(ours), {}
        arguments = (self._channel, self._process)
        threading.Thread(target=self._listen, args=arguments, name="load balancers", daemon=True).start()

    def _listen(self, channel: Channel, process: subprocess.Popen[bytes]) -> None:
        """Hear what the process tells, and look for changes that nobody tells; start another process when it has died."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._follow(channel.receive(_LOOK_SECONDS))
        with self._context.changed:
            self._channel = None
            self._health.clear()
            self._draining.clear()
            self._context.changed.notify_all()
        channel.close()
        process.kill()
        process.wait()
        time.sleep(_RESTART_PAUSE)
        self._context.watcher.remove(process.pid)
        with self._context.lock:
            self.sync()

    def _follow(self, messages: list[Message]) -> None:
        with self._context.changed:
            try:
                for message, data, connection in messages:
                    self._hear(message, data, connection)
                self.sync()
            except Exception:
                # without this thread no target would be found healthy any more
                traceback.print_exc()

    def _send(self, message: dict[str, Any], data: bytes = b"", connection: socket.socket | None = None) -> None:
        # the next process is told everything that one which has died was not
        with contextlib.suppress(OSError):
            if self._channel:
                self._channel.send(message, data, connection)

    def _hear(self, message: dict[str, Any], data: bytes, connection: socket.socket | None) -> None:
        if connection is not None and self._give_back:
            self._give_back(connection, data)
        elif "health" in message:
            group, target, *health = message["health"]
            self._health[group, target] = Health(*health)
            self._context.changed.notify_all()
        elif "drained" in message:
            group, target = message["drained"]
            self._draining.pop((group, target), None)
            self._context.changed.notify_all()
        elif "counts" in message:
            elbv2_counts.put(self._context, message["counts"], self._health)

    def _link(self) -> None:
        """Listen on an address of this machine for each listener."""
        wanted = {
            (str(listener.arn), str(balancer.dns_name), int(listener.port))
            for _, backend in elbv2_told.backends()
            for balancer in backend.load_balancers.values()
            for listener in balancer.listeners.values()
        }
        for place in self._links.keys() - wanted:
            self._links.pop(place).close()
        for place in wanted - self._links.keys():
            taken = Wanted(host=place[1], port=place[2], head=b"", greeting=b"")
            self._links[place] = Link(self._context.loop, partial(self._enter, taken))

    async def _enter(self, wanted: Wanted, client: Stream) -> None:
        if await self.take(client, wanted, None):
            close(client[1])


def install(context: Context, front: Front) -> LoadBalancers:
    """Put the controller behind moto's ELBv2, let it play the load balancers' names, and return it."""
    balancers = LoadBalancers(context)
    elbv2_model.install(context, balancers)
    front.play_whole(_HOSTS, balancers)
    return balancers
