"""What the deployment on Google Cloud costs: priced from the list, and what carries no labels is named."""

import pytest

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.evidence import PRICE_MIME
from tests.desk import Desk, Done, operators
from tests.google import api

SECRETS = "v1/{project}/secrets"


@pytest.fixture(scope="module")
def desk(gcp_deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(gcp_deployment, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def priced(desk: Desk) -> Done:
    return desk.ragonotebooks("run", "cost-report-gcp", "--out", str(desk.folder / "costs"))


def test_costs_are_those_of_the_price_list(desk: Desk, priced: Done) -> None:
    assert (priced.code, operators(priced)) == (0, []), priced.output
    cells = notebook.read(next((desk.folder / "costs").glob("01-*.ipynb"))).cells
    [record] = [o["data"][PRICE_MIME] for cell in cells for o in cell.outputs if PRICE_MIME in o["data"]]
    lines = {line["item"]: line["quantity"] for line in record["lines"]}
    assert lines["db-f1-micro, zonal (shared core)"] == 730
    assert lines["SSD storage, zonal"] == 10
    assert lines["Request-based: idle minimum instance memory"] == 730 * 3600
    assert lines["Instance-based and Jobs: memory (tier 1)"] == 2 * 730 * 3600
    assert record["month"] == pytest.approx(sum(line["usd"] * line["quantity"] for line in record["lines"]), abs=0.1)


def test_what_carries_no_labels_is_named(desk: Desk, priced: Done) -> None:
    manager = api(desk.sandbox, "secretmanager")
    manager.call("POST", SECRETS, {"replication": {"automatic": {}}}, secretId="ragonometrics-forgotten")
    done = desk.ragonotebooks("verify", "cost-report-gcp", "--out", str(desk.folder / "untagged"))
    manager.call("DELETE", f"{SECRETS}/ragonometrics-forgotten")
    assert done.code == 1, done.output
    assert "['secret ragonometrics-forgotten']" in done.output
