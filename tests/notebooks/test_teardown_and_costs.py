"""A lesson opened alone, a person's own papers, what a deployment costs, and taking it down: a part of one is enough to tell.

Each stage is a fixture that builds on the one before.
"""

import json
import secrets
from collections.abc import Iterator

import pytest

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.evidence import PRICE_MIME
from ragonotebooks.sandbox import client
from tests.desk import Desk, Done, checks
from tests.workload.test_paper_records import pdf

KEPT = {("s3", "ragonometrics-artifacts-123456789012"), ("rds", "ragonometrics-before-the-move")}
NAMED = ("-p", "snapshot=before-the-move")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A sandbox that has never been used."""
    desk = Desk(f"teardown-{secrets.token_hex(4)}", tmp_path_factory.mktemp("desk"))
    yield desk
    client.down(desk.sandbox)


@pytest.fixture(scope="module")
def alone(desk: Desk) -> Done:
    """The fourth lesson opened first, with papermill as it comes."""
    return desk.do("papermill", "notebooks/aws/04-database.ipynb", str(desk.folder / "04.ipynb"))


def do(desk: Desk, verb: str, runbook: str, *options: str) -> Done:
    folder = desk.folder / secrets.token_hex(4)
    return desk.ragonotebooks(verb, runbook, "--out", str(folder), *options)


@pytest.fixture(scope="module")
def priced(desk: Desk, alone: Done) -> Done:
    """The costs of four lessons, beside a bucket of somebody else's."""
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
    return papermill(desk, "-p", "snapshot", "before-the-move")


def papermill(desk: Desk, *options: str) -> Done:
    return desk.do("papermill", "runbooks/aws/teardown.ipynb", str(desk.folder / "teardown.ipynb"), *options)


def data(desk: Desk) -> set[tuple[str, str]]:
    """The deployment's buckets and snapshots."""
    buckets = {("s3", bucket["Name"]) for bucket in desk.aws("s3").list_buckets()["Buckets"]}
    manual = desk.aws("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return (buckets | {("rds", one["DBSnapshotIdentifier"]) for one in manual}) - {("s3", "of-somebody-else")}


def test_a_lesson_opened_alone_brings_up_what_it_needs(desk: Desk, alone: Done) -> None:
    assert alone.code == 0, alone.output
    assert all(desk.passed(f"aws/{need}") for need in ("01-network", "02-storage", "03-secrets-and-access"))
    assert not desk.passed("aws/05-images")
    found = checks(desk.folder / "04.ipynb")
    assert found
    assert all(holds for _, holds in found)


def test_costs_are_those_of_the_price_list(desk: Desk, priced: Done) -> None:
    assert (priced.code, priced.changes) == (0, []), priced.output
    cells = notebook.read(next((desk.folder / "costs").glob("01-*.ipynb"))).cells
    records = [output["data"][PRICE_MIME] for cell in cells for output in cell.outputs if PRICE_MIME in output["data"]]
    lines = {line["item"]: line["quantity"] for record in records for line in record["lines"]}
    assert lines["db.t4g.micro Single-AZ"] == 730
    assert lines["gp3 storage Single-AZ"] == 20
    assert lines["Endpoint hour per AZ"] == 4 * 730
    assert records[0]["month"] == pytest.approx(0.016 * 730 + 20 * 0.115 + 4 * 7.3 + 1 + 0.4, abs=0.05)


def test_what_carries_no_tags_is_named(untagged: Done) -> None:
    assert (untagged.code, untagged.changes) == (1, []), untagged.output
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
    assert (shown.code, shown.changes) == (1, []), shown.output
    assert "nothing of the deployment is left but what is kept" in shown.output
    assert "nothing that is billed by the hour is left" in shown.output


def test_nothing_is_deleted_before_somebody_approves_it(waiting: Done) -> None:
    assert (waiting.code, [call.action for call in waiting.changes]) == (3, ["CreateDBSnapshot"]), waiting.output


def test_teardown_keeps_the_data_and_nothing_else(desk: Desk, down: Done) -> None:
    assert down.code == 0, down.output
    assert data(desk) == KEPT
    assert desk.aws("rds").describe_db_instances()["DBInstances"] == []
    assert desk.aws("s3").list_objects_v2(Bucket="ragonometrics-artifacts-123456789012")["KeyCount"] > 0
    key = desk.aws("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"][0]["KmsKeyId"]
    assert desk.aws("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert not desk.passed("aws/01-network")


def test_second_teardown_changes_nothing(again: Done) -> None:
    assert (again.code, again.changes) == (0, []), again.output


def test_the_bucket_of_somebody_else_stays_when_everything_goes(desk: Desk, again: Done) -> None:
    done = papermill(desk, "-p", "keep", "False")
    assert done.code == 0, done.output
    assert data(desk) == set()
    assert "of-somebody-else" in json.dumps(desk.aws("s3").list_buckets(), default=str)
