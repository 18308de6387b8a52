"""A run that is told to stop: it says so, keeps what it has, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nbformat
import pytest

from tests.run.lessons import check, code, errors, events, step, write

SLEEP = """
import os, pathlib, time
pathlib.Path("pid").write_text(str(os.getpid()))
time.sleep(60)
"""
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SLEEP


def wait_for(path: Path, process: subprocess.Popen[str]) -> str:
    while not path.exists() or not path.read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return path.read_text()


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files whose path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("signum", "cell", "shown"),
    [(signal.SIGINT, SLEEP, ["KeyboardInterrupt", "Interrupted"]), (signal.SIGTERM, DEAF, ["Interrupted"])],
    ids=["ctrl-c", "terminated while the cell ignores interrupts"],
)
def test_a_signal_stops_the_run_and_its_kernels(
    tmp_path: Path, short: Path, signum: int, cell: str, shown: list[str]
) -> None:
    first = write(tmp_path / "aws" / "01-first.ipynb", step(1, code(cell), check()), step(2, check()))
    second = write(tmp_path / "aws" / "02-second.ipynb", step(1, check()))
    book = tmp_path / "book.yaml"
    book.write_text(f"title: A book\ncloud: aws\npurpose: Why.\nnotebooks: ['{first}', '{second}']\n")
    command = [sys.executable, "-m", "ragonotebooks", "run", str(book), "--out", "out"]
    environment = os.environ | {"TMPDIR": str(short)}
    # A test run in the background inherits an ignored SIGINT.
    fresh = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, cwd=tmp_path, text=True, stdout=-1, stderr=-1, env=environment, preexec_fn=fresh
    ) as process:
        pid = int(wait_for(tmp_path / "aws" / "pid", process))
        process.send_signal(signum)
        output, problems = process.communicate(timeout=120)
    assert (process.returncode, problems) == (130, "")
    assert f"stopped by {signal.Signals(signum).name}" in output
    assert not is_alive(pid)
    assert list(short.glob("kernel-*")) == []
    saved = nbformat.read(tmp_path / "out" / "01-aws-01-first.ipynb", as_version=4)
    assert [errors(one) for one in saved.cells if errors(one)] == [shown]
    finished = [one for one in events(tmp_path / "out") if one["event"] == "step_finished" and one["step"]]
    assert [one["status"] for one in finished] == ["interrupted", "blocked", "blocked"]
    assert (tmp_path / "out" / "report.html").exists()
