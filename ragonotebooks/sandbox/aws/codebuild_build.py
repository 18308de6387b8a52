"""The life of a build: from the call of StartBuild until it is complete, each phase shown with the result that it had.

The commands run as a process of this machine, outside of every VPC, with a bare environment and the credentials of the service
role. They find the Python that the sandbox runs on, with its packages: what an image of CodeBuild would have to install first.
"""

import fnmatch
import io
import os
import shutil
import sys
import threading
import traceback
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ragonotebooks.sandbox.aws.buildspec import Buildspec, parse
from ragonotebooks.sandbox.aws.codebuild_role import FAILURES, Credentials, Role
from ragonotebooks.sandbox.aws.logs import LogDelivery
from ragonotebooks.sandbox.client import environment
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.parts.task import CannotStart, Program, TaskProcess

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_NOT_FOR_BUILDS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "RAGONOTEBOOKS_SANDBOX")
_ENDED: Final = "ended"


class _PhaseFailed(Exception):  # noqa: N818 - reads as the fact that it states
    """A phase failed for a reason that is shown already."""


class Build:
    """One build, in a thread of its own.

    Args:
        context: The daemon's shared parts.
        credentials: Where its commands find the role's credentials.
        project: The project as CodeBuild describes it, with what the call overrides.
        region: Where it runs.
        number: Which build of its project it is, from 1.
        initiator: Who started it: `user/NAME`, `role/session` or `rule/NAME`.

    Attributes:
        shown: The build as CodeBuild describes it.
    """

    def __init__(
        self,
        context: Context,
        credentials: Credentials,
        project: dict[str, Any],
        region: str,
        number: int,
        initiator: str,
    ) -> None:
        self._context, self._credentials, self._project = context, credentials, project
        self._uuid = str(uuid.uuid4())
        self._region, self._process, self._outcome = region, None, ""
        self._role = Role(context, project["serviceRole"], region, f"AWSCodeBuild-{self._uuid}")
        self._folder = context.folder / "builds" / self._uuid
        identity = f"{project['name']}:{self._uuid}"
        self.shown: dict[str, Any] = {
            "id": identity,
            "arn": f"arn:aws:codebuild:{region}:{context.state.account}:build/{identity}",
            "buildNumber": number,
            "startTime": datetime.now(UTC),
            "currentPhase": "SUBMITTED",
            "buildStatus": "IN_PROGRESS",
            "projectName": project["name"],
            "phases": [],
            "initiator": initiator,
            "buildComplete": False,
            **{name: project[name] for name in _SHOWN if project.get(name) is not None},
            "logs": self._log_place(),
        }
        self._announce_status()

    _process: TaskProcess | None

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._live, name=f"build {self._uuid}", daemon=True).start()

    def stop(self, status: str = "STOPPED") -> None:
        """End the build before its time; one that is complete stays as it is."""
        self._outcome = self._outcome or status
        if self._process:
            self._process.kill()

    def _live(self) -> None:
        timeout = threading.Timer(self._project["timeoutInMinutes"] * 60, self.stop, ("TIMED_OUT",))
        timeout.daemon = True
        timeout.start()
        try:
            self._work()
        except _PhaseFailed:
            self._outcome = self._outcome or "FAILED"
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self._outcome = self._outcome or "FAULT"
        timeout.cancel()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._complete(self._outcome or "SUCCEEDED")

    def _work(self) -> None:
        source = self._folder / "src"
        source.mkdir(parents=True)
        for name in ("SUBMITTED", "QUEUED"):
            with self._phase(name):
                pass
        with self._phase("PROVISIONING", "ACCESS_DENIED"):
            place = self.shown["logs"]
            put = self._role.open_log(place["groupName"], place["streamName"])
        with self._phase("DOWNLOAD_SOURCE", "CLIENT_ERROR"):
            self._fetch(source)
            spec = parse(self._buildspec(source))
            variables = self._environment(source, spec)
        self._run_phases(spec, source, variables, put)
        with self._phase("UPLOAD_ARTIFACTS", "CLIENT_ERROR"):
            self._store_artifacts(spec, source)

    def _fetch(self, folder: Path) -> None:
        source = self.shown["source"]
        if source["type"] == "S3":
            version = self._role.fetch(source["location"], self.shown.get("sourceVersion"), folder)
            with self._context.lock:
                self.shown["resolvedSourceVersion"] = version or ""

    def _buildspec(self, folder: Path) -> str:
        given = str(self.shown["source"].get("buildspec") or "buildspec.yml")
        if "\n" in given:
            return given
        if not (folder / given).is_file():
            raise ValueError(f"YAML_FILE_ERROR: stat {given}: no such file in the source")
        return (folder / given).read_text(encoding="utf-8")

    def _environment(self, folder: Path, spec: Buildspec) -> dict[str, str]:
        sandbox = environment(self._context.state, self._region)
        readers: dict[str, Callable[[str], str]] = {
            "PARAMETER_STORE": self._role.parameter,
            "SECRETS_MANAGER": self._role.secret,
            "PLAINTEXT": str,
        }
        wanted = self.shown["environment"].get("environmentVariables") or []
        scratch = self._folder / "tmp"
        scratch.mkdir()
        return {
            "LANG": "C.UTF-8",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "PATH": f"{Path(sys.executable).parent}:{_PATH}",
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "CODEBUILD_BUILD_ARN": self.shown["arn"],
            "CODEBUILD_BUILD_ID": self.shown["id"],
            "CODEBUILD_BUILD_NUMBER": str(self.shown["buildNumber"]),
            "CODEBUILD_INITIATOR": self.shown["initiator"],
            "CODEBUILD_PROJECT_NAME": self.shown["projectName"],
            "CODEBUILD_RESOLVED_SOURCE_VERSION": self.shown.get("resolvedSourceVersion", ""),
            "CODEBUILD_SOURCE_VERSION": self.shown.get("sourceVersion", ""),
            "CODEBUILD_SRC_DIR": str(folder),
            **{name: value for name, value in sandbox.items() if name not in _NOT_FOR_BUILDS},
            **spec.variables,
            **{name: self._role.parameter(value) for name, value in spec.parameters.items()},
            **{name: self._role.secret(value) for name, value in spec.secrets.items()},
            **{one["name"]: readers[one.get("type", "PLAINTEXT")](one["value"]) for one in wanted},
        }

    def _run_phases(self, spec: Buildspec, folder: Path, variables: dict[str, str], put: Callable[..., None]) -> None:
        script, told = self._folder / "build.sh", self._folder / "phases"
        script.write_text(spec.program, encoding="utf-8")
        os.mkfifo(told)
        # open for writing as well: then neither side waits for the other, and the end can be written here
        descriptor = os.open(told, os.O_RDWR)
        key, role = self._credentials.open(self._project["serviceRole"], f"AWSCodeBuild-{self._uuid}")
        try:
            program = Program(["/bin/sh", str(script), str(told)], variables | role, folder)
            process = TaskProcess(program, None, self._context.callers, self._context.watcher, wants_output=True)
            self._process = process
            if self._outcome:  # stopped before there was anything to kill
                process.kill()
            delivery = LogDelivery(process.output, put) if process.output else None
            if delivery:
                delivery.start()
            threading.Thread(target=lambda: os.write(descriptor, f"{_ENDED} {process.wait()}\n".encode())).start()
            self._follow(spec, descriptor)
            if delivery:
                delivery.join()
        except CannotStart as error:
            raise _PhaseFailed(str(error)) from error
        finally:
            self._credentials.close(key)
        if self._outcome or any(phase.get("phaseStatus") == "FAILED" for phase in self.shown["phases"]):
            raise _PhaseFailed

    def _follow(self, spec: Buildspec, descriptor: int) -> None:
        """Show the phases as the shell tells of them."""
        with os.fdopen(descriptor, encoding="utf-8") as lines:
            for line in lines:
                kind, *words = line.split()
                if kind == "begin":
                    self._begin_phase(words[0])
                elif kind == "end":
                    name, code, number = words
                    commands = spec.phases[name.lower()].commands
                    problem = f"Error while executing command: {commands[int(number)]}. Reason: exit status {code}"
                    self._end_phase("" if code == "0" else problem, "COMMAND_EXECUTION_ERROR")
                elif kind == _ENDED:
                    if "phaseStatus" not in self.shown["phases"][-1]:
                        self._end_phase(f"the shell ended with {words[0]} within the phase", "COMMAND_EXECUTION_ERROR")
                    return

    def _store_artifacts(self, spec: Buildspec, folder: Path) -> None:
        wanted = self.shown["artifacts"]
        if wanted["type"] != "S3" or not spec.artifacts:
            return
        base = folder / str(spec.artifacts.get("base-directory", "."))
        flat = str(spec.artifacts.get("discard-paths", "no")).lower() in ("yes", "true")
        files = {
            path.name if flat else path.relative_to(base).as_posix(): path.read_bytes()
            for path in sorted(base.rglob("*"))
            if path.is_file() and _is_named(path.relative_to(base).as_posix(), spec.artifacts.get("files") or [])
        }
        if not files:
            raise ValueError("no matching artifact paths found")
        name = wanted.get("name") or spec.artifacts.get("name") or self.shown["projectName"]
        folder_id = self._uuid if wanted.get("namespaceType") == "BUILD_ID" else ""
        place = "/".join(part.strip("/") for part in (wanted.get("path") or "", folder_id, name) if part.strip("/"))
        if wanted.get("packaging") == "ZIP":
            self._role.store(wanted["location"], place, _zip(files))
        else:
            for path, content in files.items():
                self._role.store(wanted["location"], f"{place}/{path}", content)
        self.shown["artifacts"] = {"location": f"arn:aws:s3:::{wanted['location']}/{place}"}

    @contextmanager
    def _phase(self, name: str, status: str = "") -> Iterator[None]:
        """Show a phase that CodeBuild itself does."""
        self._begin_phase(name)
        try:
            yield
        except FAILURES as error:
            self._end_phase(str(error), status)
            raise _PhaseFailed from error
        self._end_phase()
        if self._outcome:
            raise _PhaseFailed

    def _begin_phase(self, name: str) -> None:
        with self._context.changed:
            self.shown["currentPhase"] = name
            self.shown["phases"].append({"phaseType": name, "startTime": datetime.now(UTC)})
            self._context.changed.notify_all()

    def _end_phase(self, problem: str = "", code: str = "") -> None:
        with self._context.changed:
            phase, now = self.shown["phases"][-1], datetime.now(UTC)
            status = (self._outcome or "FAILED") if problem else "SUCCEEDED"
            phase |= {"phaseStatus": status, "endTime": now}
            phase["durationInSeconds"] = round((now - phase["startTime"]).total_seconds())
            if problem:
                phase["contexts"] = [{"statusCode": code, "message": problem}]

    def _complete(self, status: str) -> None:
        for name in ("FINALIZING", "COMPLETED"):
            self._begin_phase(name)
            if name == "FINALIZING":
                self._end_phase()
        with self._context.changed:
            self.shown |= {"buildStatus": status, "buildComplete": True, "endTime": datetime.now(UTC)}
            self._context.changed.notify_all()
            self._announce_status()

    def _announce_status(self) -> None:
        detail = {
            "build-status": self.shown["buildStatus"],
            "project-name": self.shown["projectName"],
            "build-id": self.shown["arn"],
            "current-phase": self.shown["currentPhase"],
            "version": "1",
        }
        self._context.announce("aws.codebuild", "CodeBuild Build State Change", [self.shown["arn"]], detail)

    def _log_place(self) -> dict[str, Any]:
        wanted = (self._project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
        group = wanted.get("groupName") or f"/aws/codebuild/{self._project['name']}"
        stream = "/".join(filter(None, (wanted.get("streamName"), self._uuid)))
        arn = f"arn:aws:logs:{self._region}:{self._context.state.account}:log-group:{group}:log-stream:{stream}"
        return {
            "groupName": group,
            "streamName": stream,
            "cloudWatchLogsArn": arn,
            "cloudWatchLogs": {"status": "ENABLED"},
        }


_SHOWN: Final = (
    "source",
    "sourceVersion",
    "artifacts",
    "environment",
    "serviceRole",
    "timeoutInMinutes",
    "queuedTimeoutInMinutes",
    "encryptionKey",
    "cache",
)


def _is_named(path: str, patterns: list[str]) -> bool:
    return any(pattern == "**/*" or fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return packed.getvalue()
