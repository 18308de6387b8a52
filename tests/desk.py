"""A person at a shell with a sandbox of their own, and what lessons that they executed show."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragonotebooks.catalog import notebook, project
from ragonotebooks.catalog.evidence import CHECK_MIME
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.ledger import Call, read_ledger
from ragonotebooks.sandbox.state import folder_of
from tests.sandbox.conftest import Sandbox

Proofs = dict[str, dict[str, list[int]]]
"""Exam → objective → the steps that prove it."""


@dataclass(frozen=True)
class Done:
    """A command that has ended, and what it changed in the cloud."""

    code: int
    output: str
    changes: list[Call]


@dataclass(frozen=True)
class Desk:
    """A person's shell, whose sandbox is one of its own.

    Attributes:
        sandbox: Its name.
        folder: Where files of theirs go.
    """

    sandbox: str
    folder: Path

    def do(self, *words: str) -> Done:
        """Run a Python program such as `ragonotebooks` in the checkout."""
        before = len(self.changes())
        environment = {**os.environ, "RAGONOTEBOOKS_SANDBOX": self.sandbox, "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=project.ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, self.changes()[before:])

    def ragonotebooks(self, *words: str) -> Done:
        return self.do("ragonotebooks", *words)

    def changes(self) -> list[Call]:
        """The calls so far that could change something."""
        return list(read_ledger(folder_of(self.sandbox), mutating_only=True)) if client.find(self.sandbox) else []

    def aws(self, service: str) -> Any:
        """The operator's boto3 client."""
        state = client.find(self.sandbox)
        assert state
        return Sandbox(state).client(service)

    def passed(self, lesson: str) -> bool:
        return client.passed(self.sandbox, lesson, {})


def operators(done: Done) -> list[Call]:
    """What the person changed; the services that run meanwhile write their logs all the time."""
    return [call for call in done.changes if ":assumed-role/" not in call.caller]


def checks(executed: Path) -> list[tuple[str, bool]]:
    """The claims that an executed notebook holds, in order, and whether they hold."""
    records = [output["data"].get(CHECK_MIME) for cell in notebook.read(executed).cells for output in cell.outputs]
    return [(record["claim"], record["passed"]) for record in records if record]


def proven(desk: Desk, *options: str) -> Proofs:
    """What the committed lessons prove, or with `--run FOLDER` a run."""
    exams = json.loads(desk.ragonotebooks("objectives", "--json", *options).output)
    return {
        exam["exam"]: {one["id"]: [proof["step"] for proof in one["evidence"]] for one in exam["objectives"]}
        for exam in exams
    }


def unproven(ran: Proofs, committed: Proofs) -> list[tuple[str, str]]:
    """Exam and objective of what a run proves by steps of which the committed lessons do not all prove it."""
    proofs = [(exam, one, set(steps)) for exam, objectives in ran.items() for one, steps in objectives.items()]
    return [(exam, one) for exam, one, steps in proofs if not steps <= set(committed[exam][one])]


def all_cells(lessons: Sequence[str]) -> str:
    """What nbval's last line begins with when every cell passed, and nothing but the exercises was left out."""
    cells = [cell for path in lessons for cell in notebook.read(Path(path)).cells if cell.kind == "code"]
    exercises = [cell for cell in cells if "nbval-skip" in cell.tags]
    return f"{len(cells) - len(exercises)} passed, {len(exercises)} skipped"
