"""`ragonotebooks test`: what is done to cases, and what is said of those that do not hold."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ragonotebooks.catalog import project
from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.ledger import read_ledger
from tests.run.lessons import DRIFTED, check, code, step, write
from tests.sandbox.conftest import Sandbox, running_sandbox

STOP = """\
import os, signal, time

if count == 99:
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(60)
"""
DOOR = "title: A door\ncloud: aws\npurpose: Close it.\nnotebooks: [aws/01-door]\n"
CASES = """\
cases:
  - case: it is closed
    status: passed
    calls: none
  - case: it is open
    parameters: {count: 13}
    status: passed
  - case: it is closed again
    status: passed
"""
FAULTS = """\
cases:
  - case: a topic is there meanwhile
    faults:
      - call: sns:CreateTopic
        with: {Name: meanwhile}
    after:
      - call: sns:DeleteTopic
        with: {TopicArn: "arn:aws:sns:us-east-1:123456789012:meanwhile"}
    status: passed
    calls: none
  - case: a server is killed
    faults: [{kill: rds/*}]
    status: passed
  - case: a call is refused
    faults: [{refuse: s3:PutObject, error: AccessDenied}]
    status: passed
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a runbook, whose door is open when count is 13; returns its file of cases."""
    monkeypatch.setattr(project, "ROOT", tmp_path)
    drift = f"if count == 13:\n    {DRIFTED}"
    write(
        project.notebooks() / "aws" / "01-door.ipynb",
        step(1, code(STOP, "look"), check(drift), check(), title="A door"),
    )
    project.trials().mkdir(parents=True)
    (project.runbooks() / "door.yaml").write_text(DOOR, encoding="utf-8")
    (project.trials() / "door.yaml").write_text(CASES, encoding="utf-8")
    return project.trials() / "door.yaml"


def evidence(line: str) -> set[str]:
    """The names of the files that are left of a case's run; they are removed."""
    folder = Path(line.rpartition("; see ")[2])
    names = {path.name for path in folder.rglob("*")}
    shutil.rmtree(folder)
    return names


def try_cases(*words: str) -> Result:
    return CliRunner().invoke(app, ["test", *words])


def test_what_is_done_to_a_case_is_done_before_it_and_put_right_behind_it(door: Path, sandbox: Sandbox) -> None:
    door.write_text(FAULTS, encoding="utf-8")
    done = try_cases("door", "--name", sandbox.state.name)
    made, killed, refused = done.output.splitlines()
    assert made.startswith("✓ door · a topic is there meanwhile")
    assert "✗ door · a server is killed: no server 'rds/*' runs that could be killed" in killed
    assert "nobody called s3:PutObject, which was to be refused" in refused
    assert evidence(killed) == set()
    assert "events.jsonl" in evidence(refused)
    calls = [call.action for call in read_ledger(sandbox.folder) if call.service == "sns"]
    assert calls == ["CreateTopic", "DeleteTopic"]


def test_a_case_that_does_not_hold_is_named_with_its_reason_and_evidence(door: Path, sandbox: Sandbox) -> None:
    done = try_cases("door", "--name", sandbox.state.name)
    assert done.exit_code == 1
    first, second, third = done.output.splitlines()
    assert re.fullmatch(r"✓ door · it is closed \([\d.]+ s\)", first)
    assert second.startswith(
        "✗ door · it is open: it ended as 'failed' where 'passed' is expected: the door is closed: "
        "it is 'open', it should be 'closed'; see "
    )
    assert third.startswith("✓")
    assert "events.jsonl" in evidence(second)


def test_one_case_is_run_by_its_name(door: Path, sandbox: Sandbox) -> None:
    done = try_cases("door", "--case", "it is closed again", "--name", sandbox.state.name)
    assert done.exit_code == 0
    assert len(done.output.splitlines()) == 1


def test_whoever_interrupts_a_run_means_the_test(door: Path, sandbox: Sandbox) -> None:
    door.write_text(CASES.replace("calls: none", "parameters: {count: 99}"), encoding="utf-8")
    done = try_cases("door", "--name", sandbox.state.name)
    assert (done.exit_code, done.output) == (130, "")


def test_nothing_is_left_of_a_throw_away_sandbox(door: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, up = set[str](), client.up
    monkeypatch.setattr(client, "up", lambda name: started.add(name) or up(name))
    assert try_cases("door", "--case", "it is closed").exit_code == 0
    assert started
    assert not started & set(client.names())


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (["dor"], CASES, "there is no runbook or notebook 'dor'; did you mean 'door'?"),
        (["door", "--case", "it is close"], CASES, "door has no case 'it is close'; did you mean 'it is closed'?"),
        (["door"], CASES.replace("calls", "cals"), "has an unknown field 'cals'; did you mean 'calls'?"),
    ],
)
def test_bad_input_is_one_sentence(door: Path, words: list[str], text: str, said: str) -> None:
    door.write_text(text, encoding="utf-8")
    result = try_cases(*words)
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)
