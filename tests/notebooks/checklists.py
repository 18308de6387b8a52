"""A deployment's checklist as its tests use it: verified once where much is broken, and once where nothing is."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ragonotebooks.catalog import project
from tests.desk import Desk, Done, operators


@dataclass(frozen=True)
class Checklist:
    """A runbook with a checklist.

    Attributes:
        desk: Where everything is deployed.
        runbook: Its name.
    """

    desk: Desk
    runbook: str

    def verdict(self, folder: Path, breaks: Sequence[tuple[AbstractContextManager[None], str]]) -> str:
        """What is printed under the report where all this is broken at once, as far as the notebooks beside the breaks prove it.

        One verification finds them all, since it goes on behind a failure.
        """
        folder.mkdir()
        path = folder / "broken.yaml"
        with ExitStack() as broken:
            notebooks = tuple(dict.fromkeys(notebook for _, notebook in breaks))
            proven = {
                line: [proof for proof in proofs if proof.startswith(notebooks)]
                for line, proofs in self._book["checklist"].items()
            }
            lines = {line: proofs for line, proofs in proven.items() if proofs}
            book = self._book | {"notebooks": list(notebooks), "checklist": lines}
            path.write_text(yaml.safe_dump(book), encoding="utf-8")
            for one, _ in breaks:
                broken.enter_context(one)
            done = self.desk.ragonotebooks("verify", str(path), "--out", str(folder / "run"))
        assert done.code == 1, done.output
        return done.output.split("report  ")[1]

    def verify(self, folder: Path) -> Done:
        """Verify all of it."""
        return self.desk.ragonotebooks("verify", self.runbook, "--out", str(folder))

    def passes(self, done: Done, folder: Path) -> None:
        """Hold that every line passed, on the terminal and on the page, and that nothing was changed by that."""
        assert (done.code, operators(done)) == (0, []), done.output
        lines = self._book["checklist"]
        assert [line for line in lines if f"✓ pass    {line}" not in done.output] == []
        page = (folder / "checklist.html").read_text(encoding="utf-8")
        assert f"{len(lines)} of {len(lines)} lines pass" in page

    @property
    def _book(self) -> dict[str, Any]:
        path = project.runbooks() / f"{self.runbook}.yaml"
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def holds(verdict: str, line: str, said: str) -> None:
    """Hold that a line of the checklist fails, and says why."""
    found = re.search(rf"^✗ fail +{re.escape(line)}$(.*?)(?=^[✓✗∅] |\Z)", verdict, re.MULTILINE | re.DOTALL)
    assert found, verdict
    assert re.search(said, found[1]), found[1]
