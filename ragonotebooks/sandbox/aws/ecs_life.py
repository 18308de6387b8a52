"""The life of a task: from the call of RunTask until it has stopped, each state shown only when it is true."""

import random
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Final

from moto.ec2.models import ec2_backends

from ragonotebooks.sandbox.aws import ecs_targets
from ragonotebooks.sandbox.aws.ecs_agent import Agent, StartFailure
from ragonotebooks.sandbox.aws.ecs_endpoints import Endpoints
from ragonotebooks.sandbox.aws.ecs_events import announce_task
from ragonotebooks.sandbox.aws.ecs_health import HealthCheck, Monitor, passes, read_health_check
from ragonotebooks.sandbox.aws.ecs_model import Container, Task, now
from ragonotebooks.sandbox.aws.logs import Event, LogDelivery
from ragonotebooks.sandbox.client import environment
from ragonotebooks.sandbox.context import Context, Place
from ragonotebooks.sandbox.parts import inside
from ragonotebooks.sandbox.parts.task import (
    CannotStart,
    ImageStore,
    Program,
    TaskProcess,
    Unpacked,
    bare_python,
    program_of,
)
from ragonotebooks.sandbox.status import Server

_LOOK_AGAIN: Final = 0.1  # seconds
_STOP_TIMEOUT: Final = 30  # seconds; Amazon ECS developer guide, stopTimeout, read 2026-11
_NOT_FOR_TASKS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "RAGONOTEBOOKS_SANDBOX")


@dataclass
class _Part:
    """What a container becomes."""

    container: Container
    described: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)
    put: Callable[[list[Event]], None] | None = None
    process: TaskProcess | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def stop_timeout(self) -> float:
        return float(self.described.get("stopTimeout") or _STOP_TIMEOUT)


class Life:
    """One task's life, in a thread of its own.

    Args:
        context: The daemon's shared parts.
        images: Where images are unpacked.
        endpoints: What tasks find at the gateway's address.
        task: A task that was just made.

    Attributes:
        task: The task.
    """

    def __init__(self, context: Context, images: ImageStore, endpoints: Endpoints, task: Task) -> None:
        self._context, self._endpoints, self.task = context, endpoints, task
        self._place = _place(task.interface, taken={place.loopback for place in context.places.values()})
        self._agent = Agent(context, images, task, self._place)
        definitions = task.definition.container_definitions
        self._parts = [_Part(*pair) for pair in zip(task.containers, definitions, strict=True)]
        self._over = threading.Event()
        self._folder = context.folder / "tasks" / task.id

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._live, name=f"task {self.task.id}", daemon=True).start()

    def stop(self, code: str, reason: str) -> None:
        """Let the task end, for this reason unless there is an earlier one."""
        with self._context.changed:
            task = self.task
            if task.stop_code is None:
                task.desired_status, task.stop_code, task.stopped_reason = "STOPPED", code, reason
                task.stopping_at = now()
                self._context.changed.notify_all()
        self._over.set()

    def server(self) -> Server:
        """The task as `sandbox status` shows it, at its first port."""
        task = self.task
        ports = [port["containerPort"] for part in self._parts for port in part.described["portMappings"]]
        pids = [part.process.pid for part in self._parts if part.process and not part.ended.is_set()]
        return Server(
            service="ecs",
            id=f"{task.group.rpartition(':')[2]}/{task.id}",
            status=task.last_status,
            address=self._place.loopback if ports else None,
            port=next(iter(ports), None),
            pid=next(iter(pids), None),
            log=None,
        )

    def _live(self) -> None:
        try:
            self._start()
            self._over.wait()
            self._leave()
        except StartFailure as failure:
            self.stop("TaskFailedToStart", str(failure))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.stop("TaskFailedToStart", f"InternalError: the sandbox failed: {error}")
        self._end_processes()
        self._show("DEPROVISIONING", execution_stopped_at=now())
        self._clear_away()
        self._show("STOPPED", stopped_at=now(), connectivity=None, connectivity_at=None)

    def _start(self) -> None:
        self._show("PENDING", pull_started_at=now())
        for part in self._parts:
            wanted = part.described.get("secrets") or []
            part.secrets = {one["name"]: self._agent.secret(one["valueFrom"]) for one in wanted}
        images = [self._pull(part.container) for part in self._parts]
        self._show("PENDING", pull_stopped_at=now())
        for part in self._parts:
            if log := part.described.get("logConfiguration"):
                part.put = self._agent.open_log(log["options"], part.container.name)
        if self._over.is_set():
            return
        self._context.places[self.task.task_arn] = self._place
        for part, image in zip(self._parts, images, strict=True):
            self._run(part, image)
        self._join()
        self._show("RUNNING", started_at=now(), connectivity="CONNECTED", connectivity_at=now())

    def _pull(self, container: Container) -> Unpacked:
        try:
            container.image_digest, image = self._agent.image(container.image)
        except StartFailure as failure:
            container.reason = str(failure)
            raise
        return image

    def _run(self, part: _Part, image: Unpacked) -> None:
        variables = self._environment(part)
        command = self.task.override(part.container.name).get("command") or part.described.get("command")
        try:
            program = self._program(part, image, variables, part.described.get("entryPoint"), command)
            part.process = self._process(program, wants_output=part.put is not None)
        except CannotStart as error:
            prefix = "CannotStartContainerError: ResourceInitializationError: unable to create new container"
            part.container.reason = f"{prefix}: {error}"
            raise StartFailure(part.container.reason) from error
        part.container.runtime_id = f"{self.task.id}-{part.process.pid}"
        name = f"watch {self.task.id}"
        threading.Thread(target=self._watch, args=(part, part.process), name=name, daemon=True).start()
        if check := read_health_check(part.described):
            self._monitor(part, check, lambda: self._process(self._program(part, image, variables, check.words, None)))

    def _monitor(self, part: _Part, check: HealthCheck, start: Callable[[], TaskProcess]) -> None:
        show = partial(self._show_health, part.container)
        Monitor(check, lambda: passes(start, check.timeout), part.ended, show).start()

    def _program(
        self,
        part: _Part,
        image: Unpacked,
        variables: dict[str, str],
        entrypoint: list[str] | None,
        command: list[str] | None,
    ) -> Program:
        python, folder = bare_python(self._context.folder), part.described.get("workingDirectory")
        return program_of(image, python, variables, entrypoint, command, folder)

    def _process(self, program: Program, *, wants_output: bool = False) -> TaskProcess:
        context = self._context
        return TaskProcess(program, self.task.task_arn, context.callers, context.watcher, wants_output=wants_output)

    def _environment(self, part: _Part) -> dict[str, str]:
        """All variables of a container but those of its image."""
        overrides = self.task.override(part.container.name).get("environment") or []
        scratch = self._folder / part.container.name
        scratch.mkdir(parents=True)
        sandbox = environment(self._context.state, self.task.region)
        return {
            "LANG": "C.UTF-8",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            inside.VARIABLE: str(self._place.loopback),
            **{name: value for name, value in sandbox.items() if name not in _NOT_FOR_TASKS},
            **self._endpoints.open(self.task, part.container),
            **{one["name"]: one["value"] for one in [*(part.described.get("environment") or []), *overrides]},
            **part.secrets,
        }

    def _watch(self, part: _Part, process: TaskProcess) -> None:
        """Deliver a container's output and wait for its end; with an essential one the task is over."""
        delivery = LogDelivery(process.output, part.put) if process.output and part.put else None
        if delivery:
            delivery.start()
        code = process.wait()
        if part.container.essential:
            # first of all, so that load balancers send no more requests
            self.stop("EssentialContainerExited", "Essential container in task exited")
        if delivery:
            delivery.join()
        with self._context.lock:
            part.container.exit_code, part.container.last_status = code, "STOPPED"
        part.ended.set()

    def _show_health(self, container: Container, status: str) -> None:
        with self._context.changed:
            container.health_status = status
            self.task.version += 1
            self._context.changed.notify_all()

    def _join(self) -> None:
        """Let the load balancers know the task."""
        if self.task.load_balancers:
            self._show("ACTIVATING")
            with self._context.lock:
                for group in ecs_targets.register(self.task):
                    self.task.note(f"registered 1 targets in (target-group {group}).")

    def _leave(self) -> None:
        """Let the load balancers send no more requests, and let those be answered that are under way."""
        if not self.task.load_balancers or self.task.started_at is None:
            return
        self._show("DEACTIVATING")
        with self._context.changed:
            for group in ecs_targets.deregister(self.task):
                self.task.note(f"deregistered 1 targets in (target-group {group}).")
            deadline = time.monotonic() + ecs_targets.patience(self.task)
            while self._answers() and time.monotonic() < deadline:
                self._context.changed.wait(_LOOK_AGAIN)

    def _answers(self) -> bool:
        """Whether the task still answers requests that came before it was to leave."""
        alive = all(part.process and not part.ended.is_set() for part in self._parts if part.container.essential)
        return alive and any(place.state == "draining" for place in ecs_targets.places(self.task))

    def _end_processes(self) -> None:
        """Ask all programs to end, and end those that do not in their time."""
        running = [(part, part.process) for part in self._parts if part.process]
        if any(not part.ended.is_set() for part, _ in running):
            self._show("STOPPING")
        for _, process in running:
            process.terminate()
        started = time.monotonic()
        for part, process in running:
            if not part.ended.wait(max(0.0, started + part.stop_timeout - time.monotonic())):
                process.kill()
                part.ended.wait()

    def _clear_away(self) -> None:
        task = self.task
        self._endpoints.close(task)
        shutil.rmtree(self._folder, ignore_errors=True)
        with self._context.lock:
            self._context.places.pop(task.task_arn, None)
            ec2_backends[self._context.state.account][task.region].enis.pop(task.interface.id, None)
            task.attachments[0]["status"] = "DELETED"

    def _show(self, status: str, **attributes: Any) -> None:
        """Show the next state, and let those know who wait for it."""
        with self._context.changed:
            self.task.last_status = status
            self.task.version += 1
            for name, value in attributes.items():
                setattr(self.task, name, value)
            for container in self.task.containers:
                if status in ("RUNNING", "STOPPED") and container.exit_code is None:
                    container.last_status = status
            announce_task(self._context, self.task)
            self._context.changed.notify_all()


def _place(interface: Any, taken: set[str | None]) -> Place:
    """Return where a task with this network interface is, with a loopback address that no other task has."""
    subnet, groups = interface.subnet, frozenset(group.id for group in interface.group_set)
    addresses = (f"127.{random.randint(128, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}" for _ in count())
    own = next(address for address in addresses if address not in taken)
    return Place(interface.private_ip_address, groups, subnet.id, own, subnet.vpc_id)
