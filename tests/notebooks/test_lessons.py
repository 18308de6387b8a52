"""Every lesson on AWS, used in each way that a person uses it, where everything is deployed: each stage builds on the one
before."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ragonotebooks.catalog import runbook
from tests.desk import Desk, Done, all_cells, checks, operators

LESSONS = [str(lesson.path) for lesson in runbook.load("deploy-aws").notebooks]
SOME = "title: Some\ncloud: aws\npurpose: The lessons that the checklist leaves out, and two.\nnotebooks:\n"
SOME += "".join(f"  - aws/{lesson}\n" for lesson in ("00-start-here", "01-network", "02-storage", "11-cicd"))


@pytest.fixture(scope="module")
def desk(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(deployment, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def tested(desk: Desk) -> Done:
    """All lessons under nbval, which is their second run: everything is there already."""
    return desk.do("pytest", "--nbval-lax", "-p", "no:cacheprovider", "-q", *LESSONS)


@contextmanager
def open_database(desk: Desk) -> Iterator[None]:
    """The database's security group admits the world."""
    ec2 = desk.aws("ec2")
    named = [{"Name": "group-name", "Values": ["ragonometrics-database"]}]
    (group,) = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    world = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[world])
    yield
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[world])


@pytest.fixture(scope="module")
def drifted(desk: Desk, tested: Done) -> Done:
    """Some lessons verified after somebody deleted the bucket's rules, while the database is open to the world."""
    s3 = desk.aws("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.delete_bucket_lifecycle(Bucket=next(name for name in names if name.startswith("ragonometrics-artifacts")))
    (desk.folder / "some.yaml").write_text(SOME, encoding="utf-8")
    with open_database(desk):
        return desk.ragonotebooks("verify", str(desk.folder / "some.yaml"), "--out", str(desk.folder / "drifted"))


@pytest.fixture(scope="module")
def mended(desk: Desk, drifted: Done) -> Done:
    """The bucket's lesson run once more."""
    return desk.ragonotebooks("run", "aws/02-storage", "--out", str(desk.folder / "mended"))


def test_every_cell_of_every_lesson_passes_under_nbval(tested: Done) -> None:
    assert tested.code == 0, tested.output
    assert re.search(rf"^{all_cells(LESSONS)}", tested.output, re.MULTILINE)


def test_a_second_run_changes_nothing_but_what_its_jobs_do(tested: Done) -> None:
    assert {(call.service, call.action) for call in operators(tested)} == {("ecs", "RunTask")}
    assert {call.service for call in tested.changes if ":assumed-role/" in call.caller} == {"s3", "logs"}


def test_papermill_as_it_comes_finds_what_a_run_finds(desk: Desk, mended: Done) -> None:
    done = desk.do("papermill", "notebooks/aws/02-storage.ipynb", str(desk.folder / "02.ipynb"))
    assert (done.code, operators(done)) == (0, []), done.output
    assert checks(desk.folder / "02.ipynb") == checks(desk.folder / "mended" / "01-aws-02-storage.ipynb") != []


def test_verify_names_every_drift_and_nothing_else_and_changes_nothing(drifted: Done) -> None:
    assert (drifted.code, operators(drifted)) == (1, []), drifted.output
    failures = drifted.output.split("\n✗ ")[1:-1]
    assert [failure.splitlines()[0] for failure in failures] == [
        "aws/01-network · 4 · Who may talk to whom",
        "aws/02-storage · 4 · An overwrite is not a loss",
    ]
    assert "is         {…, ('0.0.0.0/0', 'database', 5432)}" in failures[0]
    assert "old versions go after 30 days\n    is         None" in failures[1]


def test_a_run_brings_back_what_drifted_and_changes_nothing_else(mended: Done) -> None:
    assert mended.code == 0, mended.output
    assert [call.action for call in operators(mended)] == ["PutBucketLifecycleConfiguration"]
