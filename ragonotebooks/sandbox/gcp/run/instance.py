"""An instance: the process of one container, from the image to its end, with its identity, network, secrets and log."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

from google.cloud.logging_v2 import types as logging_types

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws.logs import LogDelivery
from ragonotebooks.sandbox.context import Place
from ragonotebooks.sandbox.gcp.acting import call_as
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute import places
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.logs.lines import entry_of
from ragonotebooks.sandbox.gcp.run.failures import StartFailure
from ragonotebooks.sandbox.gcp.run.metadata import Identity, MetadataServer
from ragonotebooks.sandbox.gcp.run.surroundings import PUBLIC, free_address, variables
from ragonotebooks.sandbox.gcp.run.template import ARTIFACTS, SECRETS, secret_denied, secret_version
from ragonotebooks.sandbox.parts.task import (
    CannotStart,
    ImageStore,
    TaskProcess,
    Unpacked,
    bare_python,
    program_of,
)

LOGGING: Final = "logging.googleapis.com"

_GRACE: Final = 10.0  # seconds from SIGTERM to SIGKILL; Cloud Run, "Container runtime contract", read 2026-11
_KEPT_LINES: Final = 5
_THREADS: Final = 8


@dataclass(frozen=True)
class Plan:
    """What an instance is to be.

    Attributes:
        owner: The name in full of what it runs for: a task or a revision.
        template: The template, or whatever has its fields: containers, volumes, service account, network.
        image: The image, by digest.
        variables: What the platform sets besides the template's.
        resource: Type and labels of the monitored resource that its log is of.
        labels: Of each log entry.
    """

    owner: str
    template: Any
    digest: str
    variables: Mapping[str, str]
    resource: tuple[str, Mapping[str, str]]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def container(self) -> Any:
        """Its container."""
        return self.template.containers[0]

    @property
    def region(self) -> str:
        """Its region."""
        return self.owner.split("/")[3]


class Host:
    """What all instances of a sandbox share.

    Args:
        cloud: The cloud.

    Attributes:
        cloud: The cloud.
        images: Where images are unpacked.
        metadata: Tells instances who they are.
        running: The instances that have a process, by name.
        threads: On which instances are started and ended.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.images = ImageStore(cloud.context.folder / "run-images")
        self.metadata = MetadataServer(cloud)
        self.running: dict[str, Instance] = {}
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="instances")

    def verdict(self, name: str, host: str) -> str | None:
        """Return why the network of an instance, or of a step of a build, does not lead to a host, None when it does."""
        place = self.cloud.context.places.get(name)
        if place is not None and place.vpc is None:
            return None
        instance = self.running.get(name)
        if instance is None or place is None:
            return f"the instance {name} has left the network"
        if not instance.sends_everything_through_the_network:
            return None
        with self.cloud.context.lock:
            return places.reaches_google(self.cloud, place)


class Instance:
    """One instance.

    Args:
        host: What all share.
        plan: What it is to be.
        on_end: Is called when it has ended.

    Attributes:
        id: Its id.
        name: As the daemon knows it among its callers.
        last_lines: The last lines that it wrote.
        ended: Set when its process has ended and its log is delivered.
        code: The exit code, once it has ended.
    """

    def __init__(self, host: Host, plan: Plan, on_end: Callable[[], None] = lambda: None) -> None:
        self._host, self.plan, self._on_end = host, plan, on_end
        self.id = uuid.uuid4().hex
        self.name = f"//run.googleapis.com/{plan.owner}/instances/{self.id}"
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.ended = threading.Event()
        self.code: int | None = None
        self._process: TaskProcess | None = None
        self._folder = host.cloud.context.folder / "run" / self.id[:12]
        self._place = Place(PUBLIC)

    @property
    def address(self) -> str:
        """The loopback address at which its listeners are."""
        return str(self._place.loopback)

    @property
    def pid(self) -> int | None:
        """Its process, None when it has none."""
        return self._process.pid if self._process and not self.ended.is_set() else None

    @property
    def sends_everything_through_the_network(self) -> bool:
        """Whether its VPC network carries also what is not for private addresses."""
        access = self.plan.template.vpc_access
        return bool(access.egress == type(access).ALL_TRAFFIC)

    def start(self) -> None:
        """Start it, and return when its process runs.

        Raises:
            StartFailure: It cannot start.
        """
        try:
            self._start()
        except StartFailure:
            self._clear_away()
            raise

    def stop(self, grace: float = _GRACE) -> None:
        """Ask it to end, end it when it does not, and return when it has ended."""
        if self._process is None:
            return
        if not self.ended.is_set():
            self._process.terminate()
            if not self.ended.wait(grace):
                self._process.kill()
        self.ended.wait()

    def give_up(self, why: str) -> None:
        """End it without asking, and say so in its log."""
        self.note(why, 500)
        if self._process is not None:
            self._process.kill()

    def note(self, text: str, severity: int) -> None:
        """Write a word of the platform's own to its log."""
        entry = logging_types.LogEntry.pb(logging_types.LogEntry(text_payload=text, severity=severity))
        self._write("varlog%2Fsystem", entry)

    def _start(self) -> None:
        context, plan = self._host.cloud.context, self.plan
        image = self._image()
        secrets = self._secrets()
        mounts = self._mounts()
        with context.lock:
            self._place = self._find_place()
            context.places[self.name] = self._place
        email = plan.template.service_account
        at = self._host.metadata.open(self.name, Identity(self.id, plan.region, email), self.address)
        container = plan.container
        try:
            program = program_of(
                replace(image, mounts=mounts),
                bare_python(context.folder),
                {**self._environment(at), **secrets},
                list(container.command),
                list(container.args),
                container.working_dir or None,
            )
            self._process = TaskProcess(
                program, self.name, context.callers, context.watcher, wants_output=True, errors_apart=True
            )
        except CannotStart as error:
            text = f"Application failed to start: failed to run the container's command: {error}"
            raise StartFailure(text, "HEALTH_CHECK_CONTAINER_ERROR") from error
        self._host.running[self.name] = self
        process = self._process
        logs = [self._deliver("stdout", process.output), self._deliver("stderr", process.errors)]
        threading.Thread(target=self._watch, args=(process, logs), name=f"watch {self.id}", daemon=True).start()

    def _image(self) -> Unpacked:
        reference, digest = self.plan.container.image, self.plan.digest
        if here := self._host.images.find(digest):
            return here
        registry: Any = self._host.cloud.service(ARTIFACTS)
        try:
            with self._host.cloud.context.lock:
                image = registry.image(reference, digest)
            return self._host.images.add(digest, image)
        except (ApiError, RagonotebooksError) as error:
            raise StartFailure(f"The image {reference}@{digest} cannot be had: {error}", "CONTAINER_MISSING") from error

    def _secrets(self) -> dict[str, str]:
        """The variables that hold secrets."""
        found = {}
        for variable in self.plan.container.env:
            if variable.value_source.secret_key_ref.secret:
                chosen = variable.value_source.secret_key_ref
                found[variable.name] = self._secret(chosen.secret, chosen.version).decode(errors="replace")
        return found

    def _secret(self, secret: str, version: str) -> bytes:
        email = self.plan.template.service_account
        name = secret_version(self._host.cloud.project.id, secret, version)
        try:
            payload: bytes = call_as(self._host.cloud, email, SECRETS, "AccessSecretVersion", name=name).payload.data
        except ApiError as error:
            denied = error.code == "PERMISSION_DENIED"
            text = secret_denied(name, email) if denied else f"Secret {name} cannot be read: {error.message}"
            raise StartFailure(text, "SECRETS_ACCESS_CHECK_FAILED") from error
        return payload

    def _mounts(self) -> dict[str, Path]:
        """Make the folders of the volumes, and return where the mount paths lead."""
        mounts = {}
        volumes = {volume.name: volume for volume in self.plan.template.volumes}
        for number, mount in enumerate(self.plan.container.volume_mounts):
            folder = self._folder / f"volume-{number}"
            folder.mkdir(parents=True)
            self._fill(folder, volumes[mount.name])
            mounts[mount.mount_path.rstrip("/")] = folder
        return mounts

    def _fill(self, folder: Path, volume: Any) -> None:
        if not volume.HasField("secret"):
            return
        source = volume.secret
        items = [(item.path, item.version) for item in source.items] or [(source.secret.rpartition("/")[2], "latest")]
        for path, version in items:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._secret(source.secret, version))
            file.chmod(0o400)

    def _find_place(self) -> Place:
        cloud, access = self._host.cloud, self.plan.template.vpc_access
        own = free_address(cloud.context)
        if not access.network_interfaces:
            return Place(PUBLIC, loopback=own)
        interface = access.network_interfaces[0]
        try:
            return places.place_in(cloud, interface.subnetwork, tuple(interface.tags), own)
        except ApiError as error:
            raise StartFailure(error.message, "VPC_NETWORK_NOT_FOUND") from error

    def _environment(self, metadata: str) -> dict[str, str]:
        """All variables but those of the image and secrets."""
        scratch = self._folder / "home"
        scratch.mkdir(parents=True)
        return {
            **variables(self._host.cloud.context, scratch, self.address, metadata),
            **self.plan.variables,
            **{one.name: one.value for one in self.plan.container.env if not one.HasField("value_source")},
        }

    def _deliver(self, log: str, output: IO[bytes] | None) -> LogDelivery:
        assert output is not None

        def put(events: list[dict[str, Any]]) -> None:
            with self._host.cloud.context.lock:
                for event in events:
                    self.last_lines.append(event["message"])
                    self._write(log, entry_of(event["message"], event["timestamp"] / 1000))

        delivery = LogDelivery(output, put)
        delivery.start()
        return delivery

    def _write(self, log: str, entry: Any) -> None:
        cloud = self._host.cloud
        service: Any = cloud.service(LOGGING)
        kind, labels = self.plan.resource
        entry.log_name = f"{cloud.project.name}/logs/run.googleapis.com%2F{log}"
        entry.resource.type = kind
        entry.resource.labels.update(labels)
        for key, value in {**self.plan.labels, "instanceId": self.id}.items():
            entry.labels[key] = value
        with cloud.context.lock:
            service.write(entry)

    def _watch(self, process: TaskProcess, logs: list[LogDelivery]) -> None:
        self.code = process.wait()
        for log in logs:
            log.join()
        self.note(f"Container called exit({self.code}).", 400 if self.code else 0)
        self._clear_away()
        with self._host.cloud.context.changed:
            self.ended.set()
            self._host.cloud.context.changed.notify_all()
        self._on_end()

    def _clear_away(self) -> None:
        self._host.metadata.close(self.name)
        with self._host.cloud.context.lock:
            self._host.running.pop(self.name, None)
            self._host.cloud.context.places.pop(self.name, None)
        shutil.rmtree(self._folder, ignore_errors=True)
