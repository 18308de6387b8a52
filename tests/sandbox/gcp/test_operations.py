"""Every operation of Google Cloud that shipped clients know answers or is refused by name, and the page says which."""

from collections.abc import Iterator

import pytest

from ragonotebooks.sandbox.gcp.services import MODULES
from tests.sandbox.conftest import running_sandbox
from tests.sandbox.gcp.operations import END, PAGE, SERVICES, START, Answer, call_all, door_of, enable_all, section

# what lists, makes or asks; anything else that succeeds has found something, and there is nothing but this
NEEDS_NOTHING = ("List", "Create", "Test", "Search", "list", "insert", "create", "aggregatedList", "search", "test")
THERE = {
    "GetProject",
    "GetIamPolicy",  # the project's
    "BatchEnableServices",
    "BatchGetServices",
    "cloudresourcemanager.projects.get",
    "compute.regions.get",
    "oauth2.userinfo.get",
    "serviceusage.services.batchGet",
    "storage.projects.serviceAccount.get",
}


@pytest.fixture(scope="module")
def answers() -> Iterator[list[Answer]]:
    with running_sandbox() as alone:
        door = door_of(alone)
        enable_all(door)
        yield list(call_all(door))


def test_every_service_is_walked() -> None:
    assert {host.partition(".")[0] for host in MODULES} == SERVICES.keys()


def test_every_operation_answers_or_is_refused_by_name(answers: list[Answer]) -> None:
    assert [one for one in answers if one.wrong] == []
    assert len(answers) > 2000


def test_refused_rpc_names_itself(answers: list[Answer]) -> None:
    # those of Cloud SQL are named as their REST methods
    rpcs = [one for one in answers if one.refused and one.api and not one.api.startswith("google.cloud.sql.")]
    assert [one for one in rpcs if one.name not in one.message] == []
    assert {one.code for one in answers if one.refused} == {"UNIMPLEMENTED"}


def test_nothing_is_found_or_changed_that_is_not_there(answers: list[Answer]) -> None:
    done = {one.name for one in answers if one.code == "OK"}
    assert {name for name in done if not name.rpartition(".")[2].startswith(NEEDS_NOTHING)} == THERE


def test_page_lists_the_operations_as_they_are(answers: list[Answer]) -> None:
    written = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    assert written == section(answers), f"write {PAGE.name} anew: python -m tests.sandbox.gcp.operations"
