"""A sandbox from outside: up, found, down, and nothing left whatever happens."""

import os
import signal
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.errors import UsageError
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.status import absence, ask
from ragonotebooks.sandbox.watcher import descendants
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.instances import create


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_up_twice_is_one_sandbox(sandbox: Sandbox) -> None:
    assert client.up(sandbox.state.name) == sandbox.state
    assert client.find(sandbox.state.name) == sandbox.state


def test_down_leaves_no_process_and_no_file(another: Sandbox) -> None:
    pids = [another.state.pid, *descendants(another.state.pid)]
    assert client.down(another.state.name)
    assert not any(alive(pid) for pid in pids)
    assert not another.folder.exists()
    assert client.find(another.state.name) is None
    assert not client.down(another.state.name)


def test_a_daemon_killed_with_9_leaves_no_process_and_down_removes_its_folder(another: Sandbox) -> None:
    create(another, "doomed")
    pids = [another.state.pid, *descendants(another.state.pid)]
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]
    assert any(b"postgres" in command for command in commands)
    assert any(b"watcher.py" in command for command in commands)
    os.kill(another.state.pid, signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in pids))
    assert client.find(another.state.name) is None
    assert f"its process {another.state.pid} is gone" in absence(another.state.name)
    assert client.down(another.state.name)
    assert not another.folder.exists()


def test_a_sandbox_that_died_is_replaced_by_a_fresh_one(another: Sandbox) -> None:
    another.client("s3").create_bucket(Bucket="before")
    os.kill(another.state.pid, signal.SIGKILL)
    eventually(lambda: not alive(another.state.pid))
    fresh = Sandbox(client.up(another.state.name))
    assert fresh.state.pid != another.state.pid
    assert fresh.client("s3").list_buckets()["Buckets"] == []


def test_two_sandboxes_side_by_side_do_not_see_each_other(sandbox: Sandbox, another: Sandbox) -> None:
    sandbox.client("s3").create_bucket(Bucket="of-the-first")
    another.client("s3").create_bucket(Bucket="of-the-second")
    assert [bucket["Name"] for bucket in another.client("s3").list_buckets()["Buckets"]] == ["of-the-second"]
    with pytest.raises(ClientError, match="Not Found"):
        sandbox.client("s3").head_bucket(Bucket="of-the-second")
    assert {sandbox.state.name, another.state.name} <= set(client.names())


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-x", "a" * 33, "a b"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be used; take 1 to 32 lower-case letters"):
        client.up(name)


def test_the_status_counts_the_memory_of_the_daemon_and_its_servers(another: Sandbox) -> None:
    before = ask(another.state)
    create(another, "weighty")
    after = ask(another.state)
    assert before.servers == ()
    assert [(server.id, server.status) for server in after.servers] == [("weighty", "available")]
    assert before.memory_mb > 20
    assert after.memory_mb > before.memory_mb
