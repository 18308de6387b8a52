"""The triage on Google Cloud, where lesson 08 has released a revision that never started, and lesson 09 had an incident."""

import pytest

from tests.desk import Desk, Done, checks
from tests.google import HERE, api

API = "ragonometrics-api"


@pytest.fixture(scope="module")
def desk(gcp_deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(gcp_deployment, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def triaged(desk: Desk) -> Done:
    """A triage of the last day."""
    out = str(desk.folder / "triage")
    return desk.ragonotebooks("run", "incident-triage-gcp", "-p", "minutes=1440", "--out", out)


@pytest.fixture(scope="module")
def shown(desk: Desk, triaged: Done) -> str:
    """The executed notebook."""
    [notebook] = (desk.folder / "triage").glob("*.ipynb")
    return notebook.read_text(encoding="utf-8")


def failing(desk: Desk) -> str:
    """The newest revision of the API that never became ready."""
    every = api(desk.sandbox, "run").each(f"v2/{HERE}/services/{API}/revisions", "revisions")
    bad = [one for one in every if any(condition["state"] == "CONDITION_FAILED" for condition in one["conditions"])]
    name: str = max(bad, key=lambda one: one["createTime"])["name"]
    return name.rpartition("/")[2]


def test_a_triage_leads_to_the_failing_revisions_line_and_changes_nothing(
    desk: Desk, triaged: Done, shown: str
) -> None:
    assert (triaged.code, triaged.changes) == (0, []), triaged.output
    assert f"the revision {failing(desk)} failed: The user-provided container failed to start" in shown
    assert "It said: " in shown
    assert "It said: nothing" not in shown


def test_a_triage_names_the_incidents_that_closed_too(desk: Desk, triaged: Done, shown: str) -> None:
    assert "incidents of 'ragonometrics refused requests' were opened (" in shown
    [executed] = (desk.folder / "triage").glob("*.ipynb")
    assert dict(checks(executed))["what is wrong has been named"]


def test_a_bad_parameter_fails_before_anything_is_asked(desk: Desk) -> None:
    done = desk.ragonotebooks("run", "incident-triage-gcp", "-p", "minutes=0", "--out", str(desk.folder / "zero"))
    assert done.code != 0
    assert "'minutes' is 0 but must be 1 to 1440" in done.output
