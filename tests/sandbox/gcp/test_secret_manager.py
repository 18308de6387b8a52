"""Secret Manager by its own client, over gRPC and over REST."""

import google_crc32c
import pytest
from google.api_core import exceptions
from google.cloud import secretmanager_v1
from google.protobuf import field_mask_pb2

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.conftest import PROJECT

NUMBERED = "projects/314159265358"
BAD = (exceptions.InvalidArgument, exceptions.BadRequest)
AUTOMATIC = {"replication": {"automatic": {}}}


@pytest.fixture(params=["grpc", "rest"])
def secrets(gcp: Sandbox, request: pytest.FixtureRequest) -> secretmanager_v1.SecretManagerServiceClient:
    return secretmanager_v1.SecretManagerServiceClient(transport=request.param)


@pytest.fixture
def secret(secrets: secretmanager_v1.SecretManagerServiceClient, request: pytest.FixtureRequest) -> str:
    name = "".join(sign if sign.isalnum() else "-" for sign in request.node.name)
    return str(secrets.create_secret(parent=PROJECT, secret_id=name, secret=AUTOMATIC).name)


def test_names_hold_the_projects_number_whichever_was_asked(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    assert secret.startswith(f"{NUMBERED}/secrets/")
    assert secrets.get_secret(name=secret.replace(NUMBERED, PROJECT)).name == secret


def test_latest_is_the_newest_version(secrets: secretmanager_v1.SecretManagerServiceClient, secret: str) -> None:
    for data in (b"one", b"two"):
        secrets.add_secret_version(parent=secret, payload={"data": data})
    answer = secrets.access_secret_version(name=f"{secret}/versions/latest")
    assert (answer.name, answer.payload.data) == (f"{secret}/versions/2", b"two")
    assert answer.payload.data_crc32c == google_crc32c.value(b"two")
    assert secrets.access_secret_version(name=f"{secret}/versions/1").payload.data == b"one"


def test_a_damaged_payload_is_refused(secrets: secretmanager_v1.SecretManagerServiceClient, secret: str) -> None:
    with pytest.raises(BAD, match="checksum"):
        secrets.add_secret_version(parent=secret, payload={"data": b"one", "data_crc32c": 1})


def test_a_disabled_version_is_not_read_until_it_is_enabled(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    version = secrets.add_secret_version(parent=secret, payload={"data": b"one"}).name
    secrets.disable_secret_version(name=version)
    with pytest.raises((exceptions.FailedPrecondition, exceptions.BadRequest), match="DISABLED"):
        secrets.access_secret_version(name=version)
    secrets.enable_secret_version(name=version)
    assert secrets.access_secret_version(name=version).payload.data == b"one"


def test_a_destroyed_version_is_gone_for_good(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    version = secrets.add_secret_version(parent=secret, payload={"data": b"one"}).name
    assert secrets.destroy_secret_version(name=version).destroy_time
    for forbidden in (secrets.access_secret_version, secrets.enable_secret_version):
        with pytest.raises((exceptions.FailedPrecondition, exceptions.BadRequest), match="DESTROYED"):
            forbidden(name=version)


def test_an_update_changes_what_its_mask_names(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    mask = field_mask_pb2.FieldMask(paths=["labels"])
    changed = secrets.update_secret(
        secret={"name": secret, "labels": {"a": "b"}, "annotations": {"not": "named"}}, update_mask=mask
    )
    assert (dict(changed.labels), dict(changed.annotations)) == ({"a": "b"}, {})


def test_an_old_etag_is_refused(secrets: secretmanager_v1.SecretManagerServiceClient, secret: str) -> None:
    old = secrets.get_secret(name=secret).etag
    mask = field_mask_pb2.FieldMask(paths=["labels"])
    secrets.update_secret(secret={"name": secret, "labels": {"a": "b"}, "etag": old}, update_mask=mask)
    with pytest.raises((exceptions.Aborted, exceptions.Conflict), match="etag"):
        secrets.delete_secret(request={"name": secret, "etag": old})


def test_what_cannot_be_changed_is_refused(secrets: secretmanager_v1.SecretManagerServiceClient, secret: str) -> None:
    mask = field_mask_pb2.FieldMask(paths=["replication"])
    with pytest.raises(BAD, match="cannot be changed"):
        secrets.update_secret(
            secret={"name": secret, "replication": {"user_managed": {"replicas": [{"location": "europe-west1"}]}}},
            update_mask=mask,
        )


def test_lists_are_filtered_and_cut_into_pages(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    label = secret.rpartition("/")[2].lower()
    for number in range(5):
        labels = {"of": label, "odd": str(number % 2)}
        secrets.create_secret(parent=PROJECT, secret_id=f"{label}-{number}", secret={**AUTOMATIC, "labels": labels})
    request = {"parent": PROJECT, "filter": f"labels.of={label}", "page_size": 2}
    pages = [
        [one.name.rpartition("-")[2] for one in page.secrets] for page in secrets.list_secrets(request=request).pages
    ]
    assert pages == [["0", "1"], ["2", "3"], ["4"]]
    odd = secrets.list_secrets(request={"parent": PROJECT, "filter": f"labels.of={label} AND NOT labels.odd=0"})
    assert [one.name.rpartition("-")[2] for one in odd] == ["1", "3"]


def test_secrets_deleted_while_they_are_listed_hide_no_other(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    label = secret.rpartition("/")[2].lower()
    for number in range(5):
        secrets.create_secret(
            parent=PROJECT, secret_id=f"{label}-{number}", secret={**AUTOMATIC, "labels": {"of": label}}
        )
    for one in secrets.list_secrets(request={"parent": PROJECT, "filter": f"labels.of={label}", "page_size": 2}):
        secrets.delete_secret(name=one.name)
    assert list(secrets.list_secrets(request={"parent": PROJECT, "filter": f"labels.of={label}"})) == []


def test_a_deleted_secret_takes_its_versions_along(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    secrets.add_secret_version(parent=secret, payload={"data": b"one"})
    secrets.delete_secret(name=secret)
    secrets.create_secret(parent=PROJECT, secret_id=secret.rpartition("/")[2], secret=AUTOMATIC)
    with pytest.raises(exceptions.NotFound):
        secrets.access_secret_version(name=f"{secret}/versions/latest")


def test_errors_are_those_of_the_real_service(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    with pytest.raises((exceptions.AlreadyExists, exceptions.Conflict)):
        secrets.create_secret(parent=PROJECT, secret_id=secret.rpartition("/")[2], secret=AUTOMATIC)
    with pytest.raises(exceptions.NotFound):
        secrets.get_secret(name=f"{PROJECT}/secrets/none")
    with pytest.raises(BAD, match="replication"):
        secrets.create_secret(parent=PROJECT, secret_id="bare", secret={"labels": {"a": "b"}})
    with pytest.raises((exceptions.PermissionDenied, exceptions.Forbidden), match="or it may not exist"):
        secrets.get_secret(name="projects/somebody-elses/secrets/a")


def test_a_delayed_destruction_disables_at_once_and_destroys_when_its_time_has_come(
    secrets: secretmanager_v1.SecretManagerServiceClient, secret: str
) -> None:
    delayed = {**AUTOMATIC, "version_destroy_ttl": {"seconds": 1}}
    name = secrets.create_secret(parent=PROJECT, secret_id=f"{secret.rpartition('/')[2]}-x", secret=delayed).name
    version = secrets.add_secret_version(parent=name, payload={"data": b"one"}).name
    waiting = secrets.destroy_secret_version(name=version)
    assert (waiting.state.name, waiting.scheduled_destroy_time is not None) == ("DISABLED", True)
    eventually(lambda: [one.state.name for one in secrets.list_secret_versions(parent=name)] == ["DESTROYED"])


def test_a_rotation_needs_a_topic(secrets: secretmanager_v1.SecretManagerServiceClient) -> None:
    rotating = {**AUTOMATIC, "rotation": {"rotation_period": {"seconds": 86400}}}
    with pytest.raises(BAD, match="Topics must be set"):
        secrets.create_secret(parent=PROJECT, secret_id="rotating", secret=rotating)
