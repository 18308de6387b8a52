"""What is to be run, and how."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.catalog.regions import CLOUDS
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.lesson import aws, gcp
from ragonotebooks.run.events import Listener
from ragonotebooks.run.results import Mode

_ACCOUNTS = {"aws": aws.NAMED, "gcp": gcp.NAMED}
"""The environment variables that name the account or project of the target `cloud`."""

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
    """

    runbook: Runbook
    mode: Mode
    values: dict[str, Value]
    sandbox: str
    source: str = ""
    out: Path | None = None
    listeners: Sequence[Listener] = ()
    on_passed: OnPassed = lambda notebook, values: None

    def values_of(self, notebook: Notebook) -> Values:
        """All values that hold in one of its notebooks."""
        return {parameter.name: self.values.get(parameter.name, parameter.default) for parameter in notebook.parameters}

    @property
    def sandboxed(self) -> bool:
        """Whether the sandbox answers."""
        return self._value("target") in ("sandbox", None)

    @property
    def target(self) -> str:
        """The cloud or sandbox that answers, for a reader."""
        if self.sandboxed:
            return f"sandbox {self.sandbox}"
        return f"the {self.runbook.cloud.upper()} cloud" if self.runbook.cloud in CLOUDS else "the clouds"

    @property
    def deployment(self) -> str | None:
        """What is changed, in words: the deployment's name and where it is; None when nothing is, or nothing by name."""
        cells = [cell for notebook in self.runbook.notebooks for cell in notebook.cells]
        name = self._value("name")
        if self.mode == "verify" or name is None or not any(cell.does == "change" for cell in cells):
            return None
        account = "" if self.sandboxed else os.environ.get(_ACCOUNTS[self.runbook.cloud], "")
        return f"deployment {name} in {self.target} {account}".strip()

    def _value(self, name: str) -> Value | None:
        defaults = {parameter.name: parameter.default for parameter in self.runbook.parameters}
        return self.values.get(name, defaults.get(name))
