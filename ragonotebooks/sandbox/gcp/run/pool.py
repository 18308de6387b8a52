"""The instances of one revision: started when requests need them, kept while they are wanted, ended when idle.

Everything here runs on the event loop; what blocks runs on threads. Idle instances end after seconds instead of minutes, so that
scaling to zero can be seen; Cloud Run may end them at any time. Source: Cloud Run, "About instance autoscaling", read 2026-11.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from ragonotebooks.sandbox.gcp.run.failures import StartFailure
from ragonotebooks.sandbox.gcp.run.instance import Host, Instance, Plan
from ragonotebooks.sandbox.gcp.run.probe import Liveness, Probe

_IDLE_SECONDS: Final = 10.0
_QUEUE_SECONDS: Final = 10.0
_NEWS_SECONDS: Final = 10.0
_LONGEST_PAUSE: Final = 10.0  # seconds between two starts of an instance that always fails


class TooBusyError(Exception):
    """All instances that there may be are at work, and stay so."""


@dataclass(eq=False)
class Seat:
    """An instance in its pool.

    Attributes:
        instance: The instance.
        ready: Whether it may be asked.
        busy: How many requests it has.
        idle_since: When it had its last request, on the loop's clock.
    """

    instance: Instance
    ready: bool = False
    busy: int = 0
    idle_since: float = 0.0


@dataclass
class Limits:
    """How many instances there may be, and how many requests one takes at once.

    Attributes:
        least: The fewest instances.
        most: The most instances.
        concurrency: The most requests of one instance.
    """

    least: int = 0
    most: int = 100
    concurrency: int = 80


@dataclass(eq=False)
class Pool:
    """The instances of a revision.

    Attributes:
        host: What all instances share.
        plan: What each instance is to be.
        probe: Tells when an instance may be asked.
        limits: How many there may be; `resize` changes them.
        liveness: Tells when an instance is no good any more, None for one that nobody asks.
    """

    host: Host
    plan: Plan
    probe: Probe
    limits: Limits
    liveness: Liveness | None = None
    _seats: list[Seat] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _waiting: int = 0
    _failures: int = 0
    _failure: StartFailure | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _closed: bool = False

    @property
    def seats(self) -> list[Seat]:
        """The instances that there are now."""
        return list(self._seats)

    async def prove(self) -> None:
        """Return when an instance is ready.

        Raises:
            StartFailure: It does not become so.
        """
        if any(seat.ready for seat in self._seats):
            return
        await self._start(self._new_seat())
        self._leave_idle()

    async def acquire(self) -> Seat:
        """Return an instance that takes one more request; it has it from now on.

        Raises:
            StartFailure: None could be started.
            TooBusyError: There is none for too long.
        """
        failures, deadline = self._failures, asyncio.get_running_loop().time() + _QUEUE_SECONDS
        self._waiting += 1
        try:
            while True:
                if free := [seat for seat in self._seats if seat.ready and seat.busy < self.limits.concurrency]:
                    seat = min(free, key=lambda one: one.busy)
                    seat.busy += 1
                    return seat
                if self._failures > failures and self._failure and not self._seats:
                    raise self._failure
                starting = [seat for seat in self._seats if not seat.ready]
                if len(self._seats) < self.limits.most and len(starting) * self.limits.concurrency < self._waiting:
                    self._begin(self._start(self._new_seat()))
                await self._wait(None if starting or len(self._seats) < self.limits.most else deadline)
        finally:
            self._waiting -= 1

    async def release(self, seat: Seat) -> None:
        """A request of an instance has been answered."""
        seat.busy -= 1
        seat.idle_since = asyncio.get_running_loop().time()
        if seat.busy == 0:
            self._leave_idle()
        await self._notify()

    async def has_lost(self, seat: Seat) -> bool:
        """Whether an instance at which nobody listens has ended, of which the word may still be on its way."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_NEWS_SECONDS), self._changed:
                await self._changed.wait_for(lambda: seat not in self._seats)
        return seat not in self._seats

    async def resize(self, limits: Limits) -> None:
        """From now on there may be another number of instances."""
        self.limits = limits
        self._fill()
        self._reap()
        await self._notify()

    async def close(self) -> None:
        """End all instances, those at work when they have answered or have had some time."""
        self._closed, self.limits = True, Limits(0, 0, self.limits.concurrency)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_QUEUE_SECONDS), self._changed:
                await self._changed.wait_for(lambda: all(seat.busy == 0 for seat in self._seats))
        await asyncio.gather(*(self._end(seat) for seat in self.seats))

    def _new_seat(self) -> Seat:
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.call_soon_threadsafe(self._lost, seat)

        seat = Seat(Instance(self.host, self.plan, ended))
        self._seats.append(seat)
        return seat

    async def _start(self, seat: Seat) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self.host.threads, seat.instance.start)
            await self.probe.wait(seat.instance)
            if self._closed:
                raise StartFailure("The revision has been deleted.", "")
        except StartFailure as failure:
            self._failures, self._failure = self._failures + 1, failure
            await self._end(seat)
            raise
        seat.ready, seat.idle_since = True, loop.time()
        self._failures = 0
        await self._notify()
        if self.liveness:
            self._begin(self._watch(seat, self.liveness))

    async def _watch(self, seat: Seat, liveness: Liveness) -> None:
        """End an instance that does not answer any more; it is replaced as one that has ended by itself."""
        if await liveness.fails(seat.instance):
            why = "The instance did not pass its liveness probe and is terminated."
            await asyncio.get_running_loop().run_in_executor(self.host.threads, seat.instance.give_up, why)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            try:
                await work
            except StartFailure:
                self._fill_later()  # those who wait for it see why
            self._leave_idle()

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fill(self) -> None:
        """Start as many instances as there must be."""
        if not self._closed:
            for _ in range(self.limits.least - len(self._seats)):
                self._begin(self._start(self._new_seat()))

    def _lost(self, seat: Seat) -> None:
        """An instance has ended; one that nobody ended is replaced when there are too few."""
        if seat in self._seats and seat.ready:
            self._seats.remove(seat)
            self._failures += 1
            self._begin(self._notify())
        self._fill_later()

    def _fill_later(self) -> None:
        if len(self._seats) < self.limits.least:
            pause = min(0.1 * 2 ** min(self._failures, 10), _LONGEST_PAUSE)
            asyncio.get_running_loop().call_later(pause, self._fill)

    def _leave_idle(self) -> None:
        asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._reap)

    def _reap(self) -> None:
        """End what has been idle for long enough, and what is too much."""
        now = asyncio.get_running_loop().time()
        for seat in self.seats:
            idle = seat.ready and seat.busy == 0
            tired = idle and now - seat.idle_since >= _IDLE_SECONDS and len(self._seats) > self.limits.least
            if tired or (idle and len(self._seats) > self.limits.most):
                self._seats.remove(seat)
                self._begin(self._end(seat))

    async def _end(self, seat: Seat) -> None:
        if seat in self._seats:
            self._seats.remove(seat)
        await asyncio.get_running_loop().run_in_executor(self.host.threads, seat.instance.stop)
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait(self, deadline: float | None) -> None:
        """Wait for a change, until a time of the loop's clock."""
        seconds = None if deadline is None else deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait()
        except TimeoutError:
            raise TooBusyError from None
