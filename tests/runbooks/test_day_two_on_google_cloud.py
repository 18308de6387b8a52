"""The runbooks of day two on Google Cloud, on the shared deployment, in the order in which a team would come to need them.

Each stage is a fixture that builds on the one before; at the end everything is as it was found.
"""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ragonotebooks.sandbox.gcp.identity import OPERATOR
from tests.desk import Desk, Done, checks
from tests.google import HERE, api
from tests.runbooks import gcp_images

DEPLOYMENT = "ragonometrics"
BROKEN = "raise SystemExit('the kettle is cold')\n"
SECRET = f"{{project}}/secrets/{DEPLOYMENT}-database-password"


@dataclass(frozen=True)
class Ran:
    """A runbook that has ended.

    Attributes:
        code: Its exit code.
        output: What the terminal shows.
        claims: The claims that hold.
        shown: The executed notebook.
        actions: The operations by which the operator changed something.
    """

    code: int
    output: str
    claims: set[str]
    shown: str
    actions: set[str]


def run(desk: Desk, what: str, *parameters: str) -> Ran:
    """Run a runbook of one notebook."""
    out = desk.folder / secrets.token_hex(4)
    options = [word for parameter in parameters for word in ("-p", parameter)]
    done: Done = desk.ragonotebooks("run", what, *options, "--out", str(out))
    (executed,) = out.glob("*.ipynb") if out.exists() else [None]
    claims = {claim for claim, holds in checks(executed) if holds} if executed else set()
    shown = executed.read_text(encoding="utf-8") if executed else ""
    actions = {call.action for call in done.changes if call.caller == OPERATOR}
    return Ran(done.code, done.output, claims, shown, actions)


def part(desk: Desk, kind: str, name: str) -> dict[str, Any]:
    """A service or a worker pool."""
    return api(desk.sandbox, "run").call("GET", f"v2/{HERE}/{kind}/{DEPLOYMENT}-{name}")


def images(desk: Desk) -> set[str]:
    """The digests of what the API and the worker are made of."""
    both = part(desk, "services", "api"), part(desk, "workerPools", "worker")
    return {one["template"]["containers"][0]["image"].rpartition("@")[2] for one in both}


def password(desk: Desk) -> str:
    payload = api(desk.sandbox, "secretmanager").call("GET", f"v1/{SECRET}/versions/latest:access")["payload"]
    return base64.b64decode(payload["data"]).decode()


@pytest.fixture(scope="module")
def desk(gcp_deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A deployment whose services run."""
    return Desk(gcp_deployment, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def pushed(desk: Desk) -> Iterator[dict[str, str]]:
    """Images by name, the one that ran before all of this among them; the others go at the end."""
    files = {"good": {"notes.txt": "nothing but another file"}, "bad": {"workload/api.py": BROKEN}}
    made = {name: gcp_images.push(desk.sandbox, files[name]) for name in files}
    yield {"first": gcp_images.running(desk.sandbox), **made}
    for digest in made.values():
        gcp_images.delete(desk.sandbox, digest)


@pytest.fixture(scope="module")
def rotated(desk: Desk) -> Ran:
    """The password rotated."""
    return run(desk, "rotate-database-secret-gcp")


@pytest.fixture(scope="module")
def restored(desk: Desk, rotated: Ran) -> list[Ran]:
    """A backup restored and kept, then once more without keeping."""
    return [run(desk, "restore-database-gcp", "keep=true"), run(desk, "restore-database-gcp")]


@pytest.fixture(scope="module")
def scaled(desk: Desk, restored: list[Ran]) -> Iterator[list[Ran]]:
    """Two workers asked for twice."""
    yield [run(desk, "scale-workers-gcp", "workers=2"), run(desk, "scale-workers-gcp", "workers=2")]
    run(desk, "scale-workers-gcp", "workers=1")


@pytest.fixture(scope="module")
def released(desk: Desk, scaled: list[Ran], pushed: dict[str, str]) -> list[tuple[Ran, set[str]]]:
    """A good image released twice, each time with what runs afterwards."""
    return [(run(desk, "release-gcp", f"image={pushed['good']}"), images(desk)) for _ in range(2)]


@pytest.fixture(scope="module")
def bad(desk: Desk, released: Any, pushed: dict[str, str]) -> tuple[Ran, set[str]]:
    """A bad image released, and what runs afterwards."""
    return run(desk, "release-gcp", f"image={pushed['bad']}"), images(desk)


@pytest.fixture(scope="module")
def rolled_back(desk: Desk, bad: Any) -> list[tuple[Ran, set[str]]]:
    """The good release rolled back twice, each time with what runs afterwards."""
    return [(run(desk, "roll-back-gcp"), images(desk)) for _ in range(2)]


def test_a_password_is_rotated_while_every_request_is_answered(desk: Desk, rotated: Ran) -> None:
    assert rotated.code == 0, rotated.output
    assert {"requests ran all the while", "no request failed"} <= rotated.claims
    assert {"AddSecretVersion", "sql.users.update", "UpdateService", "UpdateWorkerPool"} <= rotated.actions
    versions = list(api(desk.sandbox, "secretmanager").each(f"v1/{SECRET}/versions", "versions"))
    enabled = [one["name"] for one in versions if one["state"] == "ENABLED"]
    assert enabled == [api(desk.sandbox, "secretmanager").call("GET", f"v1/{SECRET}/versions/latest")["name"]]
    assert len(versions) > 1


def test_a_rotated_password_stands_in_no_notebook(desk: Desk, rotated: Ran) -> None:
    assert rotated.shown
    assert password(desk) not in rotated.shown + rotated.output


def test_a_backup_restores_to_the_same_rows_and_the_copy_goes_again(desk: Desk, restored: list[Ran]) -> None:
    kept, gone = restored
    assert kept.code == 0, kept.output
    assert gone.code == 0, gone.output
    assert all("both hold the same, to the last bit" in done.claims for done in restored)
    assert {"sql.backupRuns.insert", "sql.instances.insert", "sql.instances.restoreBackup"} <= kept.actions
    assert {"sql.backupRuns.insert", "sql.instances.insert"}.isdisjoint(gone.actions)
    sql = api(desk.sandbox, "sqladmin")
    assert [one["name"] for one in sql.each("v1/{project}/instances", "items")] == [f"{DEPLOYMENT}-db"]
    assert list(sql.each(f"v1/{{project}}/instances/{DEPLOYMENT}-db/backupRuns", "items")) == []
    assert not [one for one in api(desk.sandbox, "run").each(f"v2/{HERE}/jobs", "jobs") if "restored" in one["name"]]


def test_workers_are_scaled_once(desk: Desk, scaled: list[Ran]) -> None:
    first, second = scaled
    assert first.code == second.code == 0, first.output + second.output
    assert (first.actions, second.actions) == ({"UpdateWorkerPool"}, set())
    assert part(desk, "workerPools", "worker")["scaling"]["manualInstanceCount"] == 2
    assert "as many workers run as shall run" in second.claims
    assert "jobs waiting" in first.shown


def test_a_good_image_is_released_once_and_nobody_notices(released: list[tuple[Ran, set[str]]], pushed: Any) -> None:
    (first, runs), (second, still) = released
    assert first.code == second.code == 0, first.output + second.output
    assert "no search failed meanwhile" in first.claims
    assert (first.actions, second.actions) == ({"UpdateService", "UpdateWorkerPool"}, set())
    assert runs == still == {pushed["good"]}


def test_a_bad_image_is_taken_back_and_the_cause_is_said(bad: tuple[Ran, set[str]], pushed: dict[str, str]) -> None:
    done, runs = bad
    assert done.code == 1
    assert f"the image {pushed['bad']} is bad, what ran before runs again" in done.output
    assert "the kettle is cold" in done.output
    assert runs == {pushed["good"]}


def test_a_release_is_rolled_back_once(rolled_back: list[tuple[Ran, set[str]]], pushed: dict[str, str]) -> None:
    (first, runs), (second, still) = rolled_back
    assert first.code == second.code == 0, first.output + second.output
    assert runs == still == {pushed["first"]}
    assert second.actions == set()


@pytest.mark.parametrize(
    ("name", "parameter", "sentence"),
    [
        ("scale-workers-gcp", "workers=11", "'workers' is 11 but must be 1 to 10"),
        ("release-gcp", "image=9.9.9", f"there is no image '9.9.9' in {DEPLOYMENT}/jobs; its tags are: "),
        ("restore-database-gcp", "backup=1", f"there is no backup '1' of {DEPLOYMENT}-db; there are: none"),
        ("roll-back-gcp", "parts=api,kettle", "parts is 'api,kettle', but knows api, worker and ui only"),
    ],
)
def test_a_bad_parameter_fails_before_anything_changes(
    desk: Desk, rolled_back: Any, name: str, parameter: str, sentence: str
) -> None:
    done = run(desk, name, parameter)
    assert done.code == 2
    assert sentence in done.output
    assert done.actions == set()


def test_a_secret_that_is_disabled_is_named_before_anything_changes(desk: Desk, rolled_back: Any) -> None:
    vault = api(desk.sandbox, "secretmanager")
    newest = vault.call("GET", f"v1/{SECRET}/versions/latest")["name"]
    vault.call("POST", f"v1/{newest}:disable", {})
    done = run(desk, "rotate-database-secret-gcp")
    vault.call("POST", f"v1/{newest}:enable", {})
    assert done.code == 1
    assert f"the newest version of the secret {DEPLOYMENT}-database-password is DISABLED; enable it" in done.output
    assert done.actions == set()
