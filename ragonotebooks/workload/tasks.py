"""What a worker does: each job is a function of its own id, with JSON for a result.

A job may be run again after its worker was killed, so each leaves its result under its id and finds it there.
"""

import os
from typing import Any

from . import index as indexing
from . import reports, settings
from .artifacts import open_artifacts
from .store import connect


def index(job: str) -> dict[str, Any]:
    """Bring the index up to date with the corpus."""
    manifest = indexing.run(os.environ, name=job)
    return {"run": manifest["run"], "manifest": indexing.manifest_key(manifest["run"]), **manifest["counts"]}


def report(job: str) -> dict[str, Any]:
    """Describe the corpus and how well questions are answered, as JSON and as Markdown."""
    database, artifacts = settings.database(os.environ), open_artifacts(settings.artifacts(os.environ))
    with connect(database) as store:
        store.require_schema()
        return reports.write(store, artifacts, job)
