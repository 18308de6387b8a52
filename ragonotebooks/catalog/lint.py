"""Checks lessons and runbooks against numbered rules; every problem names its place and its fix."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ragonotebooks.catalog import notebook, project, runbook
from ragonotebooks.catalog.rules import RULES
from ragonotebooks.errors import UsageError

_RUNBOOK_RULES = {
    "L401": ("a runbook can be read and its notebooks exist", "correct the file"),
    "L402": ("what a notebook needs runs before it", "move or add the notebook that is needed"),
    "L403": ("notebooks agree on the parameters that they share", "give it one type and default"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule at one place; `cell` counts all cells from 1, None is the whole file."""

    path: str
    cell: int | None
    code: str
    found: str
    fix: str

    def __str__(self) -> str:
        place = self.path if self.cell is None else f"{self.path}:cell {self.cell}"
        return f"{place}: {self.code} {self.found}; {self.fix}"


def lint(names: Iterable[str]) -> list[Problem]:
    """All problems of these notebooks and runbooks: paths, folders, keys or names; everything when none is given.

    A UsageError names what does not exist or cannot be read as a notebook.
    """
    named = [path for name in names for path in _paths(name)]
    paths = named or [path for folder in (project.notebooks(), project.runbooks()) for path in _inside(folder)]
    return [problem for path in paths for problem in _problems(path)]


def rules_table() -> str:
    """The rules as a Markdown table, for the page on authoring."""
    rows = [(rule.code, rule.holds, rule.fix) for rule in RULES]
    rows += [(code, holds, fix) for code, (holds, fix) in _RUNBOOK_RULES.items()]
    lines = ["| Rule | What holds | Fix |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _paths(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        if not (found := _inside(path)):
            raise UsageError(f"folder {name} holds no notebook and no runbook; name one that does")
        return found
    if path.is_file() and path.suffix in (".ipynb", ".yaml"):
        return [path]
    inside = project.runbooks() / f"{name}.yaml"
    return [inside] if inside.is_file() else [notebook.find(name)]


def _inside(folder: Path) -> list[Path]:
    found = [path for suffix in (".ipynb", ".yaml") for path in sorted(folder.rglob(f"*{suffix}"))]
    return [path for path in found if ".ipynb_checkpoints" not in path.parts and path.parent != project.trials()]


def _problems(path: Path) -> Iterator[Problem]:
    return _of_runbook(path) if path.suffix == ".yaml" else _of_lesson(path)


def _of_lesson(path: Path) -> Iterator[Problem]:
    lesson = notebook.read(path)
    for rule in (rule for rule in RULES if rule.binds(lesson)):
        for index, found in rule.look(lesson):
            yield Problem(project.shown(path), None if index is None else index + 1, rule.code, found, rule.fix)


def _of_runbook(path: Path) -> Iterator[Problem]:
    try:
        book = runbook.read(path)
    except UsageError as error:
        yield _runbook_problem(path, "L401", str(error).removeprefix(f"{project.shown(path)}: ").rstrip("?"))
        return
    before: set[str] = set()
    for one in book.notebooks:
        for missing in sorted(set(one.needs) - before):
            yield _runbook_problem(path, "L402", f"{one.key} needs {missing}, which does not run before it")
        before.add(one.key)
    try:
        _ = book.parameters
    except UsageError as error:
        yield _runbook_problem(path, "L403", str(error))


def _runbook_problem(path: Path, code: str, found: str) -> Problem:
    return Problem(project.shown(path), None, code, found, _RUNBOOK_RULES[code][1])
