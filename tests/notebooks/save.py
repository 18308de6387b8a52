"""Execute every lesson in a fresh sandbox and save it with its outputs: what `make notebooks` does."""

import os
import secrets
import sys

import nbformat
from nbclient import NotebookClient

from ragonotebooks.catalog import notebook, project, runbook
from ragonotebooks.run.kernel import IpcKernelManager
from ragonotebooks.sandbox import client


def main() -> None:
    """Save all lessons, in the order of the deployment."""
    name = f"save-{secrets.token_hex(3)}"
    os.environ["RAGONOTEBOOKS_SANDBOX"] = name
    try:
        for lesson in runbook.load("deploy-aws").notebooks:
            path = lesson.path
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
            client.mark_passed(name, notebook.key_of(path), {})
            sys.stdout.write(f"{project.shown(path)}\n")
    finally:
        client.down(name)


if __name__ == "__main__":
    main()
