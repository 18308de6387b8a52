"""The lock of a deployment: one run at a time, and nothing to clean up behind a dead one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ragonotebooks.errors import UsageError
from ragonotebooks.run import lock
from ragonotebooks.run.results import Status
from tests.run.lessons import check, code, run, step, write

HOLD = """
import sys, time
from ragonotebooks.run import lock
with lock.hold("deployment x in sandbox y", "deploy-aws"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.fixture
def holder() -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock of `deployment x in sandbox y`."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_holds_it_since_when_and_how_to_go_on(holder: "subprocess.Popen[str]") -> None:
    said = (
        rf"deployment x in sandbox y is locked by a run of deploy-aws since \d\d \w+ 20\d\d, [\d:]+ UTC "
        rf"\(process {holder.pid}, folder .*\); wait until it ends, or stop it with: kill {holder.pid}"
    )
    with pytest.raises(UsageError, match=said), lock.hold("deployment x in sandbox y", "release"):
        pass


def test_a_killed_holder_leaves_it_open_and_is_named_to_the_next(holder: "subprocess.Popen[str]") -> None:
    holder.kill()
    holder.wait()
    with lock.hold("deployment x in sandbox y", "release") as held:
        assert held.died
        assert (held.died.runbook, held.died.process) == ("deploy-aws", holder.pid)


def test_who_left_in_good_order_is_forgotten() -> None:
    for _ in range(2):
        with lock.hold("deployment x in sandbox y", "release") as held:
            assert held.died is None


def test_the_last_cell_of_a_killed_run_keeps_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_LAST_CELL", 0)
    with lock.hold("deployment x in sandbox y", "deploy-aws") as held:
        assert held.file is not None
        with subprocess.Popen(["sleep", "60"], pass_fds=[held.file]) as kernel:
            dead = subprocess.run(
                [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
            )
            (file,) = (tmp_path / f"ragonotebooks-{os.getuid()}-locks").iterdir()
            facts = json.loads(file.read_text())
            file.write_text(json.dumps(facts | {"process": int(dead.stdout)}))
            with pytest.raises(UsageError, match="is dead, but its last cell still works"):
                lock.hold("deployment x in sandbox y", "release").__enter__()
            kernel.kill()


def test_eight_deployments_are_held_side_by_side() -> None:
    with ExitStack() as stack:
        for number in range(8):
            stack.enter_context(lock.hold(f"deployment x in sandbox {number}", "deploy-aws"))


def test_what_a_run_starts_for_its_needs_shares_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    with lock.hold("deployment x in sandbox y", "deploy-aws") as held:
        for name, value in held.variables.items():
            monkeypatch.setenv(name, value)
        with lock.hold("deployment x in sandbox y", "aws/01-network") as below:
            assert below.file is None
        with lock.hold("deployment z in sandbox y", "aws/01-network") as other:
            assert other.file is not None


NAMED = code('name: str = "x"', "parameters")


def test_a_run_that_changes_waits_for_nobody_and_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-one.ipynb", NAMED, step(1, code("made = True", "change"), check()))
    with lock.hold("deployment x in sandbox testing", "deploy-aws"), pytest.raises(UsageError, match="is locked by"):
        run(path)
    assert not (tmp_path / "aws" / "out").exists()


def test_what_only_reads_needs_no_lock(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-one.ipynb", NAMED, step(1, check()))
    with lock.hold("deployment x in sandbox testing", "deploy-aws"):
        assert run(path)[0].status is Status.PASSED
