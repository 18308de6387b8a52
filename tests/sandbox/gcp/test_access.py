"""Who may what: APIs that are not enabled, callers without permission, identities and their tokens."""

import json
from typing import Any

import google.auth
import pytest
import requests
from google.api_core import exceptions
from google.auth import impersonated_credentials
from google.auth.transport.requests import Request
from google.cloud import iam_admin_v1, resourcemanager_v3, secretmanager_v1, service_usage_v1
from google.iam.v1 import policy_pb2
from google.oauth2 import service_account

from ragonotebooks.sandbox.ledger import read_ledger
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT, enable, run

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
OPERATOR = "user:operator@ragonometrics.example"


def new_account(name: str) -> str:
    """Make a service account and return its e-mail address."""
    made = iam_admin_v1.IAMClient().create_service_account(request={"name": PROJECT, "account_id": name})
    return str(made.email)


def key_of(email: str) -> dict[str, Any]:
    """What is in a new key file of a service account."""
    key = iam_admin_v1.IAMClient().create_service_account_key(request={"name": f"{PROJECT}/serviceAccounts/{email}"})
    found: dict[str, Any] = json.loads(key.private_key_data)
    return found


def credentials_of(email: str) -> service_account.Credentials:
    return service_account.Credentials.from_service_account_info(key_of(email), scopes=SCOPES)


def new_secret(name: str) -> str:
    secrets = secretmanager_v1.SecretManagerServiceClient()
    made = secrets.create_secret(parent=PROJECT, secret_id=name, secret={"replication": {"automatic": {}}})
    secrets.add_secret_version(parent=made.name, payload={"data": b"hidden"})
    return f"{made.name}/versions/latest"


def grant(client: Any, resource: str, role: str, member: str) -> policy_pb2.Policy:
    """Add a binding to a resource's policy, as programs do: read, change, write."""
    policy = client.get_iam_policy(request={"resource": resource})
    policy.bindings.add(role=role, members=[member])
    return client.set_iam_policy(request={"resource": resource, "policy": policy})


def test_a_call_to_an_api_that_is_not_enabled_names_the_command_that_enables_it(another: Sandbox) -> None:
    program = f"""
from google.cloud import secretmanager_v1, service_usage_v1
secrets = secretmanager_v1.SecretManagerServiceClient()
try:
    list(secrets.list_secrets(parent="{PROJECT}"))
except Exception as error:
    print(error.reason, error.metadata["service"], "gcloud services enable secretmanager.googleapis.com" in error.message)
name = "{PROJECT}/services/secretmanager.googleapis.com"
service_usage_v1.ServiceUsageClient().enable_service(request={{"name": name}}).result(timeout=60)
print(list(secrets.list_secrets(parent="{PROJECT}")))
"""
    assert run(another, program).splitlines() == ["SERVICE_DISABLED secretmanager.googleapis.com True", "[]"]


def test_a_disabled_api_is_refused_again(gcp: Sandbox) -> None:
    usage = service_usage_v1.ServiceUsageClient()
    enable("run")
    usage.disable_service(request={"name": f"{PROJECT}/services/run.googleapis.com"}).result(timeout=60)
    assert usage.get_service(request={"name": f"{PROJECT}/services/run.googleapis.com"}).state.name == "DISABLED"
    with pytest.raises(exceptions.FailedPrecondition):
        usage.disable_service(request={"name": f"{PROJECT}/services/run.googleapis.com"})


def test_a_service_account_may_what_the_policy_of_the_resource_says_and_no_more(gcp: Sandbox) -> None:
    version, email = new_secret("one-reader"), new_account("one-reader")
    reader = secretmanager_v1.SecretManagerServiceClient(credentials=credentials_of(email))
    with pytest.raises(exceptions.PermissionDenied, match=r"secretmanager\.versions\.access") as refusal:
        reader.access_secret_version(name=version)
    assert refusal.value.reason == "IAM_PERMISSION_DENIED"
    operator = secretmanager_v1.SecretManagerServiceClient()
    grant(operator, f"{PROJECT}/secrets/one-reader", "roles/secretmanager.secretAccessor", f"serviceAccount:{email}")
    assert reader.access_secret_version(name=version).payload.data == b"hidden"
    with pytest.raises(exceptions.PermissionDenied):
        reader.access_secret_version(name=new_secret("another"))
    with pytest.raises(exceptions.PermissionDenied):
        list(reader.list_secrets(parent=PROJECT))


def test_a_role_on_the_project_holds_for_all_that_is_in_it_until_it_is_taken_away(gcp: Sandbox) -> None:
    projects, email = resourcemanager_v3.ProjectsClient(), new_account("project-reader")
    reader = secretmanager_v1.SecretManagerServiceClient(credentials=credentials_of(email))
    grant(projects, PROJECT, "roles/secretmanager.viewer", f"serviceAccount:{email}")
    list(reader.list_secrets(parent=PROJECT))
    policy = projects.get_iam_policy(request={"resource": PROJECT})
    kept = [binding for binding in policy.bindings if f"serviceAccount:{email}" not in binding.members]
    projects.set_iam_policy(request={"resource": PROJECT, "policy": policy_pb2.Policy(bindings=kept, etag=policy.etag)})
    with pytest.raises(exceptions.PermissionDenied):
        list(reader.list_secrets(parent=PROJECT))


def test_a_policy_that_changed_meanwhile_is_not_overwritten(gcp: Sandbox) -> None:
    projects = resourcemanager_v3.ProjectsClient()
    old = projects.get_iam_policy(request={"resource": PROJECT})
    grant(projects, PROJECT, "roles/run.viewer", OPERATOR)
    with pytest.raises(exceptions.Aborted, match="concurrent policy changes"):
        projects.set_iam_policy(request={"resource": PROJECT, "policy": old})


def test_a_role_that_does_not_exist_and_a_condition_are_refused(gcp: Sandbox) -> None:
    projects = resourcemanager_v3.ProjectsClient()
    with pytest.raises(exceptions.InvalidArgument, match=r"roles/made\.up"):
        grant(projects, PROJECT, "roles/made.up", OPERATOR)
    policy = projects.get_iam_policy(request={"resource": PROJECT})
    policy.bindings.add(role="roles/run.viewer", members=[OPERATOR]).condition.title = "until noon"
    with pytest.raises(exceptions.MethodNotImplemented, match="until noon"):
        projects.set_iam_policy(request={"resource": PROJECT, "policy": policy})


def test_a_projects_own_role_permits_what_it_lists(gcp: Sandbox) -> None:
    email, version = new_account("own-role"), new_secret("own-role")
    role = {"title": "Reads secrets", "included_permissions": ["secretmanager.versions.access"]}
    made = iam_admin_v1.IAMClient().create_role(request={"parent": PROJECT, "role_id": "readsSecrets", "role": role})
    grant(resourcemanager_v3.ProjectsClient(), PROJECT, made.name, f"serviceAccount:{email}")
    reader = secretmanager_v1.SecretManagerServiceClient(credentials=credentials_of(email))
    assert reader.access_secret_version(name=version).payload.data == b"hidden"


def test_permissions_are_tested_as_they_hold(gcp: Sandbox) -> None:
    secrets = secretmanager_v1.SecretManagerServiceClient(credentials=credentials_of(new_account("asks-around")))
    new_secret("asked-about")
    request = {"resource": f"{PROJECT}/secrets/asked-about", "permissions": ["secretmanager.versions.access"]}
    assert list(secrets.test_iam_permissions(request=request).permissions) == []
    operator = secretmanager_v1.SecretManagerServiceClient()
    assert list(operator.test_iam_permissions(request=request).permissions) == ["secretmanager.versions.access"]


def test_impersonation_needs_a_role_that_not_even_an_owner_has(gcp: Sandbox) -> None:
    email, version = new_account("impersonated"), new_secret("impersonated")
    operator = secretmanager_v1.SecretManagerServiceClient()
    grant(operator, f"{PROJECT}/secrets/impersonated", "roles/secretmanager.secretAccessor", f"serviceAccount:{email}")
    source, _ = google.auth.default(scopes=SCOPES)
    borrowed = impersonated_credentials.Credentials(source, target_principal=email, target_scopes=SCOPES)
    with pytest.raises(google.auth.exceptions.RefreshError, match="getAccessToken"):
        borrowed.refresh(Request())
    iam = iam_admin_v1.IAMClient()
    grant(iam, f"{PROJECT}/serviceAccounts/{email}", "roles/iam.serviceAccountTokenCreator", OPERATOR)
    reader = secretmanager_v1.SecretManagerServiceClient(credentials=borrowed)
    assert reader.access_secret_version(name=version).payload.data == b"hidden"


def test_keys_and_accounts_that_are_gone_open_nothing(gcp: Sandbox) -> None:
    iam, email = iam_admin_v1.IAMClient(), new_account("leaves")
    key = key_of(email)
    grant(resourcemanager_v3.ProjectsClient(), PROJECT, "roles/secretmanager.viewer", f"serviceAccount:{email}")

    def lists() -> None:
        credentials = service_account.Credentials.from_service_account_info(key, scopes=SCOPES)
        list(
            secretmanager_v1.SecretManagerServiceClient(credentials=credentials).list_secrets(
                parent=PROJECT, retry=None
            )
        )

    lists()
    iam.disable_service_account(request={"name": f"{PROJECT}/serviceAccounts/{email}"})
    with pytest.raises(exceptions.Unauthenticated):
        lists()
    iam.enable_service_account(request={"name": f"{PROJECT}/serviceAccounts/{email}"})
    iam.delete_service_account_key(request={"name": f"{PROJECT}/serviceAccounts/{email}/keys/{key['private_key_id']}"})
    with pytest.raises((exceptions.Unauthenticated, google.auth.exceptions.RefreshError)):
        lists()


def test_a_token_that_nobody_gave_out_is_refused(gcp: Sandbox) -> None:
    url = f"https://secretmanager.googleapis.com/v1/{PROJECT}/secrets"
    for headers in ({}, {"Authorization": "Bearer guessed"}, {"Authorization": "Bearer a.b.c"}):
        answer = requests.get(url, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    token = requests.post(
        "https://oauth2.googleapis.com/token",
        data={"grant_type": "refresh_token", "refresh_token": "guessed"},
        timeout=60,
    )
    assert (token.status_code, token.json()["error"]) == (400, "invalid_grant")


def test_what_is_not_supported_is_refused_by_name(gcp: Sandbox) -> None:
    folders = resourcemanager_v3.FoldersClient()
    with pytest.raises(exceptions.MethodNotImplemented, match="GetFolder"):
        folders.get_folder(name="folders/1")
    with pytest.raises(exceptions.MethodNotImplemented, match="CreateProject"):
        resourcemanager_v3.ProjectsClient().create_project(project={"project_id": "another"})
    answer = requests.get("https://vision.googleapis.com/v1/files", timeout=60)
    assert (answer.status_code, "vision.googleapis.com" in answer.json()["error"]["message"]) == (501, True)


def test_every_call_is_in_the_ledger_with_its_caller(gcp: Sandbox) -> None:
    email, version = new_account("audited"), new_secret("audited")
    reader = secretmanager_v1.SecretManagerServiceClient(credentials=credentials_of(email))
    with pytest.raises(exceptions.PermissionDenied):
        reader.access_secret_version(name=version)
    calls = [call for call in read_ledger(gcp.folder) if "/secrets/audited" in call.resource]
    added, read = calls[-2:]
    assert (added.caller, added.action, added.mutating, added.status) == (
        OPERATOR.partition(":")[2],
        "AddSecretVersion",
        True,
        200,
    )
    assert (read.caller, read.service, read.action) == (email, "secretmanager.googleapis.com", "AccessSecretVersion")
    assert (read.resource, read.mutating, read.status, read.error) == (
        "projects/314159265358/secrets/audited/versions/latest",
        False,
        403,
        "PERMISSION_DENIED",
    )


def test_the_ledger_tells_what_a_call_needed_of_the_project(gcp: Sandbox) -> None:
    version = new_secret("needed")
    name = version.partition("/versions/")[0]
    secrets = secretmanager_v1.SecretManagerServiceClient()
    secrets.access_secret_version(name=version)
    own = {"role": "roles/secretmanager.secretAccessor", "members": [OPERATOR]}
    secrets.set_iam_policy(request={"resource": name, "policy": {"bindings": [own]}})
    secrets.access_secret_version(name=version)
    secrets.test_iam_permissions(request={"resource": name, "permissions": ["secretmanager.secrets.delete"]})
    calls = [call for call in read_ledger(gcp.folder) if "/secrets/needed" in call.resource]
    needs = [(call.action, [need.permission for need in call.needs]) for call in calls]
    assert needs[-4:] == [
        ("AccessSecretVersion", ["secretmanager.versions.access"]),
        ("SetIamPolicy", ["secretmanager.secrets.setIamPolicy"]),
        ("AccessSecretVersion", []),
        ("TestIamPermissions", []),
    ]
