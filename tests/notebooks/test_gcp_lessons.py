"""Every lesson on Google Cloud, used in each way that a person uses it, where everything is deployed: each stage builds on
the one before."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ragonotebooks.catalog import runbook
from ragonotebooks.sandbox.gcp.identity import OPERATOR
from tests.desk import Desk, Done, all_cells, checks
from tests.google import PROJECT, api

LESSONS = [str(lesson.path) for lesson in runbook.load("deploy-gcp").notebooks]
SOME = "title: Some\ncloud: gcp\npurpose: The lessons that the checklist leaves out, and two.\nnotebooks:\n"
SOME += "".join(f"  - gcp/{lesson}\n" for lesson in ("00-start-here", "01-network", "02-storage", "11-cicd"))


@pytest.fixture(scope="module")
def desk(gcp_deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(gcp_deployment, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def tested(desk: Desk) -> Done:
    """All lessons under nbval, which is their second run: everything is there already."""
    return desk.do("pytest", "--nbval-lax", "-p", "no:cacheprovider", "-q", *LESSONS)


@contextmanager
def open_network(desk: Desk) -> Iterator[None]:
    """A firewall rule admits the world."""
    compute, firewalls = api(desk.sandbox, "compute"), "compute/v1/{project}/global/firewalls"
    rule = {"name": "just-for-today", "network": "global/networks/ragonometrics"}
    compute.start("POST", firewalls, rule | {"allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]})
    yield
    compute.start("DELETE", f"{firewalls}/just-for-today")


@pytest.fixture(scope="module")
def drifted(desk: Desk, tested: Done) -> Done:
    """Some lessons verified after somebody turned off the bucket's versioning, while the network is open to the world."""
    bucket = f"storage/v1/b/ragonometrics-artifacts-{PROJECT}"
    api(desk.sandbox, "storage").call("PATCH", bucket, {"versioning": {"enabled": False}})
    (desk.folder / "some.yaml").write_text(SOME, encoding="utf-8")
    with open_network(desk):
        return desk.ragonotebooks("verify", str(desk.folder / "some.yaml"), "--out", str(desk.folder / "drifted"))


@pytest.fixture(scope="module")
def mended(desk: Desk, drifted: Done) -> Done:
    """The bucket's lesson run once more."""
    return desk.ragonotebooks("run", "gcp/02-storage", "--out", str(desk.folder / "mended"))


def test_every_cell_of_every_lesson_passes_under_nbval(tested: Done) -> None:
    assert tested.code == 0, tested.output
    assert re.search(rf"^{all_cells(LESSONS)}", tested.output, re.MULTILINE)


def test_a_second_run_changes_nothing_but_what_its_jobs_do(tested: Done) -> None:
    assert {(call.caller, call.action) for call in tested.changes} == {
        (OPERATOR, "RunJob"),
        (f"ragonometrics-index-job@{PROJECT}.iam.gserviceaccount.com", "storage.objects.insert"),
    }


def test_papermill_as_it_comes_finds_what_a_run_finds(desk: Desk, mended: Done) -> None:
    done = desk.do("papermill", "notebooks/gcp/02-storage.ipynb", str(desk.folder / "02.ipynb"))
    assert (done.code, done.changes) == (0, []), done.output
    assert checks(desk.folder / "02.ipynb") == checks(desk.folder / "mended" / "01-gcp-02-storage.ipynb") != []


def test_verify_names_every_drift_and_nothing_else_and_changes_nothing(drifted: Done) -> None:
    assert (drifted.code, drifted.changes) == (1, []), drifted.output
    assert [failure.splitlines()[0] for failure in drifted.output.split("\n✗ ")[1:-1]] == [
        "gcp/01-network · 4 · Who may talk to whom",
        "gcp/02-storage · 4 · An overwrite is not a loss",
    ]
    assert "just-for-today" in drifted.output


def test_a_run_brings_back_what_drifted_and_changes_nothing_else(mended: Done) -> None:
    assert mended.code == 0, mended.output
    assert [call.action for call in mended.changes] == ["storage.buckets.patch"]
