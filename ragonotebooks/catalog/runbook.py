"""A runbook: an ordered list of notebooks that together do one job. Read from `runbooks/*.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragonotebooks.catalog import checklist, notebook, project, yaml_file
from ragonotebooks.catalog.checklist import Line
from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.catalog.parameters import Parameter
from ragonotebooks.catalog.regions import CLOUDS
from ragonotebooks.catalog.values import convert, settle
from ragonotebooks.errors import UsageError

_FIELDS = ("title", "cloud", "purpose", "notebooks")
_OPTIONAL = ("checklist",)


@dataclass(frozen=True, slots=True)
class Runbook:
    """Notebooks in the order in which they run.

    name: the file's name without suffix, or the notebook's key for a runbook of one.
    cloud: `aws` or `gcp`.
    checklist: the lines under which its checks are gathered; most runbooks have none.
    """

    name: str
    title: str
    cloud: str
    purpose: str
    notebooks: tuple[Notebook, ...]
    checklist: tuple[Line, ...] = ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of all its notebooks, each once, in the order of first appearance."""
        merged: dict[str, Parameter] = {}
        for one in self.notebooks:
            for parameter in one.parameters:
                first = merged.setdefault(parameter.name, parameter)
                if (first.form, first.default) != (parameter.form, parameter.default):
                    raise UsageError(
                        f"parameter '{parameter.name}' is {_declared(parameter)} in {one.key} but {_declared(first)} "
                        f"in a notebook before it in runbook '{self.name}'; give it one type and default"
                    )
        return tuple(merged.values())

    def bind(self, values: dict[str, str]) -> dict[str, Value]:
        """Turn strings, of the command line or a file, into values as the parameters are declared.

        Returns the given ones only; the others keep the default that stands in the notebook. A UsageError names an
        unknown parameter with the nearest one, one that is missing, a value that its parameter does not take, or a
        secret that is not where its reference says. It never repeats the value of a secret.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in known:
                raise UsageError(f"'{self.name}' has no parameter '{name}'; {did_you_mean(name, known)}")
        given = {name: convert(known[name], text, self.cloud) for name, text in values.items()}
        for name, parameter in known.items():
            settle(parameter, given.get(name, parameter.default))
        return given


def load(name: str) -> Runbook:
    """The runbook with this name or path, or a runbook of the one notebook with this key or path.

    A UsageError names the nearest runbook or notebook, or what is wrong with the file.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return read(path)
    inside = project.runbooks() / f"{name}.yaml"
    if inside.is_file():
        return read(inside)
    return _of_one(name)


def names() -> list[str]:
    """The names of all runbooks of the checkout."""
    return [path.stem for path in sorted(project.runbooks().glob("*.yaml"))]


def read(path: Path) -> Runbook:
    """Read a runbook's file; a UsageError names the file and what is wrong with it."""
    data = _fields(path)
    notebooks = tuple(notebook.read(_member(path, key)) for key in data["notebooks"])
    lines = _lines(path, data.get("checklist"), notebooks)
    return Runbook(path.stem, data["title"], data["cloud"], data["purpose"], notebooks, lines)


def _of_one(name: str) -> Runbook:
    known = [*names(), *map(notebook.key_of, [*notebook.lessons(), *notebook.procedures()])]
    try:
        one = notebook.read(notebook.find(name))
    except UsageError:
        if Path(name).is_file():
            raise
        raise UsageError(f"there is no runbook or notebook '{name}'; {did_you_mean(name, known)}") from None
    return Runbook(one.key, one.title, one.cloud, one.purpose, (one,))


def _fields(path: Path) -> dict[str, Any]:
    shown = project.shown(path)
    data = yaml_file.fields(shown, "a runbook", yaml_file.load(path), _FIELDS, _OPTIONAL)
    if data["cloud"] not in CLOUDS:
        raise UsageError(f"{shown} is for cloud '{data['cloud']}', which is not supported; use {' or '.join(CLOUDS)}")
    if not isinstance(data["notebooks"], list) or not all(isinstance(key, str) for key in data["notebooks"]):
        raise UsageError(f"{shown}: 'notebooks' is not a list of keys; write one `- aws/01-network` a line")
    return data


def _lines(path: Path, data: Any, notebooks: tuple[Notebook, ...]) -> tuple[Line, ...]:
    try:
        return checklist.parse(data, notebooks) if data is not None else ()
    except UsageError as error:
        raise UsageError(f"{project.shown(path)}: {error}") from None


def _member(path: Path, key: str) -> Path:
    try:
        return notebook.find(key)
    except UsageError as error:
        raise UsageError(f"{project.shown(path)}: {error}") from None


def _declared(parameter: Parameter) -> str:
    default = "..." if parameter.default is None else repr(parameter.default)
    return f"`{parameter.declared} = {default}`"
