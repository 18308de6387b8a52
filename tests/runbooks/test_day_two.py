"""The runbooks of day two on one deployment, in the order in which a team would come to need them.

Each stage is a fixture that builds on the one before, so that the deployment is made once.
"""

import base64
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ragonotebooks.catalog import project
from ragonotebooks.catalog.evidence import CHECK_MIME
from ragonotebooks.images import Registry, append, layer_of_files
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.ledger import Call, read_ledger
from ragonotebooks.sandbox.state import folder_of
from tests.sandbox.conftest import Sandbox

DEPLOYMENT = "ragonometrics"
BROKEN = "raise SystemExit('the kettle is cold')\n"


@dataclass(frozen=True)
class Done:
    """A command that has ended, what its notebook shows, and what the operator changed by it."""

    code: int
    output: str
    shown: str
    changes: list[Call]

    @property
    def actions(self) -> set[str]:
        return {call.action for call in self.changes}


@dataclass(frozen=True)
class Desk:
    """An operator's shell, whose sandbox is one of its own."""

    sandbox: str
    folder: Path

    def run(self, what: str, *parameters: str) -> Done:
        out, before = self.folder / f"run-{secrets.token_hex(4)}", len(self.changes())
        options = [word for parameter in parameters for word in ("-p", parameter)]
        done = subprocess.run(
            [sys.executable, "-m", "ragonotebooks", "run", what, *options, "--out", str(out)],
            cwd=project.ROOT,
            env={**os.environ, "RAGONOTEBOOKS_SANDBOX": self.sandbox, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        shown = "".join(path.read_text(encoding="utf-8") for path in sorted(out.glob("*.ipynb")))
        return Done(done.returncode, done.stdout + done.stderr, shown, self.changes()[before:])

    def changes(self) -> list[Call]:
        """The operator's calls so far that could change something."""
        if not client.find(self.sandbox):
            return []
        calls = read_ledger(folder_of(self.sandbox), mutating_only=True)
        return [call for call in calls if ":assumed-role/" not in call.caller]

    def aws(self, service: str) -> Any:
        state = client.find(self.sandbox)
        assert state
        return Sandbox(state).client(service)

    def service(self, part: str) -> dict[str, Any]:
        (found,) = self.aws("ecs").describe_services(cluster=DEPLOYMENT, services=[part])["services"]
        return dict(found)

    def revision(self, part: str) -> int:
        return int(self.service(part)["taskDefinition"].rpartition(":")[2])

    def password_version(self) -> str:
        answer = self.aws("secretsmanager").get_secret_value(SecretId=f"{DEPLOYMENT}/database")
        return str(answer["VersionId"])

    def push(self, tag: str, files: dict[str, str]) -> str:
        """Push the newest image of the jobs with other files on top, and return its digest."""
        ecr = self.aws("ecr")
        images = ecr.describe_images(repositoryName=f"{DEPLOYMENT}/jobs")["imageDetails"]
        newest = max(images, key=lambda image: image["imagePushedAt"])["imageDigest"]
        login = ecr.get_authorization_token()["authorizationData"][0]
        username, password = base64.b64decode(login["authorizationToken"]).decode().split(":", 1)
        state = client.find(self.sandbox)
        assert state
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in client.environment(state, "us-east-1").items():
                patch.setenv(variable, value)
            registry = Registry(login["proxyEndpoint"], username, password)
            layer = layer_of_files({name: text.encode() for name, text in files.items()})
            return registry.push(
                append(registry.pull(f"{DEPLOYMENT}/jobs", newest), [layer]), f"{DEPLOYMENT}/jobs", tag
            )


def claims(shown: str) -> set[str]:
    """The claims of an executed notebook that hold."""
    cells = json.loads(shown)["cells"]
    records = [output.get("data", {}).get(CHECK_MIME) for cell in cells for output in cell.get("outputs", [])]
    return {record["claim"] for record in records if record and record["passed"]}


@pytest.fixture(scope="module")
def desk(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A deployment whose services run; one worker is enough for it."""
    desk = Desk(deployment, tmp_path_factory.mktemp("desk"))
    yield desk
    desk.aws("ecs").update_service(cluster=DEPLOYMENT, service="worker", desiredCount=1)


@pytest.fixture(scope="module")
def rotated(desk: Desk) -> list[Done]:
    """The password rotated twice."""
    return [desk.run("rotate-database-secret"), desk.run("rotate-database-secret")]


@pytest.fixture(scope="module")
def restored(desk: Desk, rotated: list[Done]) -> list[Done]:
    """A snapshot restored and kept, then once more without keeping."""
    return [desk.run("restore-database", "keep=true"), desk.run("restore-database")]


@pytest.fixture(scope="module")
def scaled(desk: Desk, restored: list[Done]) -> list[Done]:
    """Two workers asked for twice."""
    return [desk.run("scale-workers", "workers=2"), desk.run("scale-workers", "workers=2")]


@pytest.fixture(scope="module")
def released(desk: Desk, scaled: list[Done]) -> list[Done]:
    """A good image released twice."""
    desk.push("good", {"notes.txt": "nothing but another file"})
    return [desk.run("release", "image=good"), desk.run("release", "image=good")]


@pytest.fixture(scope="module")
def bad(desk: Desk, released: list[Done]) -> tuple[Done, dict[str, int], dict[str, int]]:
    """A bad image released, and the revisions before and after it."""
    desk.push("bad", {"workload/api.py": BROKEN})
    before = {part: desk.revision(part) for part in ("api", "worker")}
    done = desk.run("release", "image=bad")
    return done, before, {part: desk.revision(part) for part in before}


@pytest.fixture(scope="module")
def triaged(desk: Desk, bad: Any) -> Done:
    """A triage after the bad release."""
    return desk.run("incident-triage")


@pytest.fixture(scope="module")
def rolled_back(desk: Desk, triaged: Done) -> list[tuple[Done, int]]:
    """The good release rolled back twice, each time with the API's revision afterwards."""
    return [(desk.run("roll-back"), desk.revision("api")) for _ in range(2)]


def test_a_password_is_rotated_while_every_request_is_answered(desk: Desk, rotated: list[Done]) -> None:
    for done in rotated:
        assert done.code == 0, done.output
        assert {"requests ran all the while", "no request failed"} <= claims(done.shown)
        assert {"ModifyDBInstance", "PutSecretValue", "UpdateService"} <= done.actions
    versions = desk.aws("secretsmanager").list_secret_version_ids(SecretId=f"{DEPLOYMENT}/database")["Versions"]
    assert [one["VersionId"] for one in versions if "AWSCURRENT" in one["VersionStages"]] == [desk.password_version()]
    assert not [one for one in versions if "AWSPENDING" in one["VersionStages"]]


def test_a_rotated_password_stands_in_no_notebook(desk: Desk, rotated: list[Done]) -> None:
    stored = desk.aws("secretsmanager").get_secret_value(SecretId=f"{DEPLOYMENT}/database")["SecretString"]
    assert json.loads(stored)["password"] not in "".join(done.shown for done in rotated)


def test_a_snapshot_restores_to_the_same_rows_and_the_copy_goes_again(desk: Desk, restored: list[Done]) -> None:
    kept, gone = restored
    assert kept.code == 0, kept.output
    assert gone.code == 0, gone.output
    assert all("both hold the same, to the last bit" in claims(done.shown) for done in restored)
    assert "RestoreDBInstanceFromDBSnapshot" in kept.actions
    assert {"CreateDBSnapshot", "RestoreDBInstanceFromDBSnapshot"}.isdisjoint(gone.actions)
    rds = desk.aws("rds")
    assert [one["DBInstanceIdentifier"] for one in rds.describe_db_instances()["DBInstances"]] == [f"{DEPLOYMENT}-db"]
    assert rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"] == []


def test_workers_are_scaled_once(desk: Desk, scaled: list[Done]) -> None:
    first, second = scaled
    assert first.code == second.code == 0, first.output + second.output
    assert (first.actions, second.actions) == ({"UpdateService"}, set())
    assert desk.service("worker")["runningCount"] == 2
    assert "jobs waiting" in first.shown


def test_a_good_image_is_released_once(desk: Desk, released: list[Done]) -> None:
    first, second = released
    assert first.code == second.code == 0, first.output + second.output
    assert first.actions == {"RegisterTaskDefinition", "UpdateService"}
    assert second.actions == set()


def test_a_bad_image_is_taken_back_and_the_cause_is_said(bad: tuple[Done, dict[str, int], dict[str, int]]) -> None:
    done, before, after = bad
    assert done.code == 1
    assert after == before
    assert "the image bad is bad, what ran before runs again" in done.output
    assert "the kettle is cold" in done.output


def test_a_triage_leads_to_the_failing_tasks_line_and_only_reads(triaged: Done) -> None:
    assert triaged.code == 0, triaged.output
    assert triaged.actions <= {"StartQuery"}
    assert re.search(r"of service:api stopped: .*it said: the kettle is cold", triaged.shown)


def test_a_release_is_rolled_back_once(desk: Desk, rolled_back: list[tuple[Done, int]], bad: Any) -> None:
    (first, revision), (second, still) = rolled_back
    assert first.code == second.code == 0, first.output + second.output
    assert revision == still < bad[1]["api"]
    assert second.actions == set()


@pytest.mark.parametrize(
    ("name", "parameter", "sentence"),
    [
        ("scale-workers", "workers=11", "'workers' is 11 but must be 1 to 10"),
        ("release", "image=9.9.9", f"there is no image '9.9.9' in {DEPLOYMENT}/jobs; its tags are: "),
        ("restore-database", "snapshot=never-taken", f"there is no snapshot 'never-taken' of {DEPLOYMENT}-db"),
        ("incident-triage", "minutes=0", "'minutes' is 0 but must be 1 to 1440"),
        ("roll-back", "parts=api,kettle", "parts is 'api,kettle', but knows api, worker and ui only"),
    ],
)
def test_a_bad_parameter_fails_before_anything_changes(
    desk: Desk, rolled_back: Any, name: str, parameter: str, sentence: str
) -> None:
    done = desk.run(name, parameter)
    assert done.code == 2
    assert sentence in done.output
    assert done.changes == []


def test_a_secret_that_is_no_json_is_named_before_anything_changes(desk: Desk, rolled_back: Any) -> None:
    secrets_manager = desk.aws("secretsmanager")
    good = secrets_manager.get_secret_value(SecretId=f"{DEPLOYMENT}/database")["SecretString"]
    secrets_manager.put_secret_value(SecretId=f"{DEPLOYMENT}/database", SecretString="swordfish")
    done = desk.run("rotate-database-secret")
    secrets_manager.put_secret_value(SecretId=f"{DEPLOYMENT}/database", SecretString=good)
    assert done.code == 1
    assert f"the secret {DEPLOYMENT}/database, AWSCURRENT, is not JSON with username and password" in done.output
    assert "swordfish" not in done.output + done.shown
    assert done.changes == []
