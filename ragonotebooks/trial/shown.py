"""What a reader of a run sees, as plain text: why steps failed, and what the cells of its notebooks show."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from ragonotebooks.catalog import notebook
from ragonotebooks.run.results import Run


def shown(run: Run) -> str:
    """Sentences of failures first, then the outputs in their order, tables without their mark-up."""
    failures = [failure.said for _, step in run.steps for failure in step.failures]
    failures += [one.failure.said for one in run.notebooks if one.failure]
    executed = [one.executed for one in run.notebooks if one.executed and one.executed.exists()]
    outputs = [output for path in executed for cell in notebook.read(path).cells for output in cell.outputs]
    return "\n".join([*failures, *(text for output in outputs for text in _texts(output))])


def _texts(output: dict[str, Any]) -> Iterator[str]:
    yield _whole(output["text"])
    yield _whole(output["data"].get("text/plain", ""))
    yield unescape(re.sub(r"<[^>]+>", " ", _whole(output["data"].get("text/html", ""))))


def _whole(text: str | list[str]) -> str:
    """Text is stored whole or as a list of lines."""
    return text if isinstance(text, str) else "".join(text)
