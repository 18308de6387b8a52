"""What must stand before a runbook can run: the lessons that its notebooks name at their top, or ask `connect` for."""

import ast
from collections.abc import Iterator, Sequence

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.notebook import Cell, Notebook
from ragonotebooks.catalog.runbook import Runbook


def needed(book: Runbook, before: Sequence[Runbook]) -> list[Notebook]:
    """The lessons that the runbook builds on and neither runs itself nor finds done `before`, what comes first first."""
    own = {notebook.key for one in (book, *before) for notebook in one.notebooks}
    ordered: dict[str, Notebook] = {}
    for one in book.notebooks:
        for need in (*one.needs, *(asked for cell in one.cells for asked in _asked(cell))):
            _collect(need, own, ordered)
    return list(ordered.values())


def _collect(key: str, own: set[str], ordered: dict[str, Notebook]) -> None:
    if key in own or key in ordered:
        return
    lesson = notebook.read(notebook.find(key))
    for need in lesson.needs:
        _collect(need, own, ordered)
    ordered[key] = lesson


def _asked(cell: Cell) -> Iterator[str]:
    """The keys in `connect("aws", …, needs=["08-services"])`; a runbook's own notebook has no top that names them."""
    if cell.kind != "code" or "connect(" not in cell.source:
        return
    for node in ast.walk(ast.parse(cell.source)):
        match node:
            case ast.Call(func=ast.Name(id="connect"), args=[ast.Constant(value=str(cloud)), *_], keywords=given):
                lists = [one.value.elts for one in given if one.arg == "needs" and isinstance(one.value, ast.List)]
                yield from (f"{cloud}/{ast.literal_eval(need)}" for needs in lists for need in needs)
