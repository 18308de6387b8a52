"""Execute every lesson and every runbook's notebook in a fresh sandbox and save it with its outputs: `make notebooks`."""

import os
import secrets
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from ragonotebooks.catalog import notebook, project, runbook
from ragonotebooks.run.kernel import IpcKernelManager
from ragonotebooks.sandbox import client


def main() -> None:
    """Save the lessons in the order of the deployment, then what works upon it; what takes it down comes last."""
    name = f"save-{secrets.token_hex(3)}"
    os.environ["RAGONOTEBOOKS_SANDBOX"] = name
    lessons = [lesson.path for lesson in runbook.load("deploy-services-aws").notebooks]
    try:
        for path in [*lessons, *sorted(notebook.procedures(), key=lambda path: path.stem == "teardown")]:
            save(path)
            client.mark_passed(name, notebook.key_of(path), {})
            sys.stdout.write(f"{project.shown(path)}\n")
    finally:
        client.down(name)


def save(path: Path) -> None:
    """Execute a notebook and save it with its outputs, in the sandbox that the environment names."""
    book = nbformat.read(path, as_version=4)
    NotebookClient(
        book,
        timeout=300,
        record_timing=False,
        kernel_manager_class=IpcKernelManager,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
    nbformat.write(book, path)


if __name__ == "__main__":
    main()
