"""Cloud Audit Logs, read by Google's clients: who did what, and who read what where the project's policy asks for it."""

from collections.abc import Callable, Iterator
from typing import Any

import google.auth
import pytest
from google.api_core import exceptions
from google.auth import impersonated_credentials
from google.cloud import iam_admin_v1, resourcemanager_v3, secretmanager, storage
from google.cloud import logging as cloud_logging
from google.iam.v1 import policy_pb2

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT

OPERATOR = "operator@ragonometrics.example"
ACCOUNT = f"under-audit@{PROJECT.removeprefix('projects/')}.iam.gserviceaccount.com"
Read = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def read(gcp: Sandbox) -> Read:
    """What an audit log has on a resource: the payloads of its entries, as they were written."""

    def find(log: str, resource: str, client: cloud_logging.Client | None = None) -> list[dict[str, Any]]:
        text = f'log_id("cloudaudit.googleapis.com/{log}") AND protoPayload.resourceName:"{resource}"'
        return [entry.payload for entry in (client or cloud_logging.Client()).list_entries(filter_=text)]

    return find


@pytest.fixture
def account(gcp: Sandbox) -> Iterator[str]:
    """The e-mail of a service account that may do nothing, and whose tokens the operator may make."""
    iam = iam_admin_v1.IAMClient()
    name = iam.create_service_account(request={"name": PROJECT, "account_id": "under-audit"}).name
    binding = {"role": "roles/iam.serviceAccountTokenCreator", "members": [f"user:{OPERATOR}"]}
    iam.set_iam_policy(request={"resource": name, "policy": {"bindings": [binding]}})
    yield ACCOUNT
    iam.delete_service_account(name=name)


@pytest.fixture
def project_policy(gcp: Sandbox) -> Iterator[Callable[[policy_pb2.Policy], None]]:
    """Changes the project's policy, audit configurations included; it is as before afterwards."""
    projects = resourcemanager_v3.ProjectsClient()
    before = projects.get_iam_policy(resource=PROJECT)

    def change(policy: policy_pb2.Policy) -> None:
        mask = {"paths": ["bindings", "audit_configs"]}
        projects.set_iam_policy(request={"resource": PROJECT, "policy": policy, "update_mask": mask})

    yield change
    before.etag = b""
    change(before)


def acting_as(account: str) -> Any:
    """The credentials of a service account."""
    source, _ = google.auth.default()
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    return impersonated_credentials.Credentials(source, account, scopes)


def new_secret(name: str) -> str:
    """Make a secret with a version; return the version's name."""
    secrets = secretmanager.SecretManagerServiceClient()
    secret = {"replication": {"automatic": {}}}
    made = secrets.create_secret(request={"parent": PROJECT, "secret_id": name, "secret": secret})
    return str(secrets.add_secret_version(request={"parent": made.name, "payload": {"data": b"x"}}).name)


def test_changes_are_in_the_activity_log_with_who_what_and_where(gcp: Sandbox, read: Read) -> None:
    new_secret("watched")
    [added] = [one for one in read("activity", "secrets/watched") if one["methodName"].endswith("AddSecretVersion")]
    assert added["serviceName"] == "secretmanager.googleapis.com"
    assert added["methodName"] == "google.cloud.secretmanager.v1.SecretManagerService.AddSecretVersion"
    assert added["authenticationInfo"] == {"principalEmail": OPERATOR}
    assert added["@type"] == "type.googleapis.com/google.cloud.audit.AuditLog"
    assert "status" not in added


def test_changes_of_storage_bear_its_own_names_and_its_objects_are_data(gcp: Sandbox, read: Read) -> None:
    bucket = storage.Client().create_bucket("audited-bucket")
    bucket.blob("data").upload_from_string("x")
    bucket.labels = {"team": "rag"}
    bucket.patch()
    entries = list(cloud_logging.Client().list_entries(filter_='resource.type="gcs_bucket"'))
    mine = [one for one in entries if one.resource.labels["bucket_name"] == "audited-bucket"]
    assert {one.payload["methodName"] for one in mine} == {"storage.buckets.create", "storage.buckets.update"}
    assert mine[0].severity == "NOTICE"


def test_what_was_refused_is_there_with_its_status(gcp: Sandbox, read: Read, account: str) -> None:
    client = secretmanager.SecretManagerServiceClient(credentials=acting_as(account))
    with pytest.raises(exceptions.PermissionDenied):
        client.create_secret(
            request={"parent": PROJECT, "secret_id": "not-mine", "secret": {"replication": {"automatic": {}}}}
        )
    text = (
        f'log_id("cloudaudit.googleapis.com/activity") AND protoPayload.authenticationInfo.principalEmail="{account}"'
    )
    [entry] = list(cloud_logging.Client().list_entries(filter_=text))
    assert entry.severity == "ERROR"
    assert entry.payload["status"]["code"] == 7
    assert entry.payload["authorizationInfo"][0]["permission"] == "secretmanager.secrets.create"
    assert "granted" not in entry.payload["authorizationInfo"][0]
    assert entry.payload["methodName"].endswith("CreateSecret")


def test_reads_are_written_down_only_where_the_policy_asks_for_it(
    gcp: Sandbox, read: Read, project_policy: Callable[[policy_pb2.Policy], None]
) -> None:
    secrets, version = secretmanager.SecretManagerServiceClient(), new_secret("read")
    secrets.access_secret_version(name=version)
    assert read("data_access", version) == []
    policy = resourcemanager_v3.ProjectsClient().get_iam_policy(resource=PROJECT)
    asked = policy_pb2.AuditLogConfig(log_type="DATA_READ")
    policy.audit_configs.add(service="secretmanager.googleapis.com", audit_log_configs=[asked])
    project_policy(policy)
    secrets.access_secret_version(name=version)
    secrets.get_secret_version(name=version)
    [accessed] = read("data_access", version)
    assert accessed["methodName"].endswith("AccessSecretVersion")
    assert accessed["authenticationInfo"]["principalEmail"] == OPERATOR
    [asked] = accessed["authorizationInfo"]
    assert (asked["permission"], asked["granted"]) == ("secretmanager.versions.access", True)
    assert asked["resource"].endswith("/secrets/read/versions/1")


def test_an_overwrite_asks_for_more_than_a_first_write(
    gcp: Sandbox, read: Read, project_policy: Callable[[policy_pb2.Policy], None]
) -> None:
    bucket = storage.Client().create_bucket("audited-writes")
    policy = resourcemanager_v3.ProjectsClient().get_iam_policy(resource=PROJECT)
    asked = policy_pb2.AuditLogConfig(log_type="DATA_WRITE")
    policy.audit_configs.add(service="storage.googleapis.com", audit_log_configs=[asked])
    project_policy(policy)
    for text in ("once", "twice"):
        bucket.blob("paper").upload_from_string(text)
    written = read("data_access", "audited-writes/objects/paper")
    assert [[one["permission"] for one in entry["authorizationInfo"]] for entry in written] == [
        ["storage.objects.create"],
        ["storage.objects.create", "storage.objects.delete"],
    ]


def test_whoever_is_exempted_is_not_written_down(
    gcp: Sandbox, read: Read, project_policy: Callable[[policy_pb2.Policy], None]
) -> None:
    version = new_secret("exempt")
    policy = resourcemanager_v3.ProjectsClient().get_iam_policy(resource=PROJECT)
    asked = policy_pb2.AuditLogConfig(log_type="DATA_READ", exempted_members=[f"user:{OPERATOR}"])
    policy.audit_configs.add(service="allServices", audit_log_configs=[asked])
    project_policy(policy)
    secretmanager.SecretManagerServiceClient().access_secret_version(name=version)
    assert read("data_access", version) == []


def test_a_policy_that_is_set_without_a_mask_keeps_the_audit_configurations(
    gcp: Sandbox, project_policy: Callable[[policy_pb2.Policy], None]
) -> None:
    projects = resourcemanager_v3.ProjectsClient()
    policy = projects.get_iam_policy(resource=PROJECT)
    policy.audit_configs.add(
        service="allServices", audit_log_configs=[policy_pb2.AuditLogConfig(log_type="ADMIN_READ")]
    )
    project_policy(policy)
    policy = projects.get_iam_policy(resource=PROJECT)
    del policy.audit_configs[:]
    projects.set_iam_policy(request={"resource": PROJECT, "policy": policy})
    assert [one.service for one in projects.get_iam_policy(resource=PROJECT).audit_configs] == ["allServices"]


def test_who_may_not_see_private_entries_sees_the_activity_alone(
    gcp: Sandbox, read: Read, account: str, project_policy: Callable[[policy_pb2.Policy], None]
) -> None:
    version = new_secret("private")
    policy = resourcemanager_v3.ProjectsClient().get_iam_policy(resource=PROJECT)
    asked = policy_pb2.AuditLogConfig(log_type="DATA_READ")
    policy.audit_configs.add(service="secretmanager.googleapis.com", audit_log_configs=[asked])
    policy.bindings.add(role="roles/logging.viewer", members=[f"serviceAccount:{account}"])
    project_policy(policy)
    secretmanager.SecretManagerServiceClient().access_secret_version(name=version)
    viewer = cloud_logging.Client(project=PROJECT.removeprefix("projects/"), credentials=acting_as(account))
    assert len(read("data_access", version)) == 1
    assert read("data_access", version, viewer) == []
    assert read("activity", "secrets/private", viewer)


def test_nobody_writes_or_deletes_an_audit_log(gcp: Sandbox) -> None:
    logger = cloud_logging.Client().logger("cloudaudit.googleapis.com%2Factivity")
    with pytest.raises(exceptions.PermissionDenied, match="written by Google Cloud alone"):
        logger.log_text("it was somebody else")
    with pytest.raises(exceptions.PermissionDenied, match="written by Google Cloud alone"):
        logger.delete()
