"""Fills the templates in: text with `{{words}}` to replace, where fences of Python become cells with the tags behind them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import nbformat
from nbformat import v4

_FOLDER: Final = Path(__file__).parent / "templates"
_CODE: Final = re.compile(r"^```python ?(?P<tags>[a-z -]*)\n(?P<source>.*?)\n```$", re.MULTILINE | re.DOTALL)
_KERNEL: Final = {"display_name": "Python 3", "language": "python", "name": "python3"}


def fill(template: str, words: Mapping[str, str]) -> str:
    """The text of a template, each `{{word}}` replaced; a KeyError for a word that is not given."""
    text = (_FOLDER / template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text)


def notebook(text: str) -> str:
    """The text as a notebook, not executed yet."""
    book = v4.new_notebook(cells=list(_cells(text)), metadata={"kernelspec": _KERNEL})  # type: ignore[no-untyped-call]
    for place, cell in enumerate(book.cells):
        cell.id = f"cell-{place:02d}"
    return str(nbformat.writes(book)) + "\n"  # type: ignore[no-untyped-call]


def _cells(text: str) -> Iterator[Any]:
    start = 0
    for found in _CODE.finditer(text):
        yield from _prose(text[start : found.start()])
        tags = found["tags"].split()
        yield v4.new_code_cell(found["source"], metadata={"tags": tags} if tags else {})  # type: ignore[no-untyped-call]
        start = found.end()
    yield from _prose(text[start:])


def _prose(text: str) -> Iterator[Any]:
    if text.strip():
        yield v4.new_markdown_cell(re.sub(r"\n{3,}", "\n\n", text.strip()))  # type: ignore[no-untyped-call]
