"""Every lesson on Google Cloud, used in each way that a person uses it, in one sandbox: each stage builds on the one before."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import google.auth
import pytest
from google.auth.transport.requests import AuthorizedSession
from google.cloud import compute_v1, run_v2, storage

from ragonotebooks.catalog import notebook, runbook
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.gcp.identity import OPERATOR
from tests.notebooks.test_lessons import Desk, Done, checks, proven
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import environment_of

LESSONS = [str(lesson.path) for lesson in runbook.load("deploy-gcp").notebooks]
PROJECT = "ragonometrics-sandbox"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A sandbox that has never been used."""
    name = f"lessons-{secrets.token_hex(4)}"
    yield Desk(name, tmp_path_factory.mktemp("desk"))
    client.down(name)


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


@pytest.fixture(scope="module")
def drifted(desk: Desk, verified: Done) -> Done:
    """The runbook verified after somebody opened the network, turned off versioning, made a key and lost a tag."""
    state = client.find(desk.sandbox)
    assert state
    with environment_of(Sandbox(state)):
        world = compute_v1.Firewall(name="just-for-today", network="global/networks/ragonometrics")
        world.allowed = [compute_v1.Allowed(I_p_protocol="tcp", ports=["22"])]
        compute_v1.FirewallsClient().insert(project=PROJECT, firewall_resource=world).result()
        bucket = storage.Client().get_bucket(f"ragonometrics-artifacts-{PROJECT}")
        bucket.versioning_enabled = False
        bucket.patch()
        account = f"projects/{PROJECT}/serviceAccounts/ragonometrics-api@{PROJECT}.iam.gserviceaccount.com"
        session = AuthorizedSession(google.auth.default()[0])
        session.post(f"https://iam.googleapis.com/v1/{account}/keys", json={}, timeout=30).raise_for_status()
        # over REST: gRPC reads the trusted certificates once a process, and other tests here use another sandbox
        jobs = run_v2.JobsClient(transport="rest")
        job = jobs.get_job(name=f"projects/{PROJECT}/locations/us-central1/jobs/ragonometrics-jobs")
        del job.template.template.vpc_access.network_interfaces[0].tags[:]
        jobs.update_job(job=job).result()
    return desk.ragonotebooks("verify", "deploy-gcp", "--out", str(desk.folder / "drifted"))


def test_every_cell_of_every_lesson_passes_under_nbval(tested: Done) -> None:
    assert tested.code == 0, tested.output
    cells = [cell for path in LESSONS for cell in notebook.read(Path(path)).cells if cell.kind == "code"]
    exercises = [cell for cell in cells if "nbval-skip" in cell.tags]
    assert re.search(rf"^{len(cells) - len(exercises)} passed, {len(exercises)} skipped", tested.output, re.MULTILINE)


def test_a_second_run_changes_nothing_but_what_its_jobs_do(again: Done) -> None:
    assert again.code == 0, again.output
    assert {(call.caller, call.action) for call in again.changes} == {
        (OPERATOR, "RunJob"),
        (f"ragonometrics-index-job@{PROJECT}.iam.gserviceaccount.com", "storage.objects.insert"),
    }


def test_papermill_as_it_comes_finds_what_a_run_finds(desk: Desk, again: Done) -> None:
    done = desk.do("papermill", "notebooks/gcp/01-network.ipynb", str(desk.folder / "01.ipynb"))
    assert (done.code, done.changes) == (0, []), done.output
    assert checks(desk.folder / "01.ipynb") == checks(desk.folder / "again" / "01-gcp-01-network.ipynb")


def test_the_committed_lessons_prove_what_a_run_proves(desk: Desk, again: Done) -> None:
    committed, ran = proven(desk), proven(desk, "--run", str(desk.folder / "again"))
    proofs = [(exam, one, set(steps)) for exam, objectives in ran.items() for one, steps in objectives.items()]
    assert [(exam, one) for exam, one, steps in proofs if not steps <= set(committed[exam][one])] == []
    for exam in ("ACE", "PDE", "PMLE"):
        assert any(ran[exam].values()), exam


def test_verify_finds_no_drift_and_changes_nothing(verified: Done) -> None:
    assert (verified.code, verified.changes) == (0, []), verified.output


def test_verify_names_every_drift(drifted: Done) -> None:
    assert drifted.code == 1, drifted.output
    assert [failure.splitlines()[0] for failure in drifted.output.split("\n✗ ")[1:-1]] == [
        "gcp/01-network · 4 · Who may talk to whom",
        "gcp/02-storage · 4 · An overwrite is not a loss",
        "gcp/03-secrets-and-access · 3 · One identity for each job, and no keys",
        "gcp/06-index-job · 3 · The job",
    ]
    assert "just-for-today" in drifted.output
