"""Nothing of a real account is changed before a person agreed to it; a second sandbox stands where the real cloud would be."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ragonotebooks.catalog import notebook, runbook
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.cli import consent
from ragonotebooks.errors import UsageError
from ragonotebooks.run.request import Request
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.ledger import read_ledger
from ragonotebooks.sandbox.state import folder_of
from tests.google import PROJECT
from tests.run.lessons import check, code, step, write
from tests.sandbox.conftest import ACCOUNT, Sandbox, running_sandbox

PLACE = {"aws": ACCOUNT, "gcp": PROJECT}
OTHER = {"aws": "999999999999", "gcp": "somebody-elses"}
IDENTITY = {"aws": {"sts:GetCallerIdentity"}, "gcp": {"serviceusage.googleapis.com:GetService"}}
MAKES = {"aws": "sns:CreateTopic", "gcp": "storage.googleapis.com:storage.buckets.insert"}
CLOUD = ("-p", "target=cloud")

CONNECTS = 'from ragonotebooks import connect\nlab = connect("{cloud}", target=target, name=name)'
CHANGES = {
    "aws": 'import boto3\ntopic = boto3.client("sns").create_topic(Name=name)',
    "gcp": 'from google.cloud import storage\nstorage.Client().create_bucket(f"{name}-of-{lab.project}")',
}
OPENS = 'from pathlib import Path\ncheck("the door is open", not Path("shut").exists())'


@dataclass(frozen=True)
class Shell:
    """The shell of a person whose own credentials lead to a real cloud, and who has a sandbox too.

    Attributes:
        real: What stands where the real cloud would be.
        sandbox: The name of their sandbox.
        folder: Their current folder; `aws.yaml` and `gcp.yaml` in it are runbooks that make one thing.
    """

    real: Sandbox
    sandbox: str
    folder: Path

    def do(self, *words: str, typed: str | None = None, **named: str) -> "subprocess.CompletedProcess[str]":
        """Run a command; with `typed` in a terminal in which the person types that."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RAGONOTEBOOKS_")}
        wide = {"RAGONOTEBOOKS_SANDBOX": self.sandbox, "COLUMNS": "200"}
        environment = clean | client.environment(self.real.state) | wide | named
        keyboard, terminal = pty.openpty()
        try:
            os.write(keyboard, f"{typed}\n".encode())
            return subprocess.run(
                [sys.executable, "-m", "ragonotebooks", *words],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL if typed is None else terminal,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            os.close(keyboard)
            os.close(terminal)

    def refused(self, *words: str, **more: str) -> str:
        """The one sentence with which a command is refused that has run nothing."""
        done = self.do(*words, **more)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stdout + done.stderr
        return done.stderr

    def calls(self) -> list[str]:
        """What the real cloud was asked so far."""
        return [f"{one.service}:{one.action}" for one in read_ledger(self.real.folder)]

    def changes(self) -> list[str]:
        return [f"{one.service}:{one.action}" for one in read_ledger(self.real.folder, mutating_only=True)]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("consent")
    for cloud, makes in CHANGES.items():
        parameters = code('name: str = "papers"', "parameters")
        connects = code(CONNECTS.format(cloud=cloud))
        cells = step(1, code(makes, "change"), check(), title="A thing"), step(2, check(OPENS), title="A door")
        path = write(folder / cloud / "01-one.ipynb", parameters, connects, *cells)
        (folder / f"{cloud}.yaml").write_text(f"title: Make it\ncloud: {cloud}\npurpose: Why.\nnotebooks: ['{path}']\n")
    with running_sandbox() as real:
        shell = Shell(real, f"{real.state.name}-own", folder)
        try:
            yield shell
        finally:
            client.down(shell.sandbox)


@pytest.mark.parametrize("cloud", PLACE)
def test_the_account_that_was_named_is_changed_and_no_sandbox(shell: Shell, cloud: str) -> None:
    before, out = len(shell.changes()), f"runs/named-{cloud}"
    done = shell.do("run", f"{cloud}.yaml", *CLOUD, "--yes", "--account", PLACE[cloud], "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shell.changes()[before:] == [MAKES[cloud]]
    assert client.find(shell.sandbox) is None


@pytest.mark.parametrize("cloud", PLACE)
def test_another_account_is_refused_when_no_more_than_the_identity_was_asked(shell: Shell, cloud: str) -> None:
    before = len(shell.calls())
    said = shell.refused("run", f"{cloud}.yaml", *CLOUD, "--yes", "--account", OTHER[cloud], "--out", "runs/other")
    assert OTHER[cloud] in said
    assert "nothing was changed" in said
    assert set(shell.calls()[before:]) <= IDENTITY[cloud]
    assert not (shell.folder / "runs" / "other").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (CLOUD, "run it in a terminal, or agree with --yes --account <account id>"),
        ((*CLOUD, "--account", ACCOUNT), "run it in a terminal, or agree with --yes --account <account id>"),
        ((*CLOUD, "--yes"), "name the one that you mean with --account"),
        (("--yes", "--account", ACCOUNT), "a sandbox answers; leave them out"),
    ],
    ids=["nobody is asked", "naming is not agreeing", "agreeing is not naming", "a sandbox needs none"],
)
def test_without_consent_nothing_is_asked_or_run(shell: Shell, words: tuple[str, ...], said: str) -> None:
    before = len(shell.calls())
    assert said in shell.refused("run", "aws.yaml", *words, "--out", "runs/none")
    assert len(shell.calls()) == before
    assert not (shell.folder / "runs" / "none").exists()


def test_a_person_sees_what_is_changed_where_and_types_the_account(shell: Shell) -> None:
    before = len(shell.changes())
    done = shell.do("run", "aws.yaml", *CLOUD, "-p", "name=typed", "--out", "runs/typed", typed=ACCOUNT)
    assert done.returncode == 0, done.stdout + done.stderr
    shown, _, ran = done.stdout.partition("Type the id of the account to agree: ")
    told = (f"arn:aws:iam::{ACCOUNT}:user/operator", ACCOUNT, "us-east-1", "typed", "aws/01-one", "1 · A thing")
    assert [fact for fact in told if fact not in shown] == []
    assert "A door" not in shown
    assert "1 · A thing" in ran
    assert shell.changes()[before:] == [MAKES["aws"]]


def test_typing_another_account_changes_nothing(shell: Shell) -> None:
    before = len(shell.calls())
    done = shell.do("run", "aws.yaml", *CLOUD, "--out", "runs/mistyped", typed="yes")
    assert done.returncode == 2
    assert f"'yes' is not the id of the account, {ACCOUNT}; nothing was changed" in done.stderr
    assert set(shell.calls()[before:]) == IDENTITY["aws"]


def test_a_run_is_resumed_with_consent_and_in_its_own_account(shell: Shell) -> None:
    shut = shell.folder / "aws" / "shut"
    shut.touch()
    agreed = ("--yes", "--account", ACCOUNT)
    assert shell.do("run", "aws.yaml", *CLOUD, *agreed, "--out", "runs/failed").returncode == 1
    shut.unlink()
    before = len(shell.calls())
    assert "run it in a terminal" in shell.refused("resume", "failed")
    assert f"is one in account {ACCOUNT}" in shell.refused("resume", "failed", "--yes", "--account", OTHER["aws"])
    assert len(shell.calls()) == before
    assert shell.do("resume", "failed", *agreed).returncode == 0


def test_a_verification_needs_the_name_of_the_account_and_no_consent(shell: Shell) -> None:
    before = len(shell.changes())
    named = shell.do("verify", "aws.yaml", *CLOUD, "--out", "runs/verified", RAGONOTEBOOKS_ACCOUNT=ACCOUNT)
    assert named.returncode == 0, named.stdout
    assert len(shell.changes()) == before


def test_without_a_target_the_sandbox_is_changed_whatever_the_credentials_are_for(shell: Shell) -> None:
    before = len(shell.calls())
    done = shell.do("run", "aws.yaml", "--out", "runs/plain", RAGONOTEBOOKS_ACCOUNT=ACCOUNT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(shell.calls()) == before
    changed = [f"{one.service}:{one.action}" for one in read_ledger(folder_of(shell.sandbox), mutating_only=True)]
    assert changed == [MAKES["aws"]]


@pytest.mark.parametrize("name", [*runbook.names(), *map(notebook.key_of, notebook.lessons())])
def test_the_defaults_of_everything_mean_the_sandbox(name: str) -> None:
    assert Request(runbook.load(name), "run", {}, "default").sandboxed


def asked(tmp_path: Path, cloud: str, *cells: object) -> Request:
    one = notebook.read(write(tmp_path / cloud / "01-one.ipynb", *cells))
    return Request(Runbook("book", "A book", cloud, "Why.", (one,)), "run", {"target": "cloud"}, "default")


def test_what_only_reads_is_asked_for_no_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGONOTEBOOKS_ACCOUNT", ACCOUNT)
    reads = asked(tmp_path, "aws", step(1, check()))
    assert consent.obtain(reads, reads.runbook.notebooks, None, yes=False).account == ACCOUNT
    both = asked(tmp_path, "compare", step(1, check()))
    assert consent.obtain(both, both.runbook.notebooks, None, yes=False) == both


def test_several_real_clouds_are_not_changed_at_once(tmp_path: Path) -> None:
    both = asked(tmp_path, "compare", step(1, code("1", "change"), check()))
    with pytest.raises(UsageError, match="book is on several clouds at once; on real ones it can only read"):
        consent.obtain(both, both.runbook.notebooks, ACCOUNT, yes=True)
