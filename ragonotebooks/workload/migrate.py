"""The migration job: brings the database's schema up to date. Run twice, it changes nothing the second time."""

import os

from . import job, logs, settings
from .store import connect


def main() -> None:
    with connect(settings.database(os.environ)) as store:
        applied = store.migrate()
    logs.info("migrated", applied=applied)


if __name__ == "__main__":
    raise SystemExit(job.run(main))
