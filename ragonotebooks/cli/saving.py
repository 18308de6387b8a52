"""Notebooks executed in a sandbox and saved with their outputs, which is how they are committed."""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from ragonotebooks.run.kernel import IpcKernelManager
from ragonotebooks.sandbox.state import folder_of

LIMIT = 300
"""Seconds that a cell may take."""


def save(path: Path, sandbox: str) -> None:
    """Execute a notebook and save it with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell fails; the notebook stays as it was.
    """
    book = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(
        book,
        timeout=LIMIT,
        record_timing=False,
        kernel_manager_class=IpcKernelManager,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute(env=os.environ | {"RAGONOTEBOOKS_SANDBOX": sandbox})
    for cell in book.cells:
        cell.metadata.pop("execution", None)
    # what a program says of itself may hold the folder in which the sandbox runs it, which is this machine's own
    saved: str = nbformat.writes(book)  # type: ignore[no-untyped-call]
    path.write_text(saved.replace(str(folder_of(sandbox)), "…") + "\n", encoding="utf-8")
