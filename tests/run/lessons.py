"""Small notebooks for the tests, written the way lessons are."""

from pathlib import Path
from typing import Any

import nbformat.v4 as v4
import nbformat


def text(source: str) -> Any:
    return v4.new_markdown_cell(source)


def code(source: str, *tags: str, timeout: float | None = None) -> Any:
    metadata: dict[str, Any] = {"tags": list(tags)}
    if timeout:
        metadata["ragonotebooks"] = {"timeout": timeout}
    return v4.new_code_cell(source, metadata=metadata)


def step(number: int, title: str, *cells: Any, objectives: str = "") -> list[Any]:
    line = f"\n\n**Objectives:** {objectives}" if objectives else ""
    return [text(f"## {number} · {title}\n\nWhy.{line}"), *cells]


OPENING = [
    code('target: str = "sandbox"\nregion: str = "us-east-1"\ncount: int = 1\nratio: float = 0.5\nloud: bool = False', "parameters"),
    code("from ragonotebooks.lesson.check import check"),
]


def write(path: Path, *cells: Any, title: str = "A lesson") -> Path:
    flat = [one for cell in cells for one in (cell if isinstance(cell, list) else [cell])]
    node = v4.new_notebook(cells=[text(f"# {title}\n\nWhat it is for."), *flat])
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(node, path)
    return path
