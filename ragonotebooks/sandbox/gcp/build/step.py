"""A step of a build: the process of an image, in the workspace that all steps share, with the identity of the build's account.

It runs outside of every network of the project, as the default pool of Cloud Build does. What an image's program does with
`/workspace` is done in the workspace; a script finds it as its working directory, and not under that name.
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.context import Place
from ragonotebooks.sandbox.gcp.build.failures import BuildFailure
from ragonotebooks.sandbox.gcp.build.log import BuildLog
from ragonotebooks.sandbox.gcp.build.request import account_may_pull, email_of
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.run.instance import Host
from ragonotebooks.sandbox.gcp.run.metadata import Identity
from ragonotebooks.sandbox.gcp.run.surroundings import PUBLIC, free_address, variables
from ragonotebooks.sandbox.gcp.run.template import ARTIFACTS
from ragonotebooks.sandbox.parts.task import CannotStart, Program, TaskProcess, Unpacked, bare_python, program_of

WORKSPACE: Final = "/workspace"


class Step:
    """One step.

    Args:
        host: What all programs of images share.
        build: The build as it is kept.
        number: Which of its steps, from 0.
        folder: The build's own folder, which holds the workspace and the home of all steps.
    """

    def __init__(self, host: Host, build: Any, number: int, folder: Path) -> None:
        self._host, self._build, self._spec = host, build, build.steps[number]
        self._folder, self._number = folder, number
        self._name = f"//cloudbuild.googleapis.com/{build.name}/steps/{number}"
        self._process: TaskProcess | None = None
        self._killed = threading.Event()

    @property
    def title(self) -> str:
        """What the log calls it: `Step #0 - "fetch"`."""
        return f"Step #{self._number}" + (f' - "{self._spec.id}"' if self._spec.id else "")

    def run(self, hidden: Mapping[str, str], log: BuildLog) -> int | None:
        """Run it to its end and return its exit code, None when it took longer than it may.

        Args:
            hidden: The values of the build's secrets, by variable.
            log: Where its lines go.

        Raises:
            BuildFailure: It cannot start.
        """
        image = self._image()
        address = self._enter()
        try:
            program = self._program(image, address, hidden)
            context = self._host.cloud.context
            process = TaskProcess(program, self._name, context.callers, context.watcher, wants_output=True)
            self._process = process
            if self._killed.is_set():  # before there was anything to kill
                process.kill()
            assert process.output is not None
            delivery = log.deliver(process.output, self.title)
            code = process.wait(self._spec.timeout.ToTimedelta().total_seconds() or None)
            if code is None:
                process.kill()
                process.wait()
            delivery.join()
        except CannotStart as error:
            raise BuildFailure("USER_BUILD_STEP", f"{self._failed()}: starting it failed: {error}") from error
        finally:
            self._leave()
        return code

    def kill(self) -> None:
        """End it before its time."""
        self._killed.set()
        if self._process:
            self._process.kill()

    def problem(self, code: int | None) -> str:
        """What is told of a step that ended with a code, or too late."""
        why = "context deadline exceeded" if code is None else f"step exited with non-zero status: {code}"
        return f"{self._failed()}: {why}"

    def _failed(self) -> str:
        return f'build step {self._number} "{self._spec.name}" failed'

    def _image(self) -> Unpacked:
        """The image, which the build's account has to be allowed to pull."""
        cloud, reference, email = self._host.cloud, self._spec.name, email_of(self._build.service_account)
        registry: Any = cloud.service(ARTIFACTS)
        try:
            with cloud.context.lock:
                repository, digest = registry.resolve(reference)
                if not account_may_pull(cloud, email, repository):
                    raise ApiError("PERMISSION_DENIED", f"{email} may not download artifacts of {repository}")
                image = registry.image(reference, digest)
            return self._host.images.find(digest) or self._host.images.add(digest, image)
        except (ApiError, RagonotebooksError) as error:
            raise BuildFailure("USER_BUILD_STEP", f"{self._failed()}: pulling it failed: {error}") from error

    def _enter(self) -> str:
        """Give the step an address and an identity; return the address."""
        context = self._host.cloud.context
        with context.lock:
            address = free_address(context)
            context.places[self._name] = Place(PUBLIC, loopback=address)
        region = self._build.name.split("/")[3]
        identity = Identity(secrets.token_hex(8), region, email_of(self._build.service_account))
        self._metadata = self._host.metadata.open(self._name, identity, address)
        return address

    def _leave(self) -> None:
        self._host.metadata.close(self._name)
        with self._host.cloud.context.lock:
            self._host.cloud.context.places.pop(self._name, None)

    def _program(self, image: Unpacked, address: str, hidden: Mapping[str, str]) -> Program:
        context, spec, build = self._host.cloud.context, self._spec, self._build
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        given = dict(line.split("=", 1) for line in (*build.options.env, *spec.env))
        secret = {name: hidden[name] for name in (*build.options.secret_env, *spec.secret_env)}
        around = variables(context, home, address, self._metadata)
        entrypoint = [str(self._script())] if spec.script else [spec.entrypoint] if spec.entrypoint else []
        place = spec.dir_ if spec.dir_.startswith("/") else f"{WORKSPACE}/{spec.dir_}".rstrip("/")
        mounted = replace(image, mounts={WORKSPACE: self._folder / "workspace"})
        python = bare_python(context.folder)
        return program_of(mounted, python, {**around, **given, **secret}, entrypoint, list(spec.args), place)

    def _script(self) -> Path:
        file = self._folder / f"script-{self._number}"
        file.write_text(self._spec.script, encoding="utf-8")
        file.chmod(0o700)
        return file
