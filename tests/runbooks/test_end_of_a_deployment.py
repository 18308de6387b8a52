"""The shared deployment on AWS at its end: what it costs, a person's own papers in it, and taking it down.

Each stage is a fixture that builds on the one before.
"""

import re
import secrets

import pytest

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.evidence import PRICE_MIME
from tests.conftest import ending
from tests.desk import Desk, Done, operators
from tests.workload.test_paper_records import pdf

KEPT = {
    ("s3", "ragonometrics-artifacts-123456789012"),
    ("s3", "ragonometrics-audit-123456789012"),
    ("rds", "ragonometrics-before-the-move"),
}
NAMED = ("-p", "snapshot=before-the-move")


@pytest.fixture(scope="module")
def desk(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    ending("deployment")
    return Desk(deployment, tmp_path_factory.mktemp("desk"))


def do(desk: Desk, verb: str, runbook: str, *options: str) -> Done:
    folder = desk.folder / secrets.token_hex(4)
    return desk.ragonotebooks(verb, runbook, "--out", str(folder), *options)


@pytest.fixture(scope="module")
def priced(desk: Desk) -> Done:
    """The costs, beside a bucket of somebody else's."""
    desk.aws("s3").create_bucket(Bucket="of-somebody-else")
    return desk.ragonotebooks("run", "cost-report", "--out", str(desk.folder / "costs"))


@pytest.fixture(scope="module")
def untagged(desk: Desk, priced: Done) -> Done:
    """Priced with a secret that nobody tagged."""
    desk.aws("secretsmanager").create_secret(Name="ragonometrics/forgotten", SecretString="x")
    done = do(desk, "verify", "cost-report")
    desk.aws("secretsmanager").delete_secret(SecretId="ragonometrics/forgotten", ForceDeleteWithoutRecovery=True)
    return done


@pytest.fixture(scope="module")
def own_papers(desk: Desk, untagged: Done) -> Done:
    """The second lesson with a person's own papers."""
    corpus = desk.folder / "my papers"
    corpus.mkdir()
    (corpus / "washing.txt").write_text("Tariffs on washing machines raised the price of dryers too.", encoding="utf-8")
    (corpus / "wages.pdf").write_bytes(pdf("Minimum wages rose and jobs stayed.", Title="On wages"))
    return do(desk, "run", "notebooks/aws/02-storage.ipynb", "-p", f"corpus={corpus}")


@pytest.fixture(scope="module")
def indexed(desk: Desk, own_papers: Done) -> Done:
    """They are indexed, and asked a question."""
    options = ("-p", "question=Did the price of dryers change?", "--out", str(desk.folder / "index"))
    return desk.ragonotebooks("run", "aws/06-index-job", *options)


@pytest.fixture(scope="module")
def shown(desk: Desk, indexed: Done) -> Done:
    """The teardown, only looked at."""
    return do(desk, "verify", "teardown-aws", *NAMED)


@pytest.fixture(scope="module")
def waiting(desk: Desk, shown: Done) -> Done:
    """The teardown, before anybody approved it."""
    return desk.ragonotebooks("run", "teardown-aws", "--out", str(desk.folder / "down"), *NAMED)


@pytest.fixture(scope="module")
def down(desk: Desk, waiting: Done) -> Done:
    return desk.ragonotebooks("approve", str(desk.folder / "down"))


@pytest.fixture(scope="module")
def again(desk: Desk, down: Done) -> Done:
    """The teardown by somebody who executes the notebook alone, which asks nobody."""
    executed = str(desk.folder / "teardown.ipynb")
    return desk.do("papermill", "runbooks/aws/teardown.ipynb", executed, "-p", "snapshot", "before-the-move")


@pytest.fixture(scope="module")
def cleaned(desk: Desk, again: Done) -> Done:
    """Everything removed."""
    return desk.ragonotebooks("cleanup", "--yes")


def data(desk: Desk) -> set[tuple[str, str]]:
    """The deployment's buckets and snapshots."""
    buckets = {("s3", bucket["Name"]) for bucket in desk.aws("s3").list_buckets()["Buckets"]}
    manual = desk.aws("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return (buckets | {("rds", one["DBSnapshotIdentifier"]) for one in manual}) - {("s3", "of-somebody-else")}


def test_costs_are_those_of_the_price_list(desk: Desk, priced: Done) -> None:
    assert (priced.code, operators(priced)) == (0, []), priced.output
    cells = notebook.read(next((desk.folder / "costs").glob("01-*.ipynb"))).cells
    records = [output["data"][PRICE_MIME] for cell in cells for output in cell.outputs if PRICE_MIME in output["data"]]
    lines = {line["item"]: line["quantity"] for record in records for line in record["lines"]}
    assert lines["db.t4g.micro Single-AZ"] == 730
    assert lines["gp3 storage Single-AZ"] == 20
    assert lines["Endpoint hour per AZ"] == 4 * 730
    assert lines["Load balancer hour"] == 730
    [month] = [record["month"] for record in records]
    priced_lines = [line for record in records for line in record["lines"]]
    assert month == pytest.approx(sum(line["usd"] * line["quantity"] for line in priced_lines), abs=0.1)


def test_what_carries_no_tags_is_named(untagged: Done) -> None:
    assert (untagged.code, operators(untagged)) == (1, []), untagged.output
    assert "['secret ragonometrics/forgotten']" in untagged.output


def test_a_persons_own_papers_take_the_place_of_the_ones_that_come_along(desk: Desk, own_papers: Done) -> None:
    assert own_papers.code == 0, own_papers.output
    listed = desk.aws("s3").list_objects_v2(Bucket="ragonometrics-artifacts-123456789012", Prefix="corpus/")
    assert {item["Key"] for item in listed["Contents"]} == {"corpus/washing.txt", "corpus/wages.pdf"}


def test_a_persons_own_papers_are_indexed(desk: Desk, indexed: Done) -> None:
    assert indexed.code == 0, indexed.output
    executed = (desk.folder / "index" / "01-aws-06-index-job.ipynb").read_text(encoding="utf-8")
    assert "washing.txt" in executed
    assert "Minimum wages rose" in executed


def test_looking_shows_what_would_go_and_changes_nothing(shown: Done) -> None:
    assert (shown.code, operators(shown)) == (1, []), shown.output
    assert "nothing of the deployment is left but what is kept" in shown.output
    assert "nothing that is billed by the hour is left" in shown.output


def test_nothing_is_deleted_before_somebody_approves_it(waiting: Done) -> None:
    assert (waiting.code, [call.action for call in operators(waiting)]) == (3, ["CreateDBSnapshot"]), waiting.output


def test_teardown_keeps_the_data_and_nothing_else(desk: Desk, down: Done) -> None:
    assert down.code == 0, down.output
    assert data(desk) == KEPT
    assert desk.aws("rds").describe_db_instances()["DBInstances"] == []
    assert desk.aws("s3").list_objects_v2(Bucket="ragonometrics-artifacts-123456789012")["KeyCount"] > 0
    key = desk.aws("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"][0]["KmsKeyId"]
    assert desk.aws("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert not desk.passed("aws/01-network")


def test_second_teardown_changes_nothing(again: Done) -> None:
    assert (again.code, operators(again)) == (0, []), again.output


def test_cleanup_leaves_what_is_somebody_elses_and_finds_nothing_the_second_time(desk: Desk, cleaned: Done) -> None:
    assert cleaned.code == 0, cleaned.output
    assert re.search(r"^ragonometrics in us-east-1: \d+ deleted, 0 left$", cleaned.output, re.MULTILINE)
    second = desk.ragonotebooks("cleanup", "--yes")
    assert (second.code, second.output) == (0, "ragonometrics in us-east-1: nothing is there\n")
    assert operators(second) == []
    assert data(desk) == set()
    assert [bucket["Name"] for bucket in desk.aws("s3").list_buckets()["Buckets"]] == ["of-somebody-else"]
