"""Every lesson on Google Cloud, used in each way that a person uses it, where everything is deployed: each stage builds on
the one before."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ragonotebooks.catalog import runbook
from ragonotebooks.sandbox.gcp.identity import OPERATOR
from tests.desk import Desk, Done, all_cells, checks, proven, unproven
from tests.google import PROJECT, api

LESSONS = [str(lesson.path) for lesson in runbook.load("deploy-gcp").notebooks]
TWO_LESSONS = "title: Two\ncloud: gcp\npurpose: Both.\nnotebooks: [gcp/01-network, gcp/02-storage]\n"


@pytest.fixture(scope="module")
def desk(gcp_deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(gcp_deployment, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def tested(desk: Desk) -> Done:
    """All lessons under nbval."""
    return desk.do("pytest", "--nbval-lax", "-p", "no:cacheprovider", "-q", *LESSONS)


@pytest.fixture(scope="module")
def again(desk: Desk, tested: Done) -> Done:
    """The runbook, where everything is there already."""
    return desk.ragonotebooks("run", "deploy-gcp", "--out", str(desk.folder / "again"))


@pytest.fixture(scope="module")
def verified(desk: Desk, again: Done) -> Done:
    """The runbook verified, with nothing drifted."""
    return desk.ragonotebooks("verify", "deploy-gcp", "--out", str(desk.folder / "verified"))


@contextmanager
def drift(desk: Desk) -> Iterator[None]:
    """Somebody opens the network to the world, and turns off the bucket's versioning."""
    compute, storage = api(desk.sandbox, "compute"), api(desk.sandbox, "storage")
    firewalls, bucket = "compute/v1/{project}/global/firewalls", f"storage/v1/b/ragonometrics-artifacts-{PROJECT}"
    rule = {"name": "just-for-today", "network": "global/networks/ragonometrics"}
    compute.start("POST", firewalls, rule | {"allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]})
    storage.call("PATCH", bucket, {"versioning": {"enabled": False}})
    yield
    compute.start("DELETE", f"{firewalls}/just-for-today")
    storage.call("PATCH", bucket, {"versioning": {"enabled": True}})


@pytest.fixture(scope="module")
def drifted(desk: Desk, verified: Done) -> Done:
    """Two lessons verified meanwhile."""
    (desk.folder / "two.yaml").write_text(TWO_LESSONS, encoding="utf-8")
    with drift(desk):
        return desk.ragonotebooks("verify", str(desk.folder / "two.yaml"), "--out", str(desk.folder / "drifted"))


def test_every_cell_of_every_lesson_passes_under_nbval(tested: Done) -> None:
    assert tested.code == 0, tested.output
    assert re.search(rf"^{all_cells(LESSONS)}", tested.output, re.MULTILINE)


def test_a_second_run_changes_nothing_but_what_its_jobs_do(again: Done) -> None:
    assert again.code == 0, again.output
    assert {(call.caller, call.action) for call in again.changes} == {
        (OPERATOR, "RunJob"),
        (f"ragonometrics-index-job@{PROJECT}.iam.gserviceaccount.com", "storage.objects.insert"),
    }


def test_papermill_as_it_comes_finds_what_a_run_finds(desk: Desk, again: Done) -> None:
    done = desk.do("papermill", "notebooks/gcp/01-network.ipynb", str(desk.folder / "01.ipynb"))
    assert (done.code, done.changes) == (0, []), done.output
    assert checks(desk.folder / "01.ipynb") == checks(desk.folder / "again" / "02-gcp-01-network.ipynb")


def test_the_committed_lessons_prove_what_a_run_proves(desk: Desk, again: Done) -> None:
    committed, ran = proven(desk), proven(desk, "--run", str(desk.folder / "again"))
    assert unproven(ran, committed) == []
    for exam in ("ACE", "PDE", "PMLE"):
        assert any(ran[exam].values()), exam


def test_verify_finds_no_drift_and_changes_nothing(verified: Done) -> None:
    assert (verified.code, verified.changes) == (0, []), verified.output


def test_verify_names_every_drift_and_changes_nothing(drifted: Done) -> None:
    assert (drifted.code, drifted.changes) == (1, []), drifted.output
    assert [failure.splitlines()[0] for failure in drifted.output.split("\n✗ ")[1:-1]] == [
        "gcp/01-network · 4 · Who may talk to whom",
        "gcp/02-storage · 4 · An overwrite is not a loss",
    ]
    assert "just-for-today" in drifted.output
