"""Artifact Registry: repositories by Google's client, images by the registry client of the notebooks."""

import gzip
from datetime import timedelta

import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1

from ragonotebooks.images import Registry, RegistryError
from ragonotebooks.sandbox.ledger import read_ledger
from ragonotebooks.sandbox.parts.public_registry import TAG
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import enable
from tests.sandbox.gcp.images import (
    HOST,
    LOCATION,
    image_of,
    make_repository,
    push,
    registry,
    repository_path,
    token_of_the_operator,
)
from tests.sandbox.gcp.test_access import grant, new_account


@pytest.fixture(autouse=True)
def enabled(gcp: Sandbox) -> None:
    enable("artifactregistry")


@pytest.fixture
def client() -> artifactregistry_v1.ArtifactRegistryClient:
    return artifactregistry_v1.ArtifactRegistryClient()


def test_what_is_pushed_is_listed_and_comes_back_the_same(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    made = make_repository("papers", labels={"deployment": "here"})
    assert (made.name, made.labels["deployment"]) == (f"{LOCATION}/repositories/papers", "here")
    image = image_of({"job.py": b"print('hello')\n"})
    digest = registry().push(image, repository_path("papers", "jobs"), "1.0")
    registry().push(image, repository_path("papers", "jobs"), "latest")
    [shown] = client.list_docker_images(parent=made.name)
    assert shown.uri == f"{HOST}/{repository_path('papers', 'jobs')}@{digest}"
    assert sorted(shown.tags) == ["1.0", "latest"]
    assert shown.image_size_bytes == image.manifest.size
    assert [one.name for one in client.list_packages(parent=made.name)] == [f"{made.name}/packages/jobs"]
    package = f"{made.name}/packages/jobs"
    assert [one.name for one in client.list_versions(parent=package)] == [f"{package}/versions/{digest}"]
    tags = {one.name.rpartition("/")[2]: one.version.rpartition("/")[2] for one in client.list_tags(parent=package)}
    assert tags == {"1.0": digest, "latest": digest}
    assert registry().pull(repository_path("papers", "jobs"), "1.0").digest == digest
    assert registry().tags(repository_path("papers", "jobs")) == ["1.0", "latest"]
    assert client.get_repository(name=made.name).size_bytes >= shown.image_size_bytes


def test_an_image_whose_name_has_slashes_is_one_package(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    made = make_repository("nested")
    push("nested", "team/jobs", {"a.py": b"1"})
    assert [one.name for one in client.list_packages(parent=made.name)] == [f"{made.name}/packages/team%2Fjobs"]
    assert registry().pull(repository_path("nested", "team/jobs"), "1").layers


def test_a_version_goes_with_its_tags_when_it_is_forced(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    made = make_repository("deleting")
    push("deleting", "jobs", {"a.py": b"1"})
    [version] = client.list_versions(parent=f"{made.name}/packages/jobs")
    with pytest.raises(exceptions.FailedPrecondition, match="has the tags 1"):
        client.delete_version(request={"name": version.name}).result(timeout=60)
    client.delete_version(request={"name": version.name, "force": True}).result(timeout=60)
    assert list(client.list_docker_images(parent=made.name)) == []
    with pytest.raises(RegistryError, match="MANIFEST_UNKNOWN"):
        registry().manifest(repository_path("deleting", "jobs"), "1")


def test_a_deleted_repository_is_gone_from_the_registry(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    made = make_repository("gone")
    push("gone", "jobs", {"a.py": b"1"})
    client.delete_repository(name=made.name).result(timeout=60)
    with pytest.raises(RegistryError, match="NAME_UNKNOWN"):
        push("gone", "jobs", {"a.py": b"1"})
    assert make_repository("gone").size_bytes == 0
    assert list(client.list_packages(parent=made.name)) == []


def test_an_immutable_tag_does_not_move(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    make_repository("fixed", docker_config={"immutable_tags": True})
    push("fixed", "jobs", {"a.py": b"1"})
    push("fixed", "jobs", {"a.py": b"1"})
    with pytest.raises(RegistryError, match="tag immutability"):
        push("fixed", "jobs", {"a.py": b"2"})


def test_an_image_with_an_immutable_tag_stays(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    everything = {"all": {"id": "all", "action": "DELETE", "condition": {"tag_state": "ANY"}}}
    made = make_repository("kept", docker_config={"immutable_tags": True}, cleanup_policies=everything)
    push("kept", "jobs", {"a.py": b"1"})
    package = f"{made.name}/packages/jobs"
    [version] = client.list_versions(parent=package)
    with pytest.raises(exceptions.FailedPrecondition, match="immutable tags"):
        client.delete_version(request={"name": version.name, "force": True})
    with pytest.raises(exceptions.FailedPrecondition, match="immutable tags"):
        client.batch_delete_versions(request={"parent": package, "names": [version.name]})
    with pytest.raises(exceptions.FailedPrecondition, match="immutable tags"):
        client.delete_package(name=package)
    assert len(list(client.list_docker_images(parent=made.name))) == 1


def test_the_base_image_is_had_from_the_mirror_of_docker_hub() -> None:
    base = Registry("mirror.gcr.io").pull("library/python", TAG)
    with base.layers[0].open() as content:
        text = gzip.decompress(content.read())
    assert f"stands in for mirror.gcr.io/library/python:{TAG}".encode() in text


def test_a_cleanup_policy_keeps_the_newest_and_what_has_a_tag_of_a_release(
    client: artifactregistry_v1.ArtifactRegistryClient,
) -> None:
    policies = {
        "old": {"id": "old", "action": "DELETE", "condition": {"older_than": timedelta(0)}},
        "two": {"id": "two", "action": "KEEP", "most_recent_versions": {"keep_count": 2}},
        "releases": {"id": "releases", "action": "KEEP", "condition": {"tag_prefixes": ["v"]}},
    }
    made = make_repository("cleaned", cleanup_policies=policies)
    for tag in ("v1", "a", "b", "c"):
        push("cleaned", "jobs", {"a.py": tag.encode()}, tag)
    left = sorted(tag for image in client.list_docker_images(parent=made.name) for tag in image.tags)
    assert left == ["b", "c", "v1"]


def test_a_dry_run_of_cleanup_policies_deletes_nothing(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    policies = {"all": {"id": "all", "action": "DELETE", "condition": {"tag_state": "ANY"}}}
    made = make_repository("rehearsed", cleanup_policies=policies, cleanup_policy_dry_run=True)
    push("rehearsed", "jobs", {"a.py": b"1"})
    assert len(list(client.list_docker_images(parent=made.name))) == 1
    made.cleanup_policy_dry_run = False
    client.update_repository(repository=made, update_mask={"paths": ["cleanup_policy_dry_run"]})
    assert list(client.list_docker_images(parent=made.name)) == []


def test_a_reader_of_a_repository_pulls_and_cannot_push(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    made = make_repository("shared")
    push("shared", "jobs", {"a.py": b"1"})
    token = _token_for("image-reader")
    path = repository_path("shared", "jobs")
    with pytest.raises(RegistryError, match=r"artifactregistry\.repositories\.downloadArtifacts"):
        registry(token).pull(path, "1")
    grant(client, made.name, "roles/artifactregistry.reader", "serviceAccount:" + _EMAIL.format("image-reader"))
    assert registry(token).pull(path, "1").layers
    with pytest.raises(RegistryError, match=r"artifactregistry\.repositories\.uploadArtifacts"):
        registry(token).push(image_of({"a.py": b"2"}), path, "2")


def test_a_login_with_no_token_of_this_sandbox_is_refused() -> None:
    with pytest.raises(Exception, match="401"):
        registry("not-a-token").check_login()


def test_the_ledger_tells_who_pushed_what(gcp: Sandbox) -> None:
    made = make_repository("audited")
    push("audited", "jobs", {"a.py": b"1"})
    calls = [
        call for call in read_ledger(gcp.folder) if call.resource == made.name and call.action.startswith("Docker")
    ]
    assert [(call.caller, call.mutating) for call in calls if call.action == "Docker-PutManifest"] == [
        ("operator@ragonometrics.example", True)
    ]


def test_a_refused_push_is_in_the_ledger_with_its_reason(gcp: Sandbox) -> None:
    made = make_repository("refusing")
    with pytest.raises(RegistryError):
        registry(_token_for("refused-pusher")).push(image_of({"a.py": b"1"}), repository_path("refusing", "jobs"), "1")
    [call] = [call for call in read_ledger(gcp.folder) if call.resource == made.name and call.status == 403]
    assert (call.error, call.caller, call.mutating) == ("PERMISSION_DENIED", _EMAIL.format("refused-pusher"), False)


def test_formats_that_the_sandbox_lacks_are_refused_by_name(client: artifactregistry_v1.ArtifactRegistryClient) -> None:
    repository = artifactregistry_v1.Repository(format_="PYTHON")
    with pytest.raises(exceptions.MethodNotImplemented, match="PYTHON"):
        client.create_repository(parent=LOCATION, repository_id="wheels", repository=repository)
    with pytest.raises(exceptions.MethodNotImplemented, match="ListFiles"):
        list(client.list_files(parent=f"{LOCATION}/repositories/papers"))


_EMAIL = "{}@ragonometrics-sandbox.iam.gserviceaccount.com"


def _token_for(name: str) -> str:
    """An access token of a new service account, that the operator may ask for."""
    from google.cloud import iam_admin_v1, iam_credentials_v1

    email, admin = new_account(name), iam_admin_v1.IAMClient()
    resource = f"projects/-/serviceAccounts/{email}"
    grant(
        admin,
        f"projects/ragonometrics-sandbox/serviceAccounts/{email}",
        "roles/iam.serviceAccountTokenCreator",
        "user:operator@ragonometrics.example",
    )
    assert token_of_the_operator()
    scope = ["https://www.googleapis.com/auth/cloud-platform"]
    answer = iam_credentials_v1.IAMCredentialsClient().generate_access_token(name=resource, scope=scope)
    return str(answer.access_token)
