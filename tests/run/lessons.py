"""Small notebooks for the tests, written the way lessons are, and a short way to run them."""

import json
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import v4

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import Mode, Run
from ragonotebooks.run.runner import execute

HOLDS = 'check("it holds", 1, 1)'
DRIFTED = 'check("the door is closed", "open", "closed")'


def text(source: str) -> Any:
    return v4.new_markdown_cell(source)


def code(source: str, *tags: str) -> Any:
    return v4.new_code_cell(source, metadata={"tags": list(tags)})


def step(number: int, *cells: Any, title: str = "A step", **declared: str) -> list[Any]:
    """A step with these cells; what it declares, such as `limits="2 attempts"`, becomes a line of its text."""
    lines = [f"**{name.capitalize()}:** {said}" for name, said in declared.items() if said]
    return [text("\n\n".join([f"## {number} · {title}", "Why.", *lines])), *cells]


def check(source: str = HOLDS) -> Any:
    return code(source, "check")


OPENING = [
    code('target: str = "sandbox"\ncount: int = 1', "parameters"),
    code("from ragonotebooks.lesson.check import check"),
]


def write(path: Path, *cells: Any, kernel: str = "python3") -> Path:
    flat = [one for cell in cells for one in (cell if isinstance(cell, list) else [cell])]
    node = v4.new_notebook(cells=[text(f"# {path.stem}\n\nWhat it is for."), *OPENING, *flat])
    node.metadata["kernelspec"] = {"name": kernel, "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(node, path)
    return path


def run(*paths: Path, mode: Mode = "run", **options: Any) -> tuple[Run, Path]:
    """Run the notebooks as one runbook into a folder beside them."""
    book = Runbook("book", "A book", "aws", "Why.", tuple(notebook.read(path) for path in paths))
    out = paths[0].parent / "out"
    return execute(Request(book, mode, options.pop("values", {}), "testing", "book", out, **options))


def run_one(tmp_path: Path, *cells: Any, mode: Mode = "run") -> tuple[Run, list[Any]]:
    """Run a notebook of these cells; also return the code cells of the executed notebook behind the opening."""
    result, folder = run(write(tmp_path / "aws" / "01-one.ipynb", *cells), mode=mode)
    saved = nbformat.read(folder / "01-aws-01-one.ipynb", as_version=4)
    return result, [cell for cell in saved.cells if cell.cell_type == "code"][len(OPENING) :]


def failures(result: Run) -> list[str]:
    return [failure.error for _, step in result.steps for failure in step.failures]


def errors(cell: Any) -> list[str]:
    return [output.ename for output in cell.get("outputs", []) if output.output_type == "error"]


def kernels() -> list[psutil.Process]:
    """The kernels that this process has started and that have not ended."""
    return [child for child in psutil.Process().children() if any("ipykernel" in word for word in child.cmdline())]


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
