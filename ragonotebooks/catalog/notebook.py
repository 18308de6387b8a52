"""A notebook read as data: what its top says, its parameters, its sections, its steps with their objectives.

Reading is lenient, so that any notebook can be shown and run; what a good lesson must have is the linter's business.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragonotebooks.catalog import parameters, project
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.catalog.objectives import ObjectiveRef, parse_refs
from ragonotebooks.catalog.parameters import Parameter
from ragonotebooks.errors import UsageError

KINDS = ("look", "change", "check")
"""What a code cell of a step does: reads, changes only the difference, reads again and states a claim."""

_RUNBOOKS = "runbooks/"
_STEP_TITLE = re.compile(r"(\d+) · (.+)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+\.ipynb)\)")
_FACTS = re.compile(r"^\*\*(\d+) minutes\b(.*)\*\*$", re.MULTILINE)
_OBJECTIVES = re.compile(r"^\*\*Objectives:\*\*(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as it is stored.

    index: its place among all cells, from 0.
    kind: `code`, `markdown` or `raw`.
    outputs: as nbformat defines them; each has `data` (by MIME type) and `text` (of a stream), if only empty.
    """

    index: int
    kind: str
    source: str
    tags: frozenset[str]
    outputs: tuple[dict[str, Any], ...]
    execution_count: int | None
    metadata: dict[str, Any]

    @property
    def does(self) -> str | None:
        """`look`, `change` or `check`; None for a cell that is tagged with none of them or with several."""
        tagged = [kind for kind in KINDS if kind in self.tags]
        return tagged[0] if len(tagged) == 1 else None


@dataclass(frozen=True, slots=True)
class Section:
    """A level-2 heading and what stands under it, up to the next one.

    index: the cell that holds the heading; a cell may hold the end of one section and the start of the next.
    lead: the text between the heading and the first code cell.
    text: all of its text.
    code: its code cells.
    """

    title: str
    index: int
    lead: str
    text: str
    code: tuple[Cell, ...]

    @property
    def changes(self) -> bool:
        """Whether one of its cells changes something."""
        return any(cell.does == "change" for cell in self.code)


@dataclass(frozen=True, slots=True)
class Step:
    """A section whose heading is `N · Title`; `objectives` are those that its line **Objectives:** names.

    `cells` are its code cells; `Cell.does` says what each one is for.
    """

    number: int
    title: str
    objectives: tuple[ObjectiveRef, ...]
    section: Section

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self.section.code


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook as its reader sees it.

    key: folder and name without suffix, such as `aws/02-storage`, or `runbooks/aws/teardown` for a runbook's own: how
        runbooks, needs and the command line name it.
    minutes: how long it takes by hand; None when it does not say.
    risk, cost: what it does and what it costs, as the bold line says; empty when it does not say.
    needs: the keys of the notebooks that must have run before.
    preamble: the text before the first section.
    """

    path: Path
    key: str
    title: str
    purpose: str
    minutes: int | None
    risk: str
    cost: str
    needs: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    preamble: str
    sections: tuple[Section, ...]
    cells: tuple[Cell, ...]
    metadata: dict[str, Any]

    @property
    def cloud(self) -> str:
        """The folder that the key names: `aws`, or `compare` for a lesson on several clouds."""
        return self.key.split("/")[-2]

    @property
    def imports(self) -> list[str]:
        """The modules that its code names in import statements, in their order, each once."""
        return list(dict.fromkeys(module for cell in self.cells if cell.kind == "code" for module in _imported(cell)))

    @property
    def is_lesson(self) -> bool:
        """Whether it teaches; a runbook's own notebook only does its job."""
        return not self.key.startswith(_RUNBOOKS)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The sections that are numbered steps, in the order of the notebook."""
        return tuple(step for section in self.sections if (step := _step(section)))


def find(name: str) -> Path:
    """The notebook's file for a path or a key such as `aws/02-storage`; a UsageError names the nearest key."""
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    key = name.removesuffix(".ipynb")
    folder = project.runbooks() if key.startswith(_RUNBOOKS) else project.notebooks()
    inside = folder / f"{key.removeprefix(_RUNBOOKS)}.ipynb"
    if inside.is_file():
        return inside
    raise UsageError(f"there is no notebook '{name}'; {did_you_mean(name, map(key_of, [*lessons(), *procedures()]))}")


def lessons() -> list[Path]:
    """The files of all lessons of the checkout, in reading order."""
    return sorted(project.notebooks().glob("*/*.ipynb"))


def procedures() -> list[Path]:
    """The files of all notebooks that are no lessons but a runbook's own, by name."""
    return sorted(project.runbooks().glob("*/*.ipynb"))


def key_of(path: Path) -> str:
    """Folder and name without suffix: `notebooks/aws/02-storage.ipynb` → `aws/02-storage`."""
    folder = path.resolve().parent
    above = _RUNBOOKS if folder.parent == project.runbooks().resolve() else ""
    return f"{above}{folder.name}/{path.stem}"


def read(path: Path) -> Notebook:
    """Read a notebook file, executed or not; a UsageError says why it cannot be read."""
    return parse(path, *_stored(path))


def parse(path: Path, metadata: dict[str, Any], cells: tuple[Cell, ...]) -> Notebook:
    """A notebook out of its cells; the path says what it is called and where the links in it lead."""
    preamble, *sections = _sections(cells)
    return Notebook(
        path=path,
        key=key_of(path),
        preamble=preamble.text,
        parameters=_parameters(cells),
        sections=tuple(sections),
        cells=cells,
        metadata=metadata,
        **_facts(path, preamble.text),
    )


def _stored(path: Path) -> tuple[dict[str, Any], tuple[Cell, ...]]:
    """The notebook's metadata and cells. Plain JSON: importing nbformat takes longer than reading all lessons."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["nbformat"] != 4:
            raise ValueError(f"nbformat {stored['nbformat']}")
        return dict(stored["metadata"]), cells_of(stored["cells"])
    except FileNotFoundError:
        raise UsageError(f"there is no notebook {project.shown(path)}; give the path of an .ipynb file") from None
    except OSError as error:
        raise UsageError(f"{project.shown(path)} cannot be read ({error.strerror}); check its permissions") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            f"{project.shown(path)} is not a Jupyter notebook (nbformat 4); restore it or save it again from JupyterLab"
        ) from None


def cells_of(stored: Iterable[dict[str, Any]]) -> tuple[Cell, ...]:
    """The cells as nbformat has them."""
    return tuple(_cell(index, cell) for index, cell in enumerate(stored))


def _cell(index: int, cell: dict[str, Any]) -> Cell:
    return Cell(
        index=index,
        kind=cell["cell_type"],
        source=_joined(cell["source"]),
        tags=frozenset(cell["metadata"].get("tags", [])),
        outputs=tuple(_output(output) for output in cell.get("outputs", [])),
        execution_count=cell.get("execution_count"),
        metadata=cell["metadata"],
    )


def _output(output: dict[str, Any]) -> dict[str, Any]:
    data = {mime: value if mime.endswith("json") else _joined(value) for mime, value in output.get("data", {}).items()}
    return output | {"data": data, "text": _joined(output.get("text", ""))}


def _joined(text: str | list[str]) -> str:
    """Text is stored whole or as a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def _facts(path: Path, preamble: str) -> dict[str, Any]:
    """Title, purpose and what the bold line says: minutes · risk · cost · needs."""
    title = re.search(r"^# (.+)$", preamble, re.MULTILINE)
    bold = _FACTS.search(preamble)
    parts, _, needs = (bold[2] if bold else "").partition("· needs ")
    risk, cost, *_ = [*(part.strip() for part in parts.strip(" ·").split("·")), "", ""]
    paragraphs = [part.strip() for part in preamble.split("\n\n")]
    return {
        "title": title[1].strip() if title else path.stem,
        "purpose": next((part for part in paragraphs if part and not part.startswith(("#", "**"))), ""),
        "minutes": int(bold[1]) if bold else None,
        "risk": risk,
        "cost": cost,
        "needs": tuple(key_of(path.parent / target) for target in _LINK.findall(needs)),
    }


def _parameters(cells: Iterable[Cell]) -> tuple[Parameter, ...]:
    tagged = (cell for cell in cells if "parameters" in cell.tags and _statements(cell))
    return tuple(parameter for cell in tagged for parameter in parameters.read(cell.source))


def _statements(cell: Cell) -> list[ast.stmt]:
    """What a code cell says; nothing when it is no plain Python."""
    try:
        return ast.parse(cell.source).body
    except SyntaxError:
        return []


def _imported(cell: Cell) -> Iterator[str]:
    """The modules that a code cell's own import statements name."""
    for statement in _statements(cell):
        match statement:
            case ast.Import():
                yield from (alias.name for alias in statement.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def _sections(cells: Iterable[Cell]) -> list[Section]:
    """Cut the notebook at its level-2 headings; the first piece, without a title, is what stands before them."""
    drafts: list[dict[str, Any]] = [{"title": "", "index": 0, "lead": [], "text": [], "code": []}]
    for cell in cells:
        if cell.kind == "code":
            drafts[-1]["code"].append(cell)
        elif cell.kind == "markdown":
            for heading, text in _cut(cell.source):
                if heading is not None:
                    drafts.append({"title": heading, "index": cell.index, "lead": [], "text": [], "code": []})
                drafts[-1]["text"].append(text)
                if not drafts[-1]["code"]:
                    drafts[-1]["lead"].append(text)
    return [_section(draft) for draft in drafts]


def _section(draft: dict[str, Any]) -> Section:
    lead, text = ("\n\n".join(draft[key]).strip() for key in ("lead", "text"))
    return Section(draft["title"], draft["index"], lead, text, tuple(draft["code"]))


def _cut(source: str) -> Iterator[tuple[str | None, str]]:
    """The text before the first level-2 heading with None, then every heading with the text under it."""
    heading, lines, fenced = None, list[str](), False
    for line in source.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            yield heading, "\n".join(lines)
            heading, lines = line[3:].strip(), []
        else:
            lines.append(line)
    yield heading, "\n".join(lines)


def _step(section: Section) -> Step | None:
    title = _STEP_TITLE.fullmatch(section.title)
    if not title:
        return None
    named = " ".join(_OBJECTIVES.findall(section.text))
    return Step(int(title[1]), title[2], parse_refs(named), section)
