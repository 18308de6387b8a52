"""Clients of google-api-python-client, built from discovery documents, reach the same engine."""

import httplib2
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT


@pytest.fixture(autouse=True)
def _trusted(gcp: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    # httplib2 reads HTTPLIB2_CA_CERTS when it is imported, and this process imported it for another sandbox
    monkeypatch.setattr(httplib2, "CA_CERTS", gcp.bundle)


def test_service_accounts_and_roles(gcp: Sandbox) -> None:
    projects = build("iam", "v1").projects()
    body = {"accountId": "by-discovery", "serviceAccount": {"displayName": "One"}}
    made = projects.serviceAccounts().create(name=PROJECT, body=body).execute()
    change = {"serviceAccount": {"displayName": "Two"}, "updateMask": "displayName"}
    projects.serviceAccounts().patch(name=made["name"], body=change).execute()
    anywhere = made["name"].replace(PROJECT, "projects/-")
    assert projects.serviceAccounts().get(name=anywhere).execute()["displayName"] == "Two"
    key = projects.serviceAccounts().keys().create(name=made["name"], body={}).execute()
    assert [one["name"] for one in projects.serviceAccounts().keys().list(name=made["name"]).execute()["keys"]] == [
        key["name"]
    ]
    projects.serviceAccounts().delete(name=made["name"]).execute()
    with pytest.raises(HttpError, match="Unknown service account"):
        projects.serviceAccounts().get(name=made["name"]).execute()
    assert build("iam", "v1").roles().get(name="roles/run.invoker").execute()["name"] == "roles/run.invoker"


def test_secrets(gcp: Sandbox) -> None:
    secrets = build("secretmanager", "v1").projects().secrets()
    name = secrets.create(parent=PROJECT, secretId="by-discovery", body={"replication": {"automatic": {}}}).execute()[
        "name"
    ]
    secrets.addVersion(parent=name, body={"payload": {"data": "aGlkZGVu"}}).execute()
    assert secrets.versions().access(name=f"{name}/versions/latest").execute()["payload"]["data"] == "aGlkZGVu"


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_the_project_and_its_policy(gcp: Sandbox, version: str) -> None:
    projects = build("cloudresourcemanager", version).projects()
    which, resource = ({"projectId": PROJECT[9:]}, PROJECT[9:]) if version == "v1" else ({"name": PROJECT}, PROJECT)
    assert projects.get(**which).execute()["projectId"] == "ragonometrics-sandbox"
    assert "roles/owner" in [one["role"] for one in projects.getIamPolicy(resource=resource).execute()["bindings"]]


def test_buckets_and_objects(gcp: Sandbox) -> None:
    storage = build("storage", "v1")
    storage.buckets().insert(project=PROJECT[9:], body={"name": "by-discovery"}).execute()
    assert "by-discovery" in [one["name"] for one in storage.buckets().list(project=PROJECT[9:]).execute()["items"]]
    with pytest.raises(HttpError, match="No such object"):
        storage.objects().get(bucket="by-discovery", object="none").execute()


def test_a_field_that_does_not_exist_is_named(gcp: Sandbox) -> None:
    with pytest.raises(HttpError, match="colour"):
        build("secretmanager", "v1").projects().secrets().create(
            parent=PROJECT, secretId="x", body={"colour": "red"}
        ).execute()
