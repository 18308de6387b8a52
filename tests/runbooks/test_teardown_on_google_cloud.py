"""Taking a deployment on Google Cloud down: the one that the lesson on both clouds brought up beside that on AWS.

Each stage is a fixture that builds on the one before.
"""

import secrets

import pytest

from ragonotebooks.sandbox.gcp.identity import OPERATOR
from tests.conftest import ending
from tests.desk import Desk, Done, operators
from tests.google import PROJECT, api

BUCKET = f"ragonometrics-artifacts-{PROJECT}"
WHOLE = "the bucket holds every paper and every shard of the index"


@pytest.fixture(scope="module")
def desk(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The first four lessons at least, and a bucket, a secret and a network of somebody else's."""
    ending("deployment")
    desk = Desk(deployment, tmp_path_factory.mktemp("desk"))
    done = desk.do("papermill", "notebooks/gcp/04-database.ipynb", str(desk.folder / "04.ipynb"))
    assert done.code == 0, done.output
    api(desk.sandbox, "storage").call("POST", "storage/v1/b", {"name": "of-somebody-else"}, project=PROJECT)
    secret = {"replication": {"automatic": {}}}
    api(desk.sandbox, "secretmanager").call("POST", "v1/{project}/secrets?secretId=ragonometrics-theirs", secret)
    network = {"name": "of-somebody-else", "autoCreateSubnetworks": False}
    api(desk.sandbox, "compute").start("POST", "compute/v1/{project}/global/networks", network)
    return desk


def do(desk: Desk, verb: str, *options: str) -> Done:
    return desk.ragonotebooks(verb, "teardown-gcp", "--out", str(desk.folder / secrets.token_hex(4)), *options)


def index(desk: Desk, *shards: str) -> None:
    """Write a manifest of an index that consists of these shards."""
    manifest = {"corpus": [], "shards": [{"key": key} for key in shards]}
    upload = {"uploadType": "media", "name": "runs/latest.json"}
    api(desk.sandbox, "storage").call("POST", f"upload/storage/v1/b/{BUCKET}/o", manifest, **upload)


def left(desk: Desk) -> set[str]:
    """What there is of the kinds that the lessons made and somebody else made too, and every database."""
    places = {
        "storage": ("storage/v1/b", "items", {"project": PROJECT}),
        "secretmanager": ("v1/{project}/secrets", "secrets", {}),
        "compute": ("compute/v1/{project}/global/networks", "items", {}),
        "iam": ("v1/{project}/serviceAccounts", "accounts", {}),
        "sqladmin": ("v1/{project}/instances", "items", {}),
    }
    found = [(one, api(desk.sandbox, one).each(path, key, **query)) for one, (path, key, query) in places.items()]
    return {f"{service} {item['name'].rpartition('/')[2]}" for service, items in found for item in items}


@pytest.fixture(scope="module")
def shown(desk: Desk) -> Done:
    """The teardown, only looked at."""
    return do(desk, "verify")


@pytest.fixture(scope="module")
def incomplete(desk: Desk, shown: Done) -> Done:
    """The teardown of a deployment whose bucket lacks a shard."""
    index(desk, "shards/of-the-index.parquet")
    return do(desk, "run")


@pytest.fixture(scope="module")
def waiting(desk: Desk, incomplete: Done) -> Done:
    """The teardown, before anybody approved it."""
    index(desk)
    return desk.ragonotebooks("run", "teardown-gcp", "--out", str(desk.folder / "down"))


@pytest.fixture(scope="module")
def down(desk: Desk, waiting: Done) -> Done:
    return desk.ragonotebooks("approve", str(desk.folder / "down"))


@pytest.fixture(scope="module")
def again(desk: Desk, down: Done) -> Done:
    """The teardown by somebody who executes the notebook alone, which asks nobody."""
    return papermill(desk)


def papermill(desk: Desk, *options: str) -> Done:
    return desk.do("papermill", "runbooks/gcp/teardown.ipynb", str(desk.folder / "teardown.ipynb"), *options)


THEIRS = {"storage of-somebody-else", "secretmanager ragonometrics-theirs", "compute of-somebody-else"}


def test_looking_shows_what_would_go_and_changes_nothing(shown: Done) -> None:
    assert (shown.code, operators(shown)) == (1, []), shown.output
    assert "nothing of the deployment is left but what is kept" in shown.output
    assert "nothing that is billed by the hour is left" in shown.output


def test_an_index_that_could_not_be_made_again_is_not_taken_down(incomplete: Done) -> None:
    assert (incomplete.code, operators(incomplete)) == (1, []), incomplete.output
    assert WHOLE in incomplete.output
    assert "shards/of-the-index.parquet" in incomplete.output


def test_nothing_is_deleted_before_somebody_approves_it(waiting: Done) -> None:
    assert (waiting.code, operators(waiting)) == (3, []), waiting.output


def test_teardown_keeps_the_bucket_and_nothing_else(desk: Desk, down: Done) -> None:
    assert down.code == 0, down.output
    assert {one for one in left(desk) if "default" not in one} == {f"storage {BUCKET}", *THEIRS}
    assert list(api(desk.sandbox, "storage").each(f"storage/v1/b/{BUCKET}/o", "items"))
    assert not desk.passed("gcp/01-network")


def test_second_teardown_changes_nothing(again: Done) -> None:
    assert again.code == 0, again.output
    assert [call.action for call in again.changes if call.caller == OPERATOR] == []


def test_what_is_somebody_elses_stays_when_everything_goes(desk: Desk, again: Done) -> None:
    done = papermill(desk, "-p", "keep", "False")
    assert done.code == 0, done.output
    assert {one for one in left(desk) if "default" not in one} == THEIRS
