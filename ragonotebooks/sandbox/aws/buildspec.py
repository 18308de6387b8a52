"""A buildspec: what a build does, read from YAML, and the shell program that does it.

Source: AWS CodeBuild user guide, "Build specification reference" and "Build phase transitions", read 2026-11.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from ragonotebooks.errors import RagonotebooksError

PHASES: Final = ("install", "pre_build", "build", "post_build")
_TOP: Final = {"version", "env", "phases", "artifacts"}
_ENV: Final = {"shell", "variables", "parameter-store", "secrets-manager"}
_PHASE: Final = {"commands", "finally", "on-failure", "runtime-versions"}
_ARTIFACTS: Final = {"files", "base-directory", "name", "discard-paths"}

# One shell for all commands, as version 0.2 says: variables and the working directory stay. Descriptor 9 tells about phases.
_HEAD: Final = """\
exec 9>"$1"
shift
_log() { echo "[Container] $(date -u '+%Y/%m/%d %H:%M:%S') $*"; }
_run() { _log "Running command $1"; eval "$1"; }
export CODEBUILD_BUILD_SUCCEEDING=1
"""


class BuildspecError(RagonotebooksError):
    """The buildspec cannot be read, or says what the sandbox does not do."""


@dataclass(frozen=True)
class Phase:
    """Commands, those that run in any case after them, and whether a failure ends the build at once."""

    commands: tuple[str, ...] = ()
    finally_: tuple[str, ...] = ()
    aborts: bool = False


@dataclass(frozen=True)
class Buildspec:
    """What a build does.

    Attributes:
        variables: Plain environment variables.
        parameters: Variables whose values are parameters of Systems Manager, by the parameter's name.
        secrets: Variables whose values are in Secrets Manager: `secret:json-key:stage:version`.
        phases: By name.
        artifacts: `files`, `base-directory`, `name` and `discard-paths`; empty when there are none.
    """

    variables: Mapping[str, str]
    parameters: Mapping[str, str]
    secrets: Mapping[str, str]
    phases: Mapping[str, Phase]
    artifacts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """The shell program; its first argument is the file that it tells its phases to.

        A line is `begin PHASE`, or `end PHASE CODE NUMBER`: the exit code, and which command failed.
        """
        return _HEAD + "".join(_shell(name, self.phases[name]) for name in PHASES if name in self.phases)


def parse(text: str) -> Buildspec:
    """Read a buildspec.

    Raises:
        BuildspecError: It is no buildspec, or has what the sandbox does not do.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"the buildspec is no YAML: {error}") from None
    if not isinstance(found, dict) or str(found.get("version")) != "0.2":
        raise BuildspecError("the buildspec must say 'version: 0.2'")
    _refuse_unknown("the buildspec", found, _TOP)
    env, phases = found.get("env") or {}, found.get("phases") or {}
    _refuse_unknown("env", env, _ENV)
    _refuse_unknown("phases", phases, set(PHASES))
    if env.get("shell", "sh") not in ("sh", "bash"):
        raise BuildspecError(f"env/shell {env['shell']} is not supported by the sandbox: write sh")
    artifacts = found.get("artifacts") or {}
    _refuse_unknown("artifacts", artifacts, _ARTIFACTS)
    names = ("variables", "parameter-store", "secrets-manager")
    variables, parameters, secrets = (
        {str(key): str(value) for key, value in (env.get(name) or {}).items()} for name in names
    )
    told = {name: _phase(name, about or {}) for name, about in phases.items()}
    return Buildspec(variables, parameters, secrets, told, artifacts)


def _phase(name: str, about: dict[str, Any]) -> Phase:
    _refuse_unknown(name, about, _PHASE)
    failure = about.get("on-failure")
    if failure not in (None, "ABORT"):
        raise BuildspecError(f"on-failure {failure} of {name} is not supported by the sandbox: write ABORT")
    commands, last = (tuple(map(str, about.get(key) or ())) for key in ("commands", "finally"))
    return Phase(commands, last, failure == "ABORT")


def _refuse_unknown(where: str, given: Any, known: set[str]) -> None:
    if not isinstance(given, dict):
        raise BuildspecError(f"{where} is no mapping")
    if unknown := sorted(set(given) - known):
        raise BuildspecError(f"{unknown[0]} in {where} is not supported by the sandbox; it knows {sorted(known)}")


def _shell(name: str, phase: Phase) -> str:
    upper = name.upper()
    lines = [f"_log Entering phase {upper}", f"echo begin {upper} >&9", "_code=0 _number=0"]
    for number, command in enumerate(phase.commands):
        lines.append(f"[ $_code != 0 ] || {{ _run {shlex.quote(command)} 9>&-; _code=$? _number={number}; }}")
    lines += [f"_run {shlex.quote(command)} 9>&-" for command in phase.finally_]
    lines.append(f"_log Phase complete: {upper}, exit code $_code")
    lines.append(f"echo end {upper} $_code $_number >&9")
    # a build that failed is still followed by post_build
    after = "CODEBUILD_BUILD_SUCCEEDING=0" if name == "build" and not phase.aborts else "exit 0"
    return "\n".join([*lines, f"[ $_code = 0 ] || {after}", ""])
