"""What is to be run, and how."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.lesson.identity import CLOUDS
from ragonotebooks.run.events import Listener
from ragonotebooks.run.results import Mode

Values = dict[str, Value | None]
"""All values that hold in a notebook; None for a required one that was not given."""

OnPassed = Callable[[Notebook, Values], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to run and how.

    values: the given parameters; each notebook gets those that it declares.
    sandbox: the name of the sandbox that answers when the target is the sandbox.
    source: how the runbook is found again when the run is resumed: its name, or the absolute path of its file.
    out: the run folder, new or empty; `runs/<UTC time>-<runbook>` in the current folder when None.
    listeners: are told of every event, in order.
    on_passed: is called after each notebook that passed, with all values that held in it.
    account: the account or project of a real cloud that is meant; empty for the one that the environment names.
    """

    runbook: Runbook
    mode: Mode
    values: dict[str, Value]
    sandbox: str
    source: str = ""
    out: Path | None = None
    listeners: Sequence[Listener] = ()
    on_passed: OnPassed = lambda notebook, values: None
    account: str = ""

    def values_of(self, notebook: Notebook) -> Values:
        """All values that hold in one of its notebooks."""
        return {parameter.name: self.values.get(parameter.name, parameter.default) for parameter in notebook.parameters}

    @property
    def sandboxed(self) -> bool:
        """Whether the sandbox answers."""
        return self.value("target") in ("sandbox", None)

    @property
    def target(self) -> str:
        """The cloud or sandbox that answers, for a reader."""
        if self.sandboxed:
            return f"sandbox {self.sandbox}"
        return f"the {self.runbook.cloud.upper()} cloud" if self.runbook.cloud in CLOUDS else "the clouds"

    @property
    def variables(self) -> dict[str, str]:
        """What a kernel's environment says of this: the sandbox, the mode, and the account that is meant."""
        named = {CLOUDS[self.runbook.cloud].NAMED: self.account} if self.account else {}
        return {"RAGONOTEBOOKS_SANDBOX": self.sandbox, "RAGONOTEBOOKS_RUN": self.mode} | named

    @property
    def changes(self) -> bool:
        """Whether it can change anything: it executes change cells."""
        cells = [cell for notebook in self.runbook.notebooks for cell in notebook.cells]
        return self.mode != "verify" and any(cell.does == "change" for cell in cells)

    @property
    def deployment(self) -> str | None:
        """What is changed, in words: the deployment's name and where it is; None when nothing is, or nothing by name."""
        name = self.value("name")
        if name is None or not self.changes:
            return None
        account = "" if self.sandboxed else self.account or os.environ.get(CLOUDS[self.runbook.cloud].NAMED, "")
        return f"deployment {name} in {self.target} {account}".strip()

    def value(self, name: str) -> Value | None:
        """The value of a parameter, given or by default; None when there is none."""
        defaults = {parameter.name: parameter.default for parameter in self.runbook.parameters}
        return self.values.get(name, defaults.get(name))
