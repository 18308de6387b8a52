"""`ragonotebooks sandbox`: as a person and as a foreign program use it."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.watcher import descendants
from tests.sandbox.conftest import eventually


def command(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `ragonotebooks sandbox …` as its own process."""
    program = [sys.executable, "-m", "ragonotebooks", "sandbox", *words]
    return subprocess.run(program, capture_output=True, text=True, env={**os.environ, **variables}, check=False)


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    """A sandbox that runs."""
    name = f"test-{secrets.token_hex(4)}"
    started = command("up", "--name", name)
    assert started.returncode == 0, started.stderr
    assert f"sandbox env --name {name}" in started.stdout
    yield name
    client.down(name)


def test_the_status_names_process_folder_gateway_and_memory(name: str) -> None:
    status = json.loads(command("status", "--name", name, "--json").stdout)
    state = client.find(name)
    assert state
    assert (status["name"], status["running"], status["pid"]) == (name, True, state.pid)
    assert status["gateway"] == f"http://127.0.0.1:{state.port}"
    assert Path(status["folder"]).is_dir()
    assert status["memory_mb"] > 20
    assert status["servers"] == []
    assert str(state.pid) in command("status", "--name", name).stdout


def test_the_name_is_taken_from_the_environment(name: str) -> None:
    assert json.loads(command("status", "--json", RAGONOTEBOOKS_SANDBOX=name).stdout)["name"] == name


def test_all_sandboxes_are_listed(name: str) -> None:
    assert name in [one["name"] for one in json.loads(command("status", "--all", "--json").stdout)]


def test_env_is_all_that_a_foreign_program_needs(name: str) -> None:
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    script = (
        f'eval "$({sys.executable} -m ragonotebooks sandbox env --name {name})" && exec {sys.executable} -c "{program}"'
    )
    misled = {"AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "stale", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    shell = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, env={**os.environ, **misled}, check=False
    )
    assert shell.stderr == ""
    assert shell.stdout.strip() == "123456789012"


def test_the_ledger_shows_what_was_called(name: str) -> None:
    state = client.find(name)
    assert state
    script = "import boto3; s3 = boto3.client('s3'); s3.create_bucket(Bucket='seen'); s3.list_buckets()"
    environment = {**os.environ, **client.environment(state)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    calls = [json.loads(line) for line in command("ledger", "--name", name, "--json").stdout.splitlines()]
    assert len(calls) >= 2
    fields = {
        "time",
        "caller",
        "service",
        "action",
        "region",
        "resource",
        "status",
        "error",
        "mutating",
        "ms",
        "injected",
        "needs",
    }
    assert set(calls[0]) == fields
    changes = [
        json.loads(line) for line in command("ledger", "--name", name, "--json", "--mutating").stdout.splitlines()
    ]
    assert [(call["service"], call["action"]) for call in changes] == [("s3", "CreateBucket")]
    assert "CreateBucket" in command("ledger", "--name", name).stdout


def test_the_logs_begin_with_the_daemons(name: str) -> None:
    assert command("logs", "--name", name).stdout.startswith("==> daemon <==\n")
    refused = command("logs", "--name", name, "--server", "absent")
    assert (refused.returncode, "runs no server absent" in refused.stderr) == (2, True)


def test_without_a_sandbox_each_command_says_so_in_one_sentence() -> None:
    absent = ["--name", "never-started"]
    fix = "no sandbox never-started runs; start it with: ragonotebooks sandbox up --name never-started\n"
    codes = {}
    for verb in ("status", "env", "logs", "ledger"):
        done = command(verb, *absent)
        assert (done.stdout, done.stderr) == ("", f"ragonotebooks: {fix}")
        codes[verb] = done.returncode
    assert codes == {"status": 1, "env": 2, "logs": 2, "ledger": 2}
    assert command("down", *absent).stdout == "there was no sandbox never-started\n"


@pytest.mark.parametrize("verb", ["up", "down", "status", "env", "logs", "ledger"])
def test_a_name_that_cannot_be_used_ends_with_2(verb: str) -> None:
    done = command(verb, "--name", "Not/Good")
    assert done.returncode == 2
    assert "the sandbox name 'Not/Good' cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sandbox_of_another_version_is_told_with_how_to_end_it() -> None:
    # pytest's own folders have too long a path for a sandbox
    with tempfile.TemporaryDirectory(prefix="old-") as short:
        folder = Path(short) / f"ragonotebooks-{os.getuid()}" / "old"
        folder.mkdir(parents=True)
        (folder / "sandbox.json").write_text('{"name": "old", "pid": 4711}', encoding="utf-8")
        done = command("status", "--name", "old", TMPDIR=short)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"another version of ragonotebooks; end it with: kill 4711; rm -r {folder}" in done.stderr


def test_a_daemon_that_died_is_told_in_one_sentence_and_down_removes_what_it_left() -> None:
    name = f"test-{secrets.token_hex(4)}"
    state = client.up(name)
    family = [state.pid, *descendants(state.pid)]
    os.kill(state.pid, signal.SIGKILL)
    eventually(lambda: client.find(name) is None)
    died = command("status", "--name", name)
    assert died.returncode == 1
    assert died.stderr.startswith(f"ragonotebooks: the sandbox {name} died, its process {state.pid} is gone; ")
    assert died.stderr.count("\n") == 1
    assert command("env", "--name", name).returncode == 2
    assert command("logs", "--name", name).returncode == 0
    assert command("down", "--name", name).stdout == f"the sandbox {name} is gone\n"
    assert name not in client.names()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))
