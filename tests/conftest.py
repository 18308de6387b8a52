"""What all tests share: deployments, an empty checkout, and how the test files are spread over several processes."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from ragonotebooks.catalog import project
from ragonotebooks.sandbox import client

# as the command line does: importing it takes a second, in each of the processes that share the tests
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

ROOT = Path(__file__).parents[1]
GIVEN = {
    "deployment": "RAGONOTEBOOKS_TEST_DEPLOYMENT",
    "gcp_deployment": "RAGONOTEBOOKS_TEST_GCP_DEPLOYMENT",
}
"""Fixture of a deployment → the environment variable that names a sandbox where it is there already."""
ON_ONE_DEPLOYMENT = {
    "gcp_deployment": (
        "tests/notebooks/test_gcp_lessons.py",
        "tests/notebooks/test_gcp_deployment_checklist.py",
        "tests/deployment/test_gcp_services.py",
        "tests/runbooks/test_day_two_on_google_cloud.py",
        "tests/runbooks/test_incident_triage_on_google_cloud.py",
        "tests/runbooks/test_costs_on_google_cloud.py",
    ),
    "deployment": (
        "tests/notebooks/test_lessons.py",
        "tests/deployment/test_services.py",
        "tests/notebooks/test_compare.py",
        "tests/notebooks/test_deployment_checklist.py",
        "tests/runbooks/test_day_two.py",
        "tests/runbooks/test_end_of_a_deployment.py",
        "tests/runbooks/test_teardown_on_google_cloud.py",
    ),
}
"""Fixture of a deployment → the files with tests on it, in their order."""
LONGEST_FIRST = tuple(chain(*ON_ONE_DEPLOYMENT.values()))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout, current folder and root of the catalog."""
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    return tmp_path


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a sandbox with everything deployed on AWS; tests leave it as healthy as they found it.

    The environment variable RAGONOTEBOOKS_TEST_DEPLOYMENT names one that is there already; making one takes a minute.
    """
    with _deployed("deploy-aws", os.environ.get(GIVEN["deployment"]), tmp_path_factory) as name:
        yield name


@pytest.fixture(scope="session")
def gcp_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same on Google Cloud; the environment variable is RAGONOTEBOOKS_TEST_GCP_DEPLOYMENT."""
    with _deployed("deploy-gcp", os.environ.get(GIVEN["gcp_deployment"]), tmp_path_factory) as name:
        yield name


@contextmanager
def _deployed(runbook: str, given: str | None, folders: pytest.TempPathFactory) -> Iterator[str]:
    if given:
        yield given
        return
    name, folder = f"deployed-{secrets.token_hex(4)}", folders.mktemp("deployed") / "run"
    words = [sys.executable, "-m", "ragonotebooks", "run", runbook, "--name", name, "--out", str(folder)]
    try:
        made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        yield name
    finally:
        client.down(name)


def ending(deployment: str) -> None:
    """Skip tests that take the deployment of this fixture down where it was there before the tests."""
    if os.environ.get(GIVEN[deployment]):
        pytest.skip("a deployment that was there before the tests stays")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files that take longest first where several processes share the tests; one process keeps the order."""
    for item in items:
        for fixture, files in ON_ONE_DEPLOYMENT.items():
            own = hasattr(getattr(item, "module", None), fixture)
            if fixture in getattr(item, "fixturenames", ()) and not own and _file(item.nodeid) not in files:
                raise pytest.UsageError(f"{item.nodeid} uses {fixture}: name its file in ON_ONE_DEPLOYMENT")
    if hasattr(config, "workerinput"):
        rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: rank.get(_file(item.nodeid), len(rank)))


class _Scheduling(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = _file(nodeid)
        return next((fixture for fixture, files in ON_ONE_DEPLOYMENT.items() if file in files), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Keep each file's tests in one process, and all those on one deployment."""
    return _Scheduling(config, log)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
