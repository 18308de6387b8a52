"""The deployment's checklist on Google Cloud: passes where all is well, and names each break under the line that it breaks.

One deployment is broken in all these ways at once, and mended.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.desk import Desk, Done, proven, unproven
from tests.google import HERE, PROJECT, api
from tests.notebooks.checklists import Checklist, holds

NAME = "ragonometrics"

NETWORK = "Postgres and Redis are on private networking"
BUCKET = "An artifact bucket holds index shards and run manifests, and nobody else gets in"
IMAGES = "The images for the UI and the worker are built and pushed, and are what runs"
SERVICES = "The services run, and the API lets in those who are invited"
ACCESS = "Network policies restrict database access to the services"
WATCHED = "Logs are structured and metrics are watched at the platform layer"
SECRETS = "Secrets are injected at run time, none is in images, templates, environment files or logs"
AUDIT = "Access can be audited"


@pytest.fixture(scope="module")
def here(gcp_deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(gcp_deployment, tmp_path_factory.mktemp("desk"))


@contextmanager
def open_bucket(here: Desk) -> Iterator[None]:
    def prevent(how: str) -> None:
        configuration = {"publicAccessPrevention": how, "uniformBucketLevelAccess": {"enabled": True}}
        bucket = f"storage/v1/b/{NAME}-artifacts-{PROJECT}"
        api(here.sandbox, "storage").call("PATCH", bucket, {"iamConfiguration": configuration})

    prevent("inherited")
    yield
    prevent("enforced")


@contextmanager
def open_rule(here: Desk) -> Iterator[None]:
    compute, firewalls = api(here.sandbox, "compute"), "compute/v1/{project}/global/firewalls"
    allowed = [{"IPProtocol": "tcp", "ports": ["5432"]}]
    compute.start("POST", firewalls, {"name": "world", "network": f"global/networks/{NAME}", "allowed": allowed})
    yield
    compute.start("DELETE", f"{firewalls}/world")


@contextmanager
def plain_database(here: Desk) -> Iterator[None]:
    def set_mode(mode: str) -> None:
        settings = {"ipConfiguration": {"sslMode": mode}}
        api(here.sandbox, "sqladmin").start("PATCH", f"v1/{{project}}/instances/{NAME}-db", {"settings": settings})

    set_mode("ALLOW_UNENCRYPTED_AND_ENCRYPTED")
    yield
    set_mode("ENCRYPTED_ONLY")


def changed_job(here: Desk, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change the container of the jobs, and take it back."""
    run, path = api(here.sandbox, "run"), f"v2/{HERE}/jobs/{NAME}-jobs"
    good, bad = run.call("GET", path), run.call("GET", path)
    change(bad["template"]["template"]["containers"][0])
    run.start("PATCH", path, bad | {"etag": ""})
    yield
    run.start("PATCH", path, good | {"etag": ""})


@contextmanager
def plain_secret(here: Desk) -> Iterator[None]:
    newest = f"v1/{{project}}/secrets/{NAME}-database-password/versions/latest:access"
    value = base64.b64decode(api(here.sandbox, "secretmanager").call("GET", newest)["payload"]["data"]).decode()
    # an innocent name does not hide it
    yield from changed_job(here, lambda container: container["env"].append({"name": "GREETING", "value": value}))


@contextmanager
def image_by_tag(here: Desk) -> Iterator[None]:
    repository = f"v1/{HERE}/repositories/{NAME}/packages/jobs/tags"
    tag = next(api(here.sandbox, "artifactregistry").each(repository, "tags"))["name"].rpartition("/")[2]

    def by_tag(container: dict[str, Any]) -> None:
        container["image"] = f"{container['image'].partition('@')[0]}:{tag}"

    yield from changed_job(here, by_tag)


@contextmanager
def no_worker(here: Desk) -> Iterator[None]:
    def scale(count: int) -> None:
        scaling, query = {"scaling": {"manualInstanceCount": count}}, "updateMask=scaling.manualInstanceCount"
        api(here.sandbox, "run").start("PATCH", f"v2/{HERE}/workerPools/{NAME}-worker?{query}", scaling)

    scale(0)
    yield
    scale(1)


@contextmanager
def key_of_the_api(here: Desk) -> Iterator[None]:
    iam, account = (
        api(here.sandbox, "iam"),
        f"v1/{{project}}/serviceAccounts/{NAME}-api@{PROJECT}.iam.gserviceaccount.com",
    )
    key = iam.call("POST", f"{account}/keys", {})["name"]
    yield
    iam.call("DELETE", f"v1/{key}")


@contextmanager
def sleeping_alert(here: Desk) -> Iterator[None]:
    monitoring, policies = api(here.sandbox, "monitoring"), "v3/{project}/alertPolicies"
    policy = next(one["name"] for one in monitoring.each(policies, "alertPolicies") if NAME in one["displayName"])

    def switch(on: bool) -> None:
        monitoring.call("PATCH", f"v3/{policy}", {"enabled": on}, updateMask="enabled")

    switch(False)
    yield
    switch(True)


@contextmanager
def unread_reads(here: Desk) -> Iterator[None]:
    projects = api(here.sandbox, "cloudresourcemanager")
    asked = projects.call("POST", "v3/{project}:getIamPolicy", {})["auditConfigs"]

    def ask_for(configs: list[Any]) -> None:
        change = {"policy": {"auditConfigs": configs}, "updateMask": "auditConfigs"}
        projects.call("POST", "v3/{project}:setIamPolicy", change)

    ask_for([])
    yield
    ask_for(asked)


OWN = "runbooks/gcp/checklist"
BREAKS = [
    pytest.param(open_bucket, BUCKET, "gcp/02-storage", "it cannot let in everybody", id="the bucket's public doors"),
    pytest.param(open_rule, ACCESS, "gcp/01-network", "'world'", id="a rule for the world"),
    pytest.param(plain_database, NETWORK, "gcp/04-database", "without TLS nobody is let in", id="without TLS"),
    pytest.param(plain_secret, SECRETS, OWN, r"secret in its environment: it is \['ragonometrics-jobs GREETING'\]",
                 id="a secret as a plain setting"),
    pytest.param(image_by_tag, IMAGES, OWN, r"image by its digest: it is \['ragonometrics-jobs'\]", id="a tag"),
    pytest.param(no_worker, SERVICES, OWN, "at least one worker is wanted: it is False", id="no worker"),
    pytest.param(sleeping_alert, WATCHED, OWN, r"none is switched off: it is \{False\}", id="a sleeping alert"),
    pytest.param(unread_reads, AUDIT, "gcp/10-audit", "secrets is written down: it is {}", id="reads that nobody records"),
    pytest.param(key_of_the_api, AUDIT, "gcp/03-secrets-and-access", "nobody holds a key of any of them", id="a key"),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdict(here: Desk) -> str:
    """The checklist's while everything is broken that is broken here."""
    breaks = [(one.values[0](here), one.values[2]) for one in BREAKS]
    return Checklist(here, "deployment-checklist-gcp").verdict(here.folder / "broken", breaks)


@pytest.fixture(scope="module")
def healthy(here: Desk, verdict: str) -> Done:
    """All of it verified where nothing is broken any more."""
    return Checklist(here, "deployment-checklist-gcp").verify(here.folder / "healthy")


@pytest.mark.parametrize(("broken", "line", "notebook", "said"), BREAKS)
def test_a_break_is_found_and_named_under_its_line(
    verdict: str, broken: Any, line: str, notebook: str, said: str
) -> None:
    holds(verdict, line, said)


def test_a_healthy_deployment_passes_every_line(here: Desk, healthy: Done) -> None:
    Checklist(here, "deployment-checklist-gcp").passes(healthy, here.folder / "healthy")


def test_the_committed_lessons_prove_what_a_verification_proves(here: Desk, healthy: Done) -> None:
    committed, found = proven(here), proven(here, "--run", str(here.folder / "healthy"))
    assert unproven(found, committed) == []
    for exam in ("ACE", "PDE", "PMLE"):
        assert any(found[exam].values()), exam
