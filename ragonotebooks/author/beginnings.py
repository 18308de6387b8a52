"""What a new lesson or runbook begins as: its files, by where they belong in the checkout."""

import re
from pathlib import Path
from typing import Final

from ragonotebooks.author.templating import fill, notebook
from ragonotebooks.catalog import project
from ragonotebooks.catalog.notebook import lessons
from ragonotebooks.errors import UsageError

_NAME: Final = re.compile(
    r"(?=.{1,24}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"
)  # it ends a bucket's name, which has 63 characters
_OBJECTIVES: Final = {
    "aws": "**Objectives:** DEA-C01 2.1 · SAA-C03 3.1",
    "gcp": "**Objectives:** PDE 3.1 · ACE 2.2",
}


def lesson(name: str, cloud: str) -> dict[Path, str]:
    """The files of a lesson behind the cloud's last one; a UsageError says why it cannot be begun."""
    there = {path.stem.partition("-")[2]: path for path in lessons() if path.parent.name == cloud}
    _require(name, there.get(name))
    number = f"{1 + max((int(path.stem[:2]) for path in there.values()), default=0):02d}"
    words = _words(name, cloud) | {"number": number}
    core = fill(f"core-{cloud}.md", words | {"more": "exercise, show_price, ", "objectives": _OBJECTIVES[cloud]})
    path = project.notebooks() / cloud / f"{number}-{name}.ipynb"
    return {path: notebook(fill(f"lesson-{cloud}.md", words | {"core": core}))}


def runbook(name: str, cloud: str) -> dict[Path, str]:
    """The files of a runbook: itself, its notebook, its cases; a UsageError says why it cannot be begun."""
    paths = [
        project.runbooks() / cloud / f"{name}.ipynb",
        project.runbooks() / f"{name}.yaml",
        project.trials() / f"{name}.yaml",
    ]
    _require(name, next(filter(Path.exists, paths), None))
    words = _words(name, cloud)
    core = fill(f"core-{cloud}.md", words | {"more": "", "objectives": ""})
    texts = [
        notebook(fill("runbook.md", words | {"core": core})),
        fill("runbook.yaml", words),
        fill(f"cases-{cloud}.yaml", words),
    ]
    return dict(zip(paths, texts, strict=True))


def _words(name: str, cloud: str) -> dict[str, str]:
    return {"name": name, "title": name.replace("-", " ").capitalize(), "cloud": cloud.upper(), "key": cloud}


def _require(name: str, taken: Path | None) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is no name for it: up to 24 small letters, digits and single hyphens, beginning with a letter"
        )
    if taken:
        raise UsageError(f"{project.shown(taken)} is there already; choose another name")
