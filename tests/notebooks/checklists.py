"""A deployment's checklist as its tests use it: one line verified where something is broken, and all of it where nothing is."""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ragonotebooks.catalog import project
from tests.desk import Desk


@dataclass(frozen=True)
class Checklist:
    """A runbook with a checklist.

    Attributes:
        desk: Where everything is deployed.
        runbook: Its name.
    """

    desk: Desk
    runbook: str

    def finds(self, folder: Path, broken: AbstractContextManager[None], line: str, notebook: str, said: str) -> None:
        """Hold that a line fails where something is broken, as far as a notebook proves it, and that it says why."""
        path = folder / "line.yaml"
        proofs = [proof for proof in self._book["checklist"][line] if proof.startswith(notebook)]
        book = self._book | {"notebooks": [notebook], "checklist": {line: proofs}}
        path.write_text(yaml.safe_dump(book), encoding="utf-8")
        with broken:
            done = self.desk.ragonotebooks("verify", str(path), "--out", str(folder / "run"))
        assert done.code == 1, done.output
        verdict = done.output.split("report  ")[1]
        assert re.search(rf"^✗ fail +{re.escape(line)}$", verdict, re.MULTILINE), done.output
        assert re.search(said, verdict), done.output

    def passes(self, folder: Path) -> None:
        """Hold that every line passes, on the terminal and on the page."""
        done = self.desk.ragonotebooks("verify", self.runbook, "--out", str(folder))
        assert done.code == 0, done.output
        lines = self._book["checklist"]
        assert [line for line in lines if f"✓ pass    {line}" not in done.output] == []
        page = (folder / "checklist.html").read_text(encoding="utf-8")
        assert f"{len(lines)} of {len(lines)} lines pass" in page

    @property
    def _book(self) -> dict[str, Any]:
        path = project.runbooks() / f"{self.runbook}.yaml"
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")))
