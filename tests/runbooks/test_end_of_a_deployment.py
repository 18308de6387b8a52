"""The shared deployment on AWS is cleaned up when all other tests are through with it."""

import os
import re

import pytest

from tests.conftest import GIVEN
from tests.desk import Desk, Done, operators


@pytest.fixture(scope="module")
def desk(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    if os.environ.get(GIVEN["deployment"]):
        pytest.skip("a deployment that was there before the tests stays")
    return Desk(deployment, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def cleaned(desk: Desk) -> Done:
    """Everything removed."""
    return desk.ragonotebooks("cleanup", "--yes")


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
