"""`connect`: decide which cloud answers this kernel, once, outside of the code that uses it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ragonotebooks.catalog import notebook, project, regions
from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.lesson import identity, parameters, watch
from ragonotebooks.lesson.identity import CLOUDS, Identity

_RUN_VARIABLE: Final = "RAGONOTEBOOKS_RUN"
_SANDBOX_VARIABLE: Final = "RAGONOTEBOOKS_SANDBOX"
_before: dict[str, str] | None = None


@dataclass(frozen=True)
class Lab:
    """Where a lesson works.

    Attributes:
        cloud: "aws" or "gcp".
        target: "sandbox", or "cloud" for a real account.
        region: Where things are made; AWS's clients use it by default.
        name: The deployment: prefix and tag of everything that is made.
        account: The account's id, 12 digits, or the project's.
        identity: Who calls: an ARN or an e-mail address.
        root: The checkout, against which relative paths are meant.
    """

    cloud: str
    target: str
    region: str
    name: str
    account: str
    identity: str
    root: Path

    @property
    def project(self) -> str:
        """What Google Cloud has in place of an account."""
        return self.account

    @property
    def member(self) -> str:
        """The caller, as Google Cloud's policies name one: `user:ann@example.com`, `serviceAccount:…`."""
        kind = "serviceAccount" if self.identity.endswith(".gserviceaccount.com") else "user"
        return f"{kind}:{self.identity}"

    @property
    def labels(self) -> dict[str, str]:
        """What marks the things of this deployment; clean-up finds them by it and touches nothing else."""
        return {"deployment": self.name, "managed-by": "ragonotebooks"}

    @property
    def tags(self) -> list[dict[str, str]]:
        """The same as most AWS services want it: `[{"Key": …, "Value": …}, …]`."""
        return [{"Key": key, "Value": value} for key, value in self.labels.items()]

    def forget_lessons(self) -> None:
        """After the deployment was removed: lessons are no longer taken for passed, so that `connect` brings them up."""
        if self.target == "sandbox":
            from ragonotebooks.sandbox import client

            client.forget_passed(os.environ[_SANDBOX_VARIABLE])


def connect(
    cloud: str,
    *,
    target: str = "sandbox",
    region: str = "",
    name: str = "ragonometrics",
    needs: Sequence[str] = (),
) -> Lab:
    """Point this kernel's clients at a cloud, and make sure that what the lesson builds on is there.

    In the sandbox the lessons in `needs` are run first when they have not passed yet. In a real account nothing is changed:
    they are verified, and what is missing is named with the command that brings it. Clients that were made before keep
    the cloud that they were made for. When it fails, the kernel stays with the cloud that it had. Before all that, the
    notebook's parameters are checked against what its parameters cell declares.

    Args:
        cloud: "aws" or "gcp".
        target: "sandbox", or "cloud" for what the environment names: the account in RAGONOTEBOOKS_ACCOUNT, the project in
            RAGONOTEBOOKS_PROJECT.
        region: Where things are made; empty for us-east-1 or us-central1.
        name: The deployment.
        needs: Lessons that come before this one, such as "01-network".

    Raises:
        UsageError: An argument or a parameter is wrong, or the account is not the one that was named.
        RagonotebooksError: The sandbox did not start, or something that the lesson needs is missing.
    """
    parameters.check_parameters(vars(sys.modules["__main__"]))
    if cloud not in CLOUDS:
        raise UsageError(f"connect knows the clouds 'aws' and 'gcp', not {cloud!r}")
    if target not in ("sandbox", "cloud"):
        raise UsageError(f"target is 'sandbox' or 'cloud', not {target!r}")
    region = regions.known(region or regions.DEFAULT[cloud], cloud)
    who = _enter(cloud, target, region)
    lab = Lab(cloud, target, region, name, who.account, who.caller, project.ROOT)
    for need in _in_order([f"{cloud}/{need}" for need in needs]):
        _bring_up(need, lab)
    print(f"{target} · {CLOUDS[cloud].PLACE} {who.account} · {region} · deployment {name}")  # noqa: T201 - what a cell shows
    return lab


def _enter(cloud: str, target: str, region: str) -> Identity:
    """Switch to the target and return who is known there."""
    global _before
    environment, before = dict(os.environ), _before
    try:
        _restore_environment()
        if target == "sandbox":
            account = _enter_sandbox(cloud, region)
        else:
            account = identity.named(cloud)
            _change_environment(CLOUDS[cloud].variables(region), ())
        watch.hush_environment()
        CLOUDS[cloud].forget_clients()
        return identity.ask(cloud, account)
    except BaseException:
        # a refused switch must not leave the next cell in a real account
        os.environ.clear()
        os.environ |= environment
        _before = before
        CLOUDS[cloud].forget_clients()
        raise


def _enter_sandbox(cloud: str, region: str) -> str:
    """Point clients at the sandbox and return the account or project that it plays."""
    from ragonotebooks.sandbox import client

    name = os.environ.get(_SANDBOX_VARIABLE, "default")
    if os.environ.get(_RUN_VARIABLE) == "verify" and client.find(name) is None:
        raise UsageError(
            f"there is nothing to verify: no sandbox {name} runs; start one with: ragonotebooks run deploy-{cloud}"
        )
    state = client.up(name)
    variables = client.environment(state, region if cloud == "aws" else regions.DEFAULT["aws"])
    _change_environment(variables, client.FOREIGN_VARIABLES)
    return state.account if cloud == "aws" else state.project


def _change_environment(variables: dict[str, str], unwanted: Sequence[str]) -> None:
    global _before
    _before = dict(os.environ)
    for variable in unwanted:
        os.environ.pop(variable, None)
    os.environ |= variables


def _restore_environment() -> None:
    global _before
    if _before is not None:
        os.environ.clear()
        os.environ |= _before
        _before = None


def _in_order(needs: Sequence[str]) -> list[str]:
    """The lessons that are needed and those that they need in turn, what comes first first."""
    ordered: dict[str, None] = {}
    for need in needs:
        ordered |= dict.fromkeys([*_in_order(notebook.read(notebook.find(need)).needs), need])
    return list(ordered)


def _bring_up(lesson: str, lab: Lab) -> None:
    """Have `lesson` in place. It is run by the command line, which is where a person would run it too."""
    mode = os.environ.get(_RUN_VARIABLE)
    values = {"target": lab.target, "region": lab.region, "name": lab.name}
    if lab.target == "cloud" and mode is None and not _command("verify", lesson, values):
        command = f"ragonotebooks run {lesson} -p target=cloud -p region={lab.region} -p name={lab.name}"
        raise RagonotebooksError(f"{lesson} is not in place; bring it with: {command}")
    if lab.target == "sandbox" and mode != "verify":
        from ragonotebooks.sandbox import client

        there = client.passed(os.environ[_SANDBOX_VARIABLE], lesson, values)
        if not there and not _command("run", lesson, values):
            raise RagonotebooksError(f"{lesson} did not pass; see what fails with: ragonotebooks run {lesson}")


def _command(verb: str, lesson: str, values: dict[str, str]) -> bool:
    print(f"{lesson} is needed first: {verb} …", flush=True)  # noqa: T201 - what a cell shows
    options = [f"{key}={value}" for key, value in values.items()]
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "ragonotebooks", verb, lesson, "--out", f"{folder}/run"]
        words += [word for option in options for word in ("-p", option)]
        environment = {**(_before or os.environ), _SANDBOX_VARIABLE: os.environ.get(_SANDBOX_VARIABLE, "default")}
        done = subprocess.run(words, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)  # noqa: T201 - what a cell shows
    return done.returncode == 0
