"""Cloud Storage by google-cloud-storage, unmodified."""

import io
import os
from datetime import timedelta

import pytest
import requests
from google.api_core import exceptions
from google.cloud import storage

from ragonotebooks.sandbox.ledger import read_ledger
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.test_access import credentials_of, new_account


@pytest.fixture
def bucket(gcp: Sandbox, request: pytest.FixtureRequest) -> storage.Bucket:
    """An empty bucket with uniform access, named after the test."""
    name = "".join(sign if sign.isalnum() else "-" for sign in request.node.name.lower())[:60].strip("-")
    wanted = storage.Client().bucket(name)
    wanted.iam_configuration.uniform_bucket_level_access_enabled = True
    return storage.Client().create_bucket(wanted, location="europe-west1")


def versioned(bucket: storage.Bucket) -> storage.Bucket:
    bucket.versioning_enabled = True
    bucket.patch()
    return bucket


def write(bucket: storage.Bucket, *names: str) -> None:
    for name in names:
        bucket.blob(name).upload_from_string(name)


def names(bucket: storage.Bucket, **how: object) -> list[str]:
    return [blob.name for blob in bucket.list_blobs(**how)]


def allow(bucket: storage.Bucket, role: str, member: str) -> None:
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": role, "members": {member}})
    bucket.set_iam_policy(policy)


def test_a_buckets_settings_are_read_as_they_were_set(bucket: storage.Bucket) -> None:
    bucket.labels = {"deployment": "ragonometrics"}
    bucket.add_lifecycle_delete_rule(number_of_newer_versions=3)
    versioned(bucket)
    read = storage.Client().get_bucket(bucket.name)
    assert (read.location, read.location_type, read.versioning_enabled) == ("EUROPE-WEST1", "region", True)
    assert read.iam_configuration.uniform_bucket_level_access_enabled
    assert read.labels == {"deployment": "ragonometrics"}
    rules = [{"action": {"type": "Delete"}, "condition": {"numNewerVersions": 3}}]
    assert [dict(rule) for rule in read.lifecycle_rules] == rules


def test_an_object_comes_back_with_its_bytes_type_and_metadata(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a b/ü:1.txt")
    blob.metadata = {"Paper": "10.1/2"}
    blob.upload_from_string("text", content_type="text/plain")
    read = bucket.get_blob("a b/ü:1.txt")
    assert (read.content_type, read.metadata, read.size) == ("text/plain", {"Paper": "10.1/2"}, 4)
    assert read.download_as_text() == "text"


@pytest.mark.parametrize("size", [0, 1, 1_000_001, 9_000_000])
@pytest.mark.parametrize("chunk", [None, 256 * 1024])
def test_uploads_of_any_size_in_any_way_arrive_whole(bucket: storage.Bucket, size: int, chunk: int | None) -> None:
    data = os.urandom(size)
    bucket.blob("x", chunk_size=chunk).upload_from_file(io.BytesIO(data), size=size)
    bucket.blob("y", chunk_size=chunk).upload_from_file(io.BytesIO(data))
    assert bucket.blob("x").download_as_bytes() == data
    assert bucket.blob("y", chunk_size=chunk).download_as_bytes() == data


def test_a_range_is_what_is_sent(bucket: storage.Bucket) -> None:
    write(bucket, "0123456789")
    blob = bucket.blob("0123456789")
    assert (blob.download_as_bytes(start=2, end=4), blob.download_as_bytes(start=8)) == (b"234", b"89")
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=10, end=12)


def test_generations_hold_back_who_writes_on_an_old_one(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string("1", if_generation_match=0)
    first = blob.generation
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("a").upload_from_string("2", if_generation_match=0)
    blob.upload_from_string("2", if_generation_match=first)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.delete(if_generation_match=first)
    assert bucket.blob("a").download_as_text() == "2"


def test_without_versioning_an_overwritten_object_is_gone(bucket: storage.Bucket) -> None:
    write(bucket, "a", "a")
    assert names(bucket, versions=True) == ["a"]


def test_with_versioning_old_generations_stay_and_come_back(bucket: storage.Bucket) -> None:
    blob = versioned(bucket).blob("a")
    for text in ("1", "2"):
        blob.upload_from_string(text)
    bucket.delete_blob("a")
    assert names(bucket) == []
    first, second = list(bucket.list_blobs(versions=True))
    assert first.time_deleted <= second.time_deleted
    bucket.copy_blob(first, bucket, "a", source_generation=first.generation)
    assert bucket.blob("a").download_as_text() == "1"
    bucket.delete_blob("a", generation=second.generation)
    assert second.generation not in [one.generation for one in bucket.list_blobs(versions=True)]


def test_lists_have_folders_prefixes_patterns_and_pages(bucket: storage.Bucket) -> None:
    write(bucket, "a", "b/1", "b/2", "c/d/1")
    found = bucket.list_blobs(delimiter="/")
    assert ([blob.name for blob in found], found.prefixes) == (["a"], {"b/", "c/"})
    assert names(bucket, prefix="b/") == ["b/1", "b/2"]
    assert names(bucket, match_glob="**/1") == ["b/1", "c/d/1"]
    assert names(bucket, start_offset="b/2", end_offset="c/e") == ["b/2", "c/d/1"]
    pages = [[blob.name for blob in page] for page in bucket.list_blobs(page_size=3).pages]
    assert pages == [["a", "b/1", "b/2"], ["c/d/1"]]
    folded = bucket.list_blobs(delimiter="/", page_size=1)
    assert ([blob.name for blob in folded], folded.prefixes) == (["a"], {"b/", "c/"})


def test_objects_are_composed_copied_rewritten_and_moved(bucket: storage.Bucket) -> None:
    write(bucket, "1", "2")
    bucket.blob("both").compose([bucket.blob("1"), bucket.blob("2")])
    bucket.copy_blob(bucket.blob("both"), bucket, "copied")
    bucket.rename_blob(bucket.blob("1"), "moved")
    assert bucket.get_blob("both").component_count == 2
    assert bucket.blob("copied").download_as_text() == "12"
    assert names(bucket) == ["2", "both", "copied", "moved"]
    blob = bucket.get_blob("2")
    blob.update_storage_class("COLDLINE")
    assert bucket.get_blob("2").storage_class == "COLDLINE"


def test_metadata_is_changed_key_by_key(bucket: storage.Bucket) -> None:
    write(bucket, "a")
    blob = bucket.get_blob("a")
    blob.metadata = {"one": "1", "two": "2"}
    blob.patch()
    blob.metadata = {"one": None, "three": "3"}
    blob.patch()
    read = bucket.get_blob("a")
    assert (read.metadata, read.metageneration) == ({"two": "2", "three": "3"}, 3)


def test_a_batch_is_many_requests_in_one(bucket: storage.Bucket) -> None:
    write(bucket, "1", "2", "3")
    with bucket.client.batch():
        bucket.delete_blob("1")
        bucket.delete_blob("3")
    assert names(bucket) == ["2"]


def test_a_hold_keeps_an_object(bucket: storage.Bucket) -> None:
    write(bucket, "a")
    blob = bucket.get_blob("a")
    blob.temporary_hold = True
    blob.patch()
    with pytest.raises(exceptions.Forbidden, match="temporary hold"):
        blob.delete()


def test_a_bucket_with_objects_is_not_deleted(bucket: storage.Bucket) -> None:
    write(bucket, "a")
    with pytest.raises(exceptions.Conflict, match="not empty"):
        bucket.delete()
    bucket.delete(force=True)
    assert storage.Client().lookup_bucket(bucket.name) is None


def test_a_service_account_may_what_the_buckets_policy_says(bucket: storage.Bucket) -> None:
    write(bucket, "a")
    email = new_account("reads-a-bucket")
    theirs = storage.Client(credentials=credentials_of(email)).bucket(bucket.name)
    with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.get"):
        theirs.blob("a").download_as_bytes()
    allow(bucket, "roles/storage.objectViewer", f"serviceAccount:{email}")
    assert theirs.blob("a").download_as_text() == "a"
    with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.create"):
        theirs.blob("b").upload_from_string("b")
    assert theirs.test_iam_permissions(["storage.objects.get", "storage.objects.create"]) == ["storage.objects.get"]


def test_who_may_create_may_not_overwrite(bucket: storage.Bucket) -> None:
    email = new_account("only-creates")
    allow(bucket, "roles/storage.objectCreator", f"serviceAccount:{email}")
    theirs = storage.Client(credentials=credentials_of(email)).bucket(bucket.name)
    theirs.blob("a").upload_from_string("1")
    with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.delete"):
        theirs.blob("a").upload_from_string("2")


def test_only_what_is_public_is_read_without_credentials(bucket: storage.Bucket) -> None:
    write(bucket, "a")
    url = f"https://storage.googleapis.com/{bucket.name}/a"
    assert requests.get(url, timeout=60).status_code == 401
    allow(bucket, "roles/storage.objectViewer", "allUsers")
    assert requests.get(url, timeout=60).text == "a"


def test_public_access_prevention_holds(bucket: storage.Bucket) -> None:
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.patch()
    with pytest.raises(exceptions.PreconditionFailed, match="public access prevention"):
        allow(bucket, "roles/storage.objectViewer", "allUsers")


def test_a_signed_url_opens_one_object_as_its_signer_until_it_ends(bucket: storage.Bucket) -> None:
    write(bucket, "a b", "other")
    email = new_account("signs-urls")
    blob, credentials = bucket.blob("a b"), credentials_of(email)
    url = blob.generate_signed_url(version="v4", expiration=timedelta(minutes=5), credentials=credentials)
    assert requests.get(url, timeout=60).status_code == 403
    allow(bucket, "roles/storage.objectUser", f"serviceAccount:{email}")
    assert requests.get(url, timeout=60).text == "a b"
    assert requests.get(url.replace("a%20b", "other"), timeout=60).status_code == 403
    assert requests.put(url, data=b"x", timeout=60).status_code == 403
    put = bucket.blob("new").generate_signed_url(
        version="v4", expiration=60, method="PUT", content_type="text/plain", credentials=credentials
    )
    assert requests.put(put, data=b"new", headers={"Content-Type": "text/plain"}, timeout=60).status_code == 200
    assert bucket.blob("new").download_as_text() == "new"


def test_what_is_not_supported_is_refused_by_name(bucket: storage.Bucket) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=r"storage\.objects\.getIamPolicy"):
        bucket.client._connection.api_request("GET", f"/b/{bucket.name}/o/a/iam")
    with pytest.raises(exceptions.BadRequest, match="uniform bucket-level access"):
        bucket.acl.save_predefined("publicRead")
    bucket.soft_delete_policy.retention_duration_seconds = 7 * 86400
    with pytest.raises(exceptions.MethodNotImplemented, match="softDeletePolicy"):
        bucket.patch()


def test_storage_is_in_the_ledger(gcp: Sandbox, bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string("1")
    bucket.blob("large", chunk_size=256 * 1024).upload_from_file(io.BytesIO(bytes(600_000)))
    calls = [
        call for call in read_ledger(gcp.folder) if f"/buckets/{bucket.name}/objects" in call.resource and call.mutating
    ]
    assert [(call.action, call.resource.rpartition("/")[2], call.status) for call in calls] == [
        ("storage.objects.insert", "a", 200),
        ("storage.objects.insert", "large", 200),
    ]
