"""What all tests share: a deployment of everything, and how the test files are spread over several processes."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from ragonotebooks.sandbox import client

GIVEN = "RAGONOTEBOOKS_TEST_DEPLOYMENT"
ROOT = Path(__file__).parents[1]

LONGEST_FIRST = (
    "tests/notebooks/test_lessons.py",
    "tests/notebooks/test_gcp_lessons.py",
    "tests/deployment/test_services.py",
    "tests/notebooks/test_deployment_checklist.py",
    "tests/runbooks/test_day_two.py",
    "tests/notebooks/test_teardown_and_costs.py",
)
ON_ONE_DEPLOYMENT = ("tests/deployment/test_services.py", "tests/notebooks/test_deployment_checklist.py")


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a sandbox with everything deployed; tests leave it as healthy as they found it.

    The environment variable RAGONOTEBOOKS_TEST_DEPLOYMENT names one that is there already; making one takes a minute.
    """
    if given := os.environ.get(GIVEN):
        yield given
        return
    name, folder = f"deployed-{secrets.token_hex(4)}", tmp_path_factory.mktemp("deployed") / "run"
    words = [sys.executable, "-m", "ragonotebooks", "run", "deploy-aws", "--name", name, "--out", str(folder)]
    try:
        made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        yield name
    finally:
        client.down(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files that take longest first where several processes share the tests; one process keeps the order."""
    if hasattr(config, "workerinput"):
        rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: rank.get(_file(item.nodeid), len(rank)))


class _Scheduling(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return "one deployment" if _file(nodeid) in ON_ONE_DEPLOYMENT else _file(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Keep each file's tests in one process, and those on one deployment too."""
    return _Scheduling(config, log)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
