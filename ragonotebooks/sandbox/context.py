"""What the parts of one sandbox's daemon share."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ragonotebooks.sandbox.authority import Authority
from ragonotebooks.sandbox.callers import Callers
from ragonotebooks.sandbox.faults import Faults
from ragonotebooks.sandbox.ledger import Ledger
from ragonotebooks.sandbox.state import State
from ragonotebooks.sandbox.watcher import Watcher

_T = TypeVar("_T")


@dataclass(frozen=True)
class Place:
    """Where a connection starts or ends in a network.

    Attributes:
        address: The private address inside of a VPC, or the public one outside.
        groups: The ids of the security groups around it; empty outside of a VPC.
        subnet: The subnet's id; None outside.
        vpc: The VPC's id; None outside.
        loopback: The address of this machine at which a task's own listeners are.
    """

    address: str
    groups: frozenset[str] = frozenset()
    subnet: str | None = None
    loopback: str | None = None
    vpc: str | None = None


@dataclass(frozen=True)
class Connection:
    """An attempt to connect, and what the network said to it.

    Attributes:
        source: Who connects.
        source_port: From which port.
        target: To whom.
        port: To which port.
        let_out: Whether the source's security groups let it go.
        let_in: Whether the target's security groups let it come.
    """

    source: Place
    source_port: int
    target: Place
    port: int
    let_out: bool
    let_in: bool

    @property
    def passes(self) -> bool:
        return self.let_out and self.let_in


@dataclass
class Context:
    """One daemon's shared parts.

    Attributes:
        state: Who this sandbox is: name, account, the operator's key.
        folder: The sandbox's folder.
        authority: Issues certificates.
        ledger: Where calls are written down.
        watcher: Ends processes when the daemon ends.
        callers: The running tasks.
        faults: The calls that a test wants refused.
        places: Where in a network each running task is.
        loop: The event loop that gateway and relays run on.
        lock: Held while a control plane answers; controllers hold it while they change what a control plane shows.
        changed: Waited on by calls that want to see a controller's result; notified after each change.
        events: Are told of every event that a controller announces, in EventBridge's form.
        connections: Are told of every connection that security groups judge.
        servers: Tell of the servers that run, as `status.Server`.
        parts: Controllers that others look up, by their class.
        workers: Threads for what takes longer than a call should.
    """

    state: State
    folder: Path
    authority: Authority
    ledger: Ledger
    watcher: Watcher
    callers: Callers
    loop: asyncio.AbstractEventLoop
    faults: Faults = field(default_factory=Faults)
    places: dict[str, Place] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    changed: threading.Condition = field(init=False)
    events: list[Callable[[dict[str, Any]], None]] = field(default_factory=list)
    connections: list[Callable[[Connection], None]] = field(default_factory=list)
    servers: list[Callable[[], Iterable[Any]]] = field(default_factory=list)
    parts: dict[type[Any], Any] = field(default_factory=dict)
    workers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16, thread_name_prefix="controller"))

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)

    def announce(self, source: str, kind: str, resources: list[str], detail: dict[str, Any]) -> None:
        """Tell all who listen that something happened.

        Args:
            source: `aws.ecs`.
            kind: `ECS Task State Change`.
            resources: ARNs.
            detail: What EventBridge's `detail` holds.
        """
        for listener in self.events:
            listener({"source": source, "detail-type": kind, "resources": resources, "detail": detail})

    def judged(self, connection: Connection) -> bool:
        """Tell all who listen of a connection, and return whether it passes."""
        for listener in self.connections:
            listener(connection)
        return connection.passes

    def part(self, kind: type[_T], make: Callable[[], _T]) -> _T:
        """Return this sandbox's controller of a kind; the first who asks has it made."""
        with self.lock:
            if kind not in self.parts:
                self.parts[kind] = make()
            part: _T = self.parts[kind]
            return part

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the event loop from another thread, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    def wait_until(self, settled: Callable[[], bool], seconds: float = 30.0) -> None:
        """Let go of the lock until `settled()` is true, at most `seconds`; the caller holds the lock."""
        self.changed.wait_for(settled, timeout=seconds)
