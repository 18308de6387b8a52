"""`rehearse`: what it says of a runbook on both clouds, held against what a run then does."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from ragonotebooks.catalog import project
from ragonotebooks.catalog.runbook import load
from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError
from ragonotebooks.rehearse.calls import Place
from ragonotebooks.rehearse.plan import Steps, make
from ragonotebooks.run import events, history
from ragonotebooks.sandbox import client, rights
from ragonotebooks.sandbox.ledger import read_ledger
from ragonotebooks.sandbox.state import State, folder_of
from tests.run.lessons import DRIFTED, check, code, step, write

QUEUE = 'sqs = boto3.client("sqs")\nsqs.create_queue(QueueName=f"{lab.name}-before")'
BUCKET = """s3 = boto3.client("s3")
name = f"{lab.name}-{lab.account}"
s3.create_bucket(Bucket=name)
s3.put_object(Bucket=name, Key="papers/1", Body=b"text")"""
SECRET = """secrets = boto3.client("secretsmanager")
if not maybe(secrets.describe_secret, SecretId=f"{lab.name}/api"):
    secrets.create_secret(Name=f"{lab.name}/api", SecretString="a long secret of this test")"""
TASK = """iam = boto3.client("iam")
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
if not maybe(iam.get_role, RoleName=f"{lab.name}-task"):
    iam.create_role(RoleName=f"{lab.name}-task", AssumeRolePolicyDocument=json.dumps(trust))
boto3.client("ecs").register_task_definition(
    family=f"{lab.name}-task", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
    executionRoleArn=f"arn:aws:iam::{lab.account}:role/{lab.name}-task",
    containerDefinitions=[{"name": "main", "image": "busybox"}])"""
OBJECT = """storage = Storage(project=lab.project)
bucket = storage.lookup_bucket(f"{lab.name}-{lab.project}") or storage.create_bucket(f"{lab.name}-{lab.project}")
bucket.reload()
bucket.blob("papers/1").upload_from_string("text")"""


def connects(cloud: str, *imports: str) -> Any:
    return code("\n".join([*imports, "from ragonotebooks import connect, maybe", f'lab = connect("{cloud}")']))


@dataclass(frozen=True)
class Rehearsed:
    """A rehearsal with its proof: what it printed, its folder, the runbook, what its sandboxes were to remember."""

    output: str
    folder: Path
    runbook: Path
    remembered: list[str]

    @property
    def plan(self) -> Any:
        return json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(change["call"], change["resource"]) for change in self.plan["changes"]]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    root = tmp_path_factory.mktemp("rehearsed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "ROOT", root)
        remembered: list[str] = []
        patch.setattr(client, "mark_passed", lambda sandbox, key, values: remembered.append(key))
        (root / "data").symlink_to(Path(__file__).resolve().parents[2] / "data")
        notebooks = root / "notebooks"
        write(
            notebooks / "aws" / "01-before.ipynb",
            connects("aws", "import boto3"),
            step(1, code(QUEUE, "change"), check()),
        )
        write(
            notebooks / "aws" / "02-papers.ipynb",
            connects("aws", "import json", "import boto3"),
            step(
                1, code(BUCKET, "change"), check('check("one", len(s3.list_buckets()["Buckets"]), 1)'), title="A bucket"
            ),
            step(2, code(SECRET, "change"), check(), title="A secret"),
            step(3, code(TASK, "change"), check(), title="A task"),
        )
        write(
            notebooks / "gcp" / "01-papers.ipynb",
            connects("gcp", "from google.cloud.storage import Client as Storage"),
            step(1, code(OBJECT, "change"), check()),
        )
        book = root / "papers.yaml"
        fields = {
            "title": "Papers",
            "cloud": "aws",
            "purpose": "For a test.",
            "notebooks": ["aws/02-papers", "gcp/01-papers"],
        }
        book.write_text(yaml.safe_dump(fields), encoding="utf-8")
        words = ["rehearse", str(book), "--after", "aws/01-before", "--out", str(root / "out"), "--prove"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        yield Rehearsed(done.output, root / "out", book, list(remembered))


@pytest.fixture(scope="module")
def sandbox(rehearsed: Rehearsed) -> Iterator[State]:
    """Another one, where the runbook runs."""
    name = f"rehearsed-{os.getpid()}"
    try:
        yield client.up(name)
    finally:
        client.down(name)


def is_gone(output: str) -> bool:
    """Whether the sandbox that a rehearsal said it was in is no more."""
    found = re.search(r"rehearsal-[0-9a-f]+", output)
    return found is not None and found[0] not in client.names()


def test_a_run_changes_what_the_plan_says(rehearsed: Rehearsed, sandbox: State) -> None:
    out = rehearsed.folder.parent / "run"
    assert (
        CliRunner().invoke(app, ["run", str(rehearsed.runbook), "--name", sandbox.name, "--out", str(out)]).exit_code
        == 0
    )
    calls = [call for call in read_ledger(folder_of(sandbox.name)) if rights.is_operators(call)]
    place = Place(sandbox.account, sandbox.project, sandbox.project_number)
    steps = Steps()
    for event in events.read(out / events.FILE):
        steps(event)
    did = make(load(str(rehearsed.runbook)), history.read(out), steps, calls, place)
    told = [(change.step, change.call, change.resource) for change in did.changes]
    assert told == [(one["step"], one["call"], one["resource"]) for one in rehearsed.plan["changes"]]
    assert list(did.policies) == rehearsed.plan["policies"]
    assert did.role == rehearsed.plan["role"]


def test_changes_stand_in_order_with_their_steps(rehearsed: Rehearsed) -> None:
    assert rehearsed.changes == [
        ("s3:CreateBucket", "arn:aws:s3:::ragonometrics-${aws:PrincipalAccount}"),
        ("s3:PutObject", "arn:aws:s3:::ragonometrics-${aws:PrincipalAccount}/*"),
        ("secretsmanager:CreateSecret", "arn:aws:secretsmanager:us-east-1:*:secret:ragonometrics/api-??????"),
        ("iam:CreateRole", "arn:aws:iam::*:role/ragonometrics-task"),
        ("ecs:RegisterTaskDefinition", "arn:aws:ecs:us-east-1:*:task-definition/ragonometrics-task:*"),
        ("storage.buckets.insert", "projects/_/buckets/ragonometrics-PROJECT"),
        ("storage.objects.insert", "projects/_/buckets/ragonometrics-PROJECT/objects/*"),
    ]
    assert [change["step"] for change in rehearsed.plan["changes"]][1:3] == [
        "aws/02-papers · 1 · A bucket",
        "aws/02-papers · 2 · A secret",
    ]


def test_the_rights_are_those_of_iam_and_not_the_names_of_calls(rehearsed: Rehearsed) -> None:
    policy = json.loads((rehearsed.folder / "policy.json").read_text(encoding="utf-8"))
    allowed = {action for one in policy["Statement"] for action in one["Action"]}
    assert {"s3:ListAllMyBuckets", "iam:PassRole", "secretsmanager:DescribeSecret"} <= allowed
    assert not {"s3:ListBuckets", "sts:GetCallerIdentity"} & allowed
    role = yaml.safe_load((rehearsed.folder / "role.yaml").read_text(encoding="utf-8"))
    assert {"storage.buckets.create", "storage.buckets.get", "storage.objects.create"} <= set(
        role["includedPermissions"]
    )


def test_what_was_there_before_is_not_in_the_plan(rehearsed: Rehearsed) -> None:
    assert "sqs:" not in json.dumps(rehearsed.plan)


def test_each_sandbox_remembers_what_passed_so_that_connect_brings_nothing_up_again(rehearsed: Rehearsed) -> None:
    assert rehearsed.remembered == ["aws/01-before", "aws/02-papers", "gcp/01-papers"] * 2


def test_the_proof_passed_and_the_plan_says_so(rehearsed: Rehearsed) -> None:
    assert rehearsed.plan["proven"] is True
    assert "Proven: the runbook passed once more" in (rehearsed.folder / "plan.md").read_text(encoding="utf-8")
    assert "its rights are enough" in rehearsed.output
    assert (rehearsed.folder / "proof" / "report.html").is_file()


@pytest.mark.parametrize("right", ["iam:PassRole", "storage.objects.create"])
def test_without_one_of_its_rights_the_run_is_refused(rehearsed: Rehearsed, sandbox: State, right: str) -> None:
    policies, role = rehearsed.plan["policies"], rehearsed.plan["role"]
    for policy in policies:
        for statement in policy["Statement"]:
            statement["Action"] = [one for one in statement["Action"] if one != right]
        policy["Statement"] = [one for one in policy["Statement"] if one["Action"]]
    rights.limit(sandbox, policies, [one for one in role["includedPermissions"] if one != right])
    out = rehearsed.folder.parent / right
    done = CliRunner().invoke(app, ["run", str(rehearsed.runbook), "--name", sandbox.name, "--out", str(out)])
    assert done.exit_code == 1
    assert right in done.output


def test_a_runbook_that_fails_leaves_no_plan_and_no_sandbox(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-door.ipynb", step(1, check(DRIFTED)))
    done = CliRunner().invoke(app, ["rehearse", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "the door is closed" in done.output
    assert "resume" not in done.output
    assert not (tmp_path / "out" / "plan.json").exists()
    assert is_gone(done.output)


def test_a_rehearsal_that_is_told_to_end_leaves_no_sandbox(tmp_path: Path) -> None:
    ends = "import os, signal\nos.kill(os.getppid(), signal.SIGTERM)\nsignal.pause()"
    path = write(tmp_path / "aws" / "01-door.ipynb", step(1, code(ends, "change"), check()))
    words = [sys.executable, "-m", "ragonotebooks", "rehearse", str(path), "--out", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stdout + done.stderr
    assert is_gone(done.stdout)


def test_a_folder_that_holds_something_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-door.ipynb", step(1, check()))
    (tmp_path / "kept").touch()
    done = CliRunner().invoke(app, ["rehearse", str(path), "--out", str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    assert "is not empty" in str(done.exception)
    assert done.output == ""
