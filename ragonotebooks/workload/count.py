"""The count: what the database holds, so that a copy of it can be compared. It reads, and writes nothing."""

import os

from . import job, logs, settings
from .store import connect


def main() -> None:
    with connect(settings.database(os.environ)) as store:
        store.require_schema()
        logs.info("counted", **store.counts(), content=store.content())


if __name__ == "__main__":
    raise SystemExit(job.run(main))
