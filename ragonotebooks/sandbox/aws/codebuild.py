"""CodeBuild: projects whose builds really run. moto keeps the projects; what a build would not do is refused by name."""

import json
from typing import Any, Final

from moto.codebuild.responses import CodeBuildResponse
from moto.core.responses import ActionResult

from ragonotebooks.sandbox.aws.codebuild_build import Build
from ragonotebooks.sandbox.aws.codebuild_role import Credentials
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.ledger import current_call
from ragonotebooks.sandbox.local import Local

_SOURCES: Final = ("S3", "NO_SOURCE")
_ARTIFACTS: Final = ("S3", "NO_ARTIFACTS")
_ENVIRONMENTS: Final = ("LINUX_CONTAINER", "ARM_CONTAINER")
_UNSUPPORTED: Final = (
    "secondarySources",
    "secondaryArtifacts",
    "vpcConfig",
    "fileSystemLocations",
    "buildBatchConfig",
    "secondarySourcesOverride",
    "secondaryArtifactsOverride",
    "fleetOverride",
)
_TIMEOUT: Final = range(5, 2161)  # minutes; CodeBuild API reference, CreateProject, read 2026-11
# what StartBuild may replace, and the part of the project that it replaces
_OVERRIDES: Final = {
    "sourceVersion": ("sourceVersion",),
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "buildspecOverride": ("source", "buildspec"),
    "artifactsOverride": ("artifacts",),
    "imageOverride": ("environment", "image"),
    "computeTypeOverride": ("environment", "computeType"),
    "environmentTypeOverride": ("environment", "type"),
    "serviceRoleOverride": ("serviceRole",),
    "logsConfigOverride": ("logsConfig",),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
}


class Builds:
    """The controller.

    Args:
        context: The daemon's shared parts.
        local: Serves builds the credentials of their roles.
    """

    def __init__(self, context: Context, local: Local) -> None:
        self._context, self._credentials = context, Credentials(context, local)
        self._builds: dict[tuple[str, str], list[Build]] = {}

    def start(self, region: str, project: dict[str, Any]) -> Build:
        """Start a build of a project, which holds what the call overrides. The caller holds the lock."""
        known = self._builds.setdefault((region, project["name"]), [])
        call = current_call.get()
        initiator = call.caller.rpartition(":")[2].removeprefix("assumed-role/") if call else ""
        build = Build(self._context, self._credentials, project, region, len(known) + 1, initiator)
        known.append(build)
        build.begin()
        return build

    def of(self, region: str, project: str | None = None) -> list[Build]:
        """All builds of a project or region, the newest first."""
        found = [
            build
            for (where, name), builds in self._builds.items()
            for build in builds
            if where == region and project in (None, name)
        ]
        return sorted(found, key=lambda build: build.shown["startTime"], reverse=True)


def install(context: Context, local: Local) -> Builds:
    """Put it behind moto's CodeBuild, before that is used for the first time."""
    builds = Builds(context, local)
    responses: Any = CodeBuildResponse
    responses.create_project = _create_project
    responses.update_project = _update_project
    responses.start_build = lambda self: _start_build(self, builds)
    responses.stop_build = lambda self: _stop_build(self, builds)
    responses.batch_get_builds = lambda self: _batch_get_builds(self, builds)
    responses.list_builds = lambda self: ActionResult({"ids": [one.shown["id"] for one in builds.of(self.region)]})
    responses.list_builds_for_project = lambda self: _list_builds_for_project(self, builds)
    return builds


def check(project: dict[str, Any]) -> None:
    """Raise an ApiError for a project whose builds would not run."""
    source, environment, artifacts = (project.get(name) or {} for name in ("source", "environment", "artifacts"))
    _require(source.get("type"), _SOURCES, "source type")
    _require(artifacts.get("type"), _ARTIFACTS, "artifacts type")
    _require(environment.get("type"), _ENVIRONMENTS, "environment type")
    if source["type"] == "S3" and "/" not in str(source.get("location") or "").strip("/"):
        raise _invalid("Project source location is required: write bucket/key.zip")
    if source["type"] == "NO_SOURCE" and "\n" not in str(source.get("buildspec") or ""):
        raise _invalid("Project source buildspec is required for NO_SOURCE")
    if artifacts["type"] == "S3" and not artifacts.get("location"):
        raise _invalid("Project artifacts location is required")
    if not str(environment.get("image", "")).startswith("aws/codebuild/"):
        raise _invalid("the sandbox has CodeBuild's own images only, aws/codebuild/…")
    if not str(project.get("serviceRole", "")).startswith("arn:aws:iam::"):
        raise _invalid("Invalid service role: write its ARN")
    if project.get("timeoutInMinutes", 60) not in _TIMEOUT:
        raise _invalid(f"Invalid timeout: write {_TIMEOUT.start} to {_TIMEOUT.stop - 1} minutes")
    if ((project.get("logsConfig") or {}).get("s3Logs") or {}).get("status") == "ENABLED":
        raise _invalid("logs in S3 are not supported by the sandbox")
    _refuse_unsupported(project)


def _create_project(self: Any) -> ActionResult:
    given = json.loads(self.body)
    check(given)
    backend, name = self.codebuild_backend, given["name"]
    if name in backend.codebuild_projects:
        where = f"arn:aws:codebuild:{self.region}:{self.current_account}:project/{name}"
        raise ApiError("ResourceAlreadyExistsException", f"Project already exists: {where}")
    backend.create_project(
        project_name=name,
        description=given.get("description"),
        project_source=given["source"],
        artifacts=given["artifacts"],
        environment=given["environment"],
        service_role=given["serviceRole"],
        tags=given.get("tags"),
        cache=given.get("cache"),
        timeout=given.get("timeoutInMinutes", 60),
        queued_timeout=given.get("queuedTimeoutInMinutes", 480),
        source_version=given.get("sourceVersion"),
        logs_config=given.get("logsConfig"),
        vpc_config=None,
    )
    return ActionResult({"project": backend.codebuild_projects[name].project_metadata})


def _update_project(self: Any) -> ActionResult:
    given, project = json.loads(self.body), _project(self, self._get_param("name"))
    changed = {**project, **given}
    check(changed)
    project |= given
    return ActionResult({"project": project})


def _start_build(self: Any, builds: Builds) -> ActionResult:
    given = json.loads(self.body)
    project = dict(_project(self, given.pop("projectName")))
    variables = given.pop("environmentVariablesOverride", [])
    for name, value in given.items():
        if name == "idempotencyToken":
            continue
        if name not in _OVERRIDES:
            raise _invalid(f"{name} is not supported by the sandbox")
        first, *rest = _OVERRIDES[name]
        project[first] = {**(project.get(first) or {}), rest[0]: value} if rest else value
    environment = project["environment"]
    known = {one["name"]: one for one in [*(environment.get("environmentVariables") or []), *variables]}
    project["environment"] = {**environment, "environmentVariables": list(known.values())}
    check(project)
    return ActionResult({"build": builds.start(self.region, project).shown})


def _stop_build(self: Any, builds: Builds) -> ActionResult:
    wanted = self._get_param("id")
    for build in builds.of(self.region):
        if wanted in (build.shown["id"], build.shown["arn"]):
            build.stop()
            return ActionResult({"build": build.shown})
    raise ApiError("ResourceNotFoundException", f"Build {wanted} does not exist")


def _batch_get_builds(self: Any, builds: Builds) -> ActionResult:
    wanted = self._get_param("ids") or []
    if malformed := [one for one in wanted if ":" not in one]:
        raise _invalid(f"Invalid build ID provided: {malformed[0]}")
    known = {key: build.shown for build in builds.of(self.region) for key in (build.shown["id"], build.shown["arn"])}
    found = [known[one] for one in wanted if one in known]
    return ActionResult({"builds": found, "buildsNotFound": [one for one in wanted if one not in known]})


def _list_builds_for_project(self: Any, builds: Builds) -> ActionResult:
    name = self._get_param("projectName")
    _project(self, name)
    found = [one.shown["id"] for one in builds.of(self.region, name)]
    return ActionResult({"ids": found[::-1] if self._get_param("sortOrder") == "ASCENDING" else found})


def _project(self: Any, name: str) -> dict[str, Any]:
    found = self.codebuild_backend.codebuild_projects.get(name)
    if found is None:
        where = f"arn:aws:codebuild:{self.region}:{self.current_account}:project/{name}"
        raise ApiError("ResourceNotFoundException", f"Project cannot be found: {where}")
    metadata: dict[str, Any] = found.project_metadata
    return metadata


def _require(given: Any, known: tuple[str, ...], what: str) -> None:
    if given not in known:
        raise _invalid(f"the {what} {given} is not supported by the sandbox; it has {', '.join(known)}")


def _refuse_unsupported(given: dict[str, Any]) -> None:
    for name in _UNSUPPORTED:
        if given.get(name):
            raise _invalid(f"{name} is not supported by the sandbox")


def _invalid(problem: str) -> ApiError:
    return ApiError("InvalidInputException", problem)
