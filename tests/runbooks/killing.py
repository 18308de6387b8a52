"""`python -m tests.runbooks.killing RUNBOOK`: kills a runbook's run with -9 at every one of its steps and resumes it each time.

Prints how long the resumptions took to start and what a run behind the last one still changes, and fails unless both pass. It
takes several times as long as the runbook; the tests do the same with a small one (`tests/run/test_resume.py`).
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

import typer

from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.ledger import read_ledger
from ragonotebooks.sandbox.state import folder_of


def main(runbook: str) -> None:
    """Kill and resume until the run has passed, then run it once more."""
    sandbox = f"killing-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        try:
            kills, starts = _kill_everywhere(runbook, sandbox, run)
            changes = _changes_of_another_run(runbook, sandbox, Path(folder) / "again")
        finally:
            client.down(sandbox)
    typer.echo(f"killed at {kills} steps; resumptions started in {median(starts):.2f} s, at most {max(starts):.2f} s")
    typer.echo(f"a run behind it changes: {', '.join(changes) or 'nothing'}")


def _kill_everywhere(runbook: str, sandbox: str, run: Path) -> tuple[int, list[float]]:
    words, done, starts = ["run", runbook, "--name", sandbox, "--out", str(run)], set[tuple[str, int]](), list[float]()
    while True:
        before, began = len(_events(run)), monotonic()
        process = subprocess.Popen([sys.executable, "-m", "ragonotebooks", *words], stdout=-1, stderr=-2, text=True)
        started = None
        while process.poll() is None:
            new = _events(run)[before:]
            if started is None and any(one["event"] == "notebook_started" for one in new):
                started = monotonic() - began
            steps = {(one["notebook"], one["step"]) for one in new if one["event"] == "step_started" and one["step"]}
            if steps - done:
                process.kill()
                done |= steps
            sleep(0.02)
        output, _ = process.communicate()
        starts += [started] if started is not None and before else []
        if process.returncode != -9:
            assert process.returncode == 0, output
            return len(done), starts
        typer.echo("killed at {} {}".format(*max(done)))
        words = ["resume", str(run)]


def _changes_of_another_run(runbook: str, sandbox: str, out: Path) -> list[str]:
    before = len(_changes(sandbox))
    words = ["run", runbook, "--name", sandbox, "--out", str(out)]
    subprocess.run([sys.executable, "-m", "ragonotebooks", *words], check=True, stdout=subprocess.DEVNULL)
    return sorted(set(_changes(sandbox)[before:]))


def _changes(sandbox: str) -> list[str]:
    return [f"{call.service}:{call.action}" for call in read_ledger(folder_of(sandbox), mutating_only=True)]


def _events(run: Path) -> list[dict[str, Any]]:
    log = run / "events.jsonl"
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").split("\n")[:-1]]


if __name__ == "__main__":
    os.environ.pop("RAGONOTEBOOKS_RUN", None)
    main(*sys.argv[1:])
