"""`connect`: which cloud a kernel's clients talk to, and what is refused before anything happens."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from google.cloud import storage
from googleapiclient.discovery import build

from ragonotebooks import connect
from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.lesson import connect as module
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.ledger import read_ledger
from tests.sandbox.conftest import ACCOUNT, Sandbox, running_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as mine:
        yield mine


@pytest.fixture(scope="module")
def abroad() -> Iterator[Sandbox]:
    """Stands for a real cloud: a person's own credentials lead there."""
    with running_sandbox() as theirs:
        yield theirs


@pytest.fixture(autouse=True)
def kernel(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment that is as it was afterwards, with the sandbox to use named in it."""
    before = dict(os.environ)
    monkeypatch.setattr(module, "_before", None)
    for variable in ("RAGONOTEBOOKS_RUN", "RAGONOTEBOOKS_ACCOUNT", "RAGONOTEBOOKS_PROJECT"):
        os.environ.pop(variable, None)
    os.environ["RAGONOTEBOOKS_SANDBOX"] = sandbox.state.name
    yield
    os.environ.clear()
    os.environ |= before
    boto3.DEFAULT_SESSION = None


@pytest.fixture
def travelling(abroad: Sandbox) -> None:
    """The person's own environment leads to the real cloud."""
    home = os.environ["RAGONOTEBOOKS_SANDBOX"]
    os.environ |= {**client.environment(abroad.state), "RAGONOTEBOOKS_SANDBOX": home}


def access_key() -> str:
    """Who a plain client of this kernel is."""
    return str(boto3.client("s3")._request_signer._credentials.access_key)


def changes(sandbox: Sandbox) -> list[str]:
    return [call.action for call in read_ledger(sandbox.folder, mutating_only=True)]


def test_the_lab_says_where_a_lesson_works(sandbox: Sandbox) -> None:
    lab = connect("aws", region="eu-central-1", name="papers")
    assert (lab.cloud, lab.target, lab.region, lab.name, lab.account) == (
        "aws",
        "sandbox",
        "eu-central-1",
        "papers",
        ACCOUNT,
    )
    assert lab.identity == f"arn:aws:iam::{ACCOUNT}:user/operator"
    assert (lab.root / "notebooks" / "aws").is_dir()
    assert lab.tags == [{"Key": "deployment", "Value": "papers"}, {"Key": "managed-by", "Value": "ragonotebooks"}]


def test_the_lab_of_google_cloud_names_a_project_and_a_person(sandbox: Sandbox) -> None:
    os.environ["RAGONOTEBOOKS_PROJECT"] = "a-real-one"
    lab = connect("gcp", name="papers")
    assert (lab.cloud, lab.region, lab.project) == ("gcp", "us-central1", sandbox.state.project)
    assert lab.member == "user:operator@ragonometrics.example"
    assert replace(lab, identity="ci@p.iam.gserviceaccount.com").member.startswith("serviceAccount:ci@")
    assert lab.labels == {"deployment": "papers", "managed-by": "ragonotebooks"}
    assert list(storage.Client().list_buckets()) == []
    usage = build("serviceusage", "v1").services()
    assert usage.list(parent=f"projects/{lab.project}", filter="state:ENABLED").execute()["services"]


@pytest.mark.usefixtures("travelling")
def test_a_real_project_is_refused_unless_it_is_named_and_the_callers(abroad: Sandbox) -> None:
    with pytest.raises(UsageError, match="RAGONOTEBOOKS_PROJECT=<project id>"):
        connect("gcp", target="cloud")
    os.environ["RAGONOTEBOOKS_PROJECT"] = "somebody-elses"
    with pytest.raises(UsageError, match=r"project somebody-elses cannot be read: .*; nothing was changed"):
        connect("gcp", target="cloud")
    os.environ["RAGONOTEBOOKS_PROJECT"] = abroad.state.project
    assert connect("gcp", target="cloud").project == abroad.state.project
    assert changes(abroad) == []


def test_plain_clients_work_on_the_sandbox_afterwards(sandbox: Sandbox) -> None:
    connect("aws", region="eu-central-1")
    assert access_key() == sandbox.state.access_key
    assert boto3.client("ec2").meta.region_name == "eu-central-1"


def test_a_default_session_that_was_made_before_is_forgotten(sandbox: Sandbox) -> None:
    boto3.setup_default_session(aws_access_key_id="mine", aws_secret_access_key="mine", region_name="us-west-2")
    connect("aws")
    assert access_key() == sandbox.state.access_key


def test_what_would_lead_clients_elsewhere_is_unset() -> None:
    for variable in client.FOREIGN_VARIABLES:
        os.environ[variable] = "elsewhere"
    connect("aws")
    assert not [variable for variable in client.FOREIGN_VARIABLES if variable in os.environ]


@pytest.mark.usefixtures("travelling")
def test_switching_targets_switches_there_and_back(sandbox: Sandbox, abroad: Sandbox) -> None:
    os.environ |= {"RAGONOTEBOOKS_ACCOUNT": ACCOUNT, "AWS_SESSION_TOKEN": ""}
    own = dict(os.environ)
    connect("aws")
    assert access_key() == sandbox.state.access_key
    assert connect("aws", target="cloud", region="us-east-1").target == "cloud"
    assert dict(os.environ) == own
    assert access_key() == abroad.state.access_key
    connect("aws")
    assert access_key() == sandbox.state.access_key


@pytest.mark.usefixtures("travelling")
def test_the_cloud_is_refused_without_an_account_and_the_kernel_stays_where_it_was(sandbox: Sandbox) -> None:
    connect("aws")
    with pytest.raises(UsageError, match="RAGONOTEBOOKS_ACCOUNT=<account id>"):
        connect("aws", target="cloud")
    assert access_key() == sandbox.state.access_key


@pytest.mark.usefixtures("travelling")
def test_another_account_is_refused_before_anything_is_changed(sandbox: Sandbox, abroad: Sandbox) -> None:
    os.environ["RAGONOTEBOOKS_ACCOUNT"] = "999999999999"
    connect("aws")
    with pytest.raises(UsageError, match=f"for account {ACCOUNT}, not 999999999999"):
        connect("aws", target="cloud", needs=["01-network"])
    assert changes(abroad) == []
    assert access_key() == sandbox.state.access_key


@pytest.mark.usefixtures("travelling")
def test_what_is_missing_in_the_cloud_is_named_with_its_command_and_not_made(abroad: Sandbox) -> None:
    os.environ["RAGONOTEBOOKS_ACCOUNT"] = ACCOUNT
    command = "ragonotebooks run aws/01-network -p target=cloud -p region=us-east-1 -p name=papers"
    with pytest.raises(RagonotebooksError, match=f"aws/01-network is not in place; bring it with: {command}"):
        connect("aws", target="cloud", name="papers", needs=["01-network"])
    assert changes(abroad) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"cloud": "azure"}, "connect knows the clouds 'aws' and 'gcp', not 'azure'"),
        ({"cloud": "aws", "target": "sandpit"}, "target is 'sandbox' or 'cloud', not 'sandpit'"),
        (
            {"cloud": "aws", "region": "us-eats-1"},
            "region 'us-eats-1' does not exist on AWS; did you mean 'us-east-1'?",
        ),
    ],
)
def test_what_connect_does_not_know_is_refused(arguments: dict[str, Any], problem: str) -> None:
    environment = dict(os.environ)
    with pytest.raises(UsageError) as raised:
        connect(**arguments)
    assert str(raised.value) == problem
    assert dict(os.environ) == environment


def test_what_a_lesson_needs_is_brought_up_once(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    connect("aws", needs=["01-network"])
    assert "aws/01-network is needed first: run …" in capsys.readouterr().out
    assert changes(sandbox).count("CreateVpc") == 1
    made = changes(sandbox)
    connect("aws", needs=["01-network"])
    assert "needed" not in capsys.readouterr().out
    assert changes(sandbox) == made


def test_a_need_of_another_deployment_does_not_count(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(module, "_command", lambda verb, notebook, parameters: asked.append((verb, notebook)) or True)
    for lesson in ("aws/01-network", "aws/02-storage"):
        client.mark_passed(sandbox.state.name, lesson, {"name": "papers"})
    connect("aws", name="papers", needs=["02-storage"])
    assert asked == []
    connect("aws", name="others", needs=["02-storage"])
    assert asked == [("run", "aws/01-network"), ("run", "aws/02-storage")]


def test_verifying_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    os.environ |= {"RAGONOTEBOOKS_RUN": "verify", "RAGONOTEBOOKS_SANDBOX": "never-started"}
    with pytest.raises(UsageError, match="no sandbox never-started runs"):
        connect("aws")
    assert client.find("never-started") is None


def test_verifying_brings_nothing_up(sandbox: Sandbox) -> None:
    os.environ["RAGONOTEBOOKS_RUN"] = "verify"
    made = changes(sandbox)
    connect("aws", name="verified", needs=["01-network"])
    assert changes(sandbox) == made
