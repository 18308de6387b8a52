"""The life of a build: its source is fetched, its steps run one after the other, and each is shown with how it ended.

Source: Cloud Build API reference, `Build` and `Build.Status`, read 2026-11.
"""

import shutil
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from google.cloud.devtools.cloudbuild_v1 import types

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.gcp.acting import call_as, download_as
from ragonotebooks.sandbox.gcp.build.failures import BuildFailure
from ragonotebooks.sandbox.gcp.build.log import BuildLog
from ragonotebooks.sandbox.gcp.build.request import email_of
from ragonotebooks.sandbox.gcp.build.step import Step
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.run.instance import Host
from ragonotebooks.sandbox.gcp.run.template import SECRETS
from ragonotebooks.sandbox.parts import archive

_Status: Final[Any] = types.Build.Status
_Failure: Final[Any] = types.Build.FailureInfo.FailureType


class RunningBuild:
    """One build, in a thread of its own.

    Args:
        cloud: The cloud.
        build: The build as it is kept, which shows what becomes of it.
    """

    def __init__(self, cloud: Cloud, build: Any) -> None:
        self._cloud, self._build = cloud, build
        run: Any = cloud.service("run.googleapis.com")
        self._host: Host = run.instances
        self._folder = cloud.context.folder / "cloud-builds" / build.id
        wanted = build.options.logging == types.BuildOptions.LoggingMode.CLOUD_LOGGING_ONLY
        self._log = BuildLog(cloud, build, wanted=wanted)
        self._step: Step | None = None
        self._stopped = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return bool(self._build.HasField("finish_time"))

    def begin(self) -> None:
        """Start it."""
        threading.Thread(target=self._live, name=f"build {self._build.id}", daemon=True).start()

    def stop(self, status: str = "CANCELLED") -> None:
        """End it before its time."""
        self._stopped = self._stopped or status
        if self._step:
            self._step.kill()

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            ApiError: It has not succeeded.
        """
        with self._cloud.context.changed:
            self._cloud.context.changed.wait_for(lambda: self.is_over)
            if self._build.status != _Status.SUCCESS:
                name = _Status(self._build.status).name
                code = "CANCELLED" if name == "CANCELLED" else "UNKNOWN"
                raise ApiError(code, f"Build {name.lower()}; check build logs for details. {self._build.status_detail}")

    def _live(self) -> None:
        limit = threading.Timer(self._build.timeout.ToTimedelta().total_seconds(), self.stop, ("TIMEOUT",))
        limit.daemon = True
        limit.start()
        try:
            self._work()
            failure = None
        except BuildFailure as problem:
            failure = problem
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            failure = BuildFailure("", f"the sandbox itself failed: {error!r}", "INTERNAL_ERROR")
        limit.cancel()
        self._end(failure)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _work(self) -> None:
        (self._folder / "workspace").mkdir(parents=True)
        with self._cloud.context.changed:
            self._build.status = _Status.WORKING
            self._build.start_time.GetCurrentTime()
            self._cloud.context.changed.notify_all()
        self._log.say(f'starting build "{self._build.id}"')
        if self._build.source.WhichOneof("source"):
            with self._timed("FETCHSOURCE"):
                self._fetch()
        hidden = self._secrets()
        with self._timed("BUILD"):
            for number in range(len(self._build.steps)):
                self._run(number, hidden)
        self._log.say("DONE")

    def _fetch(self) -> None:
        self._log.say("FETCHSOURCE")
        source, email = self._build.source.storage_source, email_of(self._build.service_account)
        try:
            content, generation = download_as(self._cloud, email, source.bucket, source.object_, source.generation)
            unpack = archive.unzip if source.object_.endswith(".zip") else archive.untar
            unpack(content, self._folder / "workspace")
        except (ApiError, RagonotebooksError) as error:
            where = f"gs://{source.bucket}/{source.object_}"
            raise BuildFailure("FETCH_SOURCE_FAILED", f"could not fetch {where}: {error}") from error
        with self._cloud.context.lock:
            resolved = self._build.source_provenance.resolved_storage_source
            resolved.CopyFrom(source)
            resolved.generation = generation

    def _secrets(self) -> dict[str, str]:
        """The secrets that the build makes available, by variable."""
        email, found = email_of(self._build.service_account), {}
        for secret in self._build.available_secrets.secret_manager:
            try:
                answer = call_as(self._cloud, email, SECRETS, "AccessSecretVersion", name=secret.version_name)
            except ApiError as error:
                text = f"failed to access secret version for secret {secret.version_name}: {error.message}"
                raise BuildFailure("", text) from error
            found[secret.env] = answer.payload.data.decode(errors="replace")
        return found

    def _run(self, number: int, hidden: dict[str, str]) -> None:
        spec = self._build.steps[number]
        step = self._step = Step(self._host, self._build, number, self._folder)
        self._raise_if_stopped()
        self._log.say(f"Starting {step.title}")
        with self._cloud.context.lock:
            spec.timing.start_time.GetCurrentTime()
            spec.status = _Status.WORKING
        try:
            code = step.run(hidden, self._log)
        except BuildFailure:
            self._show(spec, "FAILURE")
            raise
        with self._cloud.context.lock:
            spec.exit_code = code or 0
        self._log.say(f"Finished {step.title}")
        if self._stopped:
            self._show(spec, self._stopped)
        self._raise_if_stopped()
        if code is None:
            self._show(spec, "TIMEOUT")
            raise BuildFailure("USER_BUILD_STEP", step.problem(code), "TIMEOUT")
        if code and not (spec.allow_failure or code in spec.allow_exit_codes):
            self._show(spec, "FAILURE")
            self._log.say(f"ERROR: {step.problem(code)}")
            raise BuildFailure("USER_BUILD_STEP", f"Build step failure: {step.problem(code)}")
        self._show(spec, "FAILURE" if code and spec.allow_failure else "SUCCESS")

    def _show(self, spec: Any, status: str) -> None:
        with self._cloud.context.lock:
            spec.status = _Status[status]
            spec.timing.end_time.GetCurrentTime()

    def _raise_if_stopped(self) -> None:
        if self._stopped:
            what = "was cancelled" if self._stopped == "CANCELLED" else "took longer than its timeout"
            raise BuildFailure("", f"the build {what}", self._stopped)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        with self._cloud.context.lock:
            self._build.timing[name].start_time.GetCurrentTime()
        try:
            yield
        finally:
            with self._cloud.context.lock:
                self._build.timing[name].end_time.GetCurrentTime()

    def _end(self, failure: BuildFailure | None) -> None:
        with self._cloud.context.changed:
            self._build.status = _Status[failure.status if failure else "SUCCESS"]
            if failure:
                self._build.status_detail = str(failure)
                self._build.failure_info.detail = str(failure)
                self._build.failure_info.type_ = _Failure[failure.kind or "FAILURE_TYPE_UNSPECIFIED"]
            for step in self._build.steps:
                if step.status in (_Status.STATUS_UNKNOWN, _Status.WORKING):
                    step.status = _Status.QUEUED
            self._build.finish_time.GetCurrentTime()
            self._cloud.context.changed.notify_all()
