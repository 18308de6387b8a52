"""Every lesson, used in each way that a person uses it, in one sandbox that lives through a deployment's life.

Each stage is a fixture that builds on the one before, so that the lessons are executed as seldom as possible.
"""

import re
import secrets
from collections.abc import Iterator

import pytest

from ragonotebooks.catalog import runbook
from ragonotebooks.sandbox import client
from tests.desk import Desk, Done, all_cells, checks, operators, proven, unproven
from tests.workload.test_paper_records import pdf

LESSONS = [str(lesson.path) for lesson in runbook.load("deploy-aws").notebooks]
TWO_LESSONS = "title: Two\ncloud: aws\npurpose: Both.\nnotebooks: [aws/01-network, aws/02-storage]\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A sandbox that has never been used."""
    name = f"lessons-{secrets.token_hex(4)}"
    yield Desk(name, tmp_path_factory.mktemp("desk"))
    client.down(name)


@pytest.fixture(scope="module")
def alone(desk: Desk) -> Done:
    """The fourth lesson opened first, with papermill as it comes."""
    return desk.do("papermill", "notebooks/aws/04-database.ipynb", str(desk.folder / "04.ipynb"))


@pytest.fixture(scope="module")
def tested(desk: Desk, alone: Done) -> Done:
    """All lessons under nbval."""
    return desk.do("pytest", "--nbval-lax", "-p", "no:cacheprovider", "-q", *LESSONS)


@pytest.fixture(scope="module")
def again(desk: Desk, tested: Done) -> Done:
    """The runbook, where everything is there already."""
    return desk.ragonotebooks("run", "deploy-aws", "--out", str(desk.folder / "again"))


@pytest.fixture(scope="module")
def verified(desk: Desk, again: Done) -> Done:
    """The runbook verified, with nothing drifted."""
    return desk.ragonotebooks("verify", "deploy-aws", "--out", str(desk.folder / "verified"))


@pytest.fixture(scope="module")
def drifted(desk: Desk, verified: Done) -> Done:
    """Two lessons verified after somebody deleted the bucket's rules and opened the database to the world."""
    s3, ec2 = desk.aws("s3"), desk.aws("ec2")
    s3.delete_bucket_lifecycle(Bucket=s3.list_buckets()["Buckets"][0]["Name"])
    named = [{"Name": "group-name", "Values": ["ragonometrics-database"]}]
    (group,) = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    world = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[world])
    (desk.folder / "two.yaml").write_text(TWO_LESSONS, encoding="utf-8")
    return desk.ragonotebooks("verify", str(desk.folder / "two.yaml"), "--out", str(desk.folder / "drifted"))


@pytest.fixture(scope="module")
def own_papers(desk: Desk, drifted: Done) -> Done:
    """The second lesson with a person's own papers, and with a rule to bring back."""
    corpus = desk.folder / "my papers"
    corpus.mkdir()
    (corpus / "washing.txt").write_text("Tariffs on washing machines raised the price of dryers too.", encoding="utf-8")
    (corpus / "wages.pdf").write_bytes(pdf("Minimum wages rose and jobs stayed.", Title="On wages"))
    lesson = "notebooks/aws/02-storage.ipynb"
    return desk.ragonotebooks("run", lesson, "-p", f"corpus={corpus}", "--out", str(desk.folder / "own"))


@pytest.fixture(scope="module")
def cleaned(desk: Desk, own_papers: Done) -> Done:
    """Everything removed."""
    return desk.ragonotebooks("cleanup", "--yes")


def test_a_lesson_opened_alone_brings_up_what_it_needs(desk: Desk, alone: Done) -> None:
    assert alone.code == 0, alone.output
    assert all(desk.passed(f"aws/{need}") for need in ("01-network", "02-storage", "03-secrets-and-access"))
    assert not desk.passed("aws/05-images")
    found = checks(desk.folder / "04.ipynb")
    assert found
    assert all(holds for _, holds in found)


def test_every_cell_of_every_lesson_passes_under_nbval(tested: Done) -> None:
    assert tested.code == 0, tested.output
    assert re.search(rf"^{all_cells(LESSONS)}", tested.output, re.MULTILINE)


def test_a_second_run_changes_nothing_but_what_its_jobs_do(again: Done) -> None:
    assert again.code == 0, again.output
    by_the_operator = {(call.service, call.action) for call in operators(again)}
    assert by_the_operator == {("ecs", "RunTask")}
    by_the_jobs = {call.service for call in again.changes if ":assumed-role/" in call.caller}
    assert by_the_jobs == {"s3", "logs"}


def test_papermill_as_it_comes_finds_what_a_run_finds(desk: Desk, again: Done) -> None:
    done = desk.do("papermill", "notebooks/aws/01-network.ipynb", str(desk.folder / "01.ipynb"))
    assert (done.code, operators(done)) == (0, []), done.output
    assert checks(desk.folder / "01.ipynb") == checks(desk.folder / "again" / "02-aws-01-network.ipynb")


def test_the_committed_lessons_prove_what_a_run_proves(desk: Desk, again: Done) -> None:
    committed, ran = proven(desk), proven(desk, "--run", str(desk.folder / "again"))
    assert unproven(ran, committed) == []
    for exam in ("DEA-C01", "MLA-C01", "MLA-C02", "SAA-C03"):
        assert any(committed[exam].values()), exam


def test_verify_finds_no_drift_and_changes_nothing(verified: Done) -> None:
    assert (verified.code, operators(verified)) == (0, []), verified.output


def test_verify_names_every_drift_and_changes_nothing(drifted: Done) -> None:
    assert (drifted.code, operators(drifted)) == (1, []), drifted.output
    failures = drifted.output.split("\n✗ ")[1:-1]
    assert [failure.splitlines()[0] for failure in failures] == [
        "aws/01-network · 4 · Who may talk to whom",
        "aws/02-storage · 4 · An overwrite is not a loss",
    ]
    assert "is         {…, ('0.0.0.0/0', 'database', 5432)}" in failures[0]
    assert "old versions go after 30 days\n    is         None" in failures[1]


def test_a_run_brings_back_what_drifted(desk: Desk, own_papers: Done) -> None:
    assert own_papers.code == 0, own_papers.output
    assert "PutBucketLifecycleConfiguration" in {call.action for call in own_papers.changes}


def test_a_persons_own_papers_take_the_place_of_the_ones_that_come_along(desk: Desk, own_papers: Done) -> None:
    s3 = desk.aws("s3")
    listed = s3.list_objects_v2(Bucket=s3.list_buckets()["Buckets"][0]["Name"], Prefix="corpus/")["Contents"]
    assert {item["Key"] for item in listed} == {"corpus/washing.txt", "corpus/wages.pdf"}


def test_a_persons_own_papers_are_indexed(desk: Desk, own_papers: Done) -> None:
    question = "Did the price of dryers change?"
    done = desk.ragonotebooks(
        "run", "aws/06-index-job", "-p", f"question={question}", "--out", str(desk.folder / "index")
    )
    assert done.code == 0, done.output
    executed = (desk.folder / "index" / "01-aws-06-index-job.ipynb").read_text(encoding="utf-8")
    assert "washing.txt" in executed
    assert "Minimum wages rose" in executed


def test_cleanup_leaves_nothing_and_finds_nothing_the_second_time(desk: Desk, cleaned: Done) -> None:
    assert cleaned.code == 0, cleaned.output
    assert re.search(r"^ragonometrics in us-east-1: \d+ deleted, 0 left$", cleaned.output, re.MULTILINE)
    second = desk.ragonotebooks("cleanup", "--yes")
    assert (second.code, second.output) == (0, "ragonometrics in us-east-1: nothing is there\n")
    assert operators(second) == []
    assert desk.aws("s3").list_buckets()["Buckets"] == []
    assert desk.aws("rds").describe_db_instances()["DBInstances"] == []


def test_what_was_cleaned_up_does_not_count_as_in_place(desk: Desk, cleaned: Done) -> None:
    assert not desk.passed("aws/01-network")
