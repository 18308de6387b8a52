"""The watcher: nothing survives the daemon, whenever it was started."""

import signal
import subprocess

import pytest

from ragonotebooks.sandbox.watcher import Kind, Watcher


@pytest.mark.parametrize("kind", ["server", "task"])
def test_what_runs_ends_with_the_daemon(kind: Kind) -> None:
    watcher, process = Watcher(), subprocess.Popen(["sleep", "600"])
    watcher.add(process.pid, kind)
    watcher.finish()
    assert process.wait(60) in (-signal.SIGQUIT, -signal.SIGKILL)


def test_what_is_started_while_the_daemon_ends_does_not_live() -> None:
    watcher = Watcher()
    watcher.finish()
    process = subprocess.Popen(["sleep", "600"])
    watcher.add(process.pid, "server")
    assert process.wait(60) == -signal.SIGKILL
