"""All artifact stores keep the same promises."""

from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage

from ragonotebooks.workload.artifacts import Artifacts, FolderArtifacts, MissingArtifactError, open_artifacts, to_json
from ragonotebooks.workload.errors import InputError

STORES = ("s3://papers", "s3://papers/some/prefix/", "gs", "gs below a prefix", "file")


@pytest.fixture(params=STORES)
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    if request.param.startswith("gs"):
        prefix = "some/prefix/" if "prefix" in request.param else ""
        return open_artifacts(f"gs://{request.getfixturevalue('gcs').name}/{prefix}")
    if request.param == "file":
        return open_artifacts(tmp_path.as_uri())
    request.getfixturevalue("s3")
    return open_artifacts(request.param)


def test_what_was_written_is_read(artifacts: Artifacts) -> None:
    artifacts.write("runs/one/manifest.json", b"first")
    artifacts.write("runs/one/manifest.json", b"second")
    assert artifacts.read("runs/one/manifest.json").data == b"second"


def test_keys_are_listed_sorted_below_their_prefix(artifacts: Artifacts) -> None:
    for key in ("corpus/b.json", "corpus/a/z.pdf", "runs/x", "corpus-old/c"):
        artifacts.write(key, b"")
    assert artifacts.list("corpus/") == ["corpus/a/z.pdf", "corpus/b.json"]
    assert artifacts.list("nothing/") == []


def test_a_missing_artifact_is_named(artifacts: Artifacts) -> None:
    with pytest.raises(MissingArtifactError, match=r"questions\.jsonl: put it there\.$"):
        artifacts.read("evaluation/questions.jsonl")


def test_more_keys_than_one_page_are_all_listed(s3: Any) -> None:
    store = open_artifacts("s3://papers/many")
    for number in range(1001):
        store.write(f"corpus/{number:04}.txt", b"")
    assert len(store.list("corpus/")) == 1001


def test_versions_are_told_where_a_bucket_keeps_them(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="papers", VersioningConfiguration={"Status": "Enabled"})
    store = open_artifacts("s3://papers")
    first, second = store.write("a", b"1"), store.write("a", b"2")
    assert first is not None
    assert first != second
    assert store.read("a").version == second


def test_a_generation_is_the_version_where_google_keeps_it(gcs: storage.Bucket) -> None:
    store = open_artifacts(f"gs://{gcs.name}")
    first, second = store.write("a", b"1"), store.write("a", b"2")
    assert first is not None
    assert first != second
    assert store.read("a").version == second


def test_folders_that_the_console_makes_are_no_artifacts(s3: Any) -> None:
    s3.put_object(Bucket="papers", Key="corpus/", Body=b"")
    assert open_artifacts("s3://papers").list("corpus/") == []


def test_folders_that_googles_console_makes_are_no_artifacts(gcs: storage.Bucket) -> None:
    gcs.blob("corpus/").upload_from_string(b"")
    assert open_artifacts(f"gs://{gcs.name}").list("corpus/") == []


def test_a_manifest_opens_as_json(s3: Any) -> None:
    open_artifacts("s3://papers").write("latest.json", to_json({"name": "é"}))
    answer = s3.get_object(Bucket="papers", Key="latest.json")
    assert (answer["ContentType"], answer["Body"].read().decode()) == ("application/json", '{\n  "name": "é"\n}\n')


def test_a_manifest_on_google_cloud_opens_as_json(gcs: storage.Bucket) -> None:
    open_artifacts(f"gs://{gcs.name}").write("latest.json", to_json({"name": "é"}))
    blob = gcs.get_blob("latest.json")
    assert (blob.content_type, blob.download_as_text()) == ("application/json", '{\n  "name": "é"\n}\n')


@pytest.mark.usefixtures("s3", "google")
@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_that_does_not_exist_is_named(scheme: str) -> None:
    store = open_artifacts(f"{scheme}://no-such-bucket-here")
    for use in (lambda: store.list(""), lambda: store.read("a"), lambda: store.write("a", b""), store.reach):
        with pytest.raises(InputError, match="'no-such-bucket-here' that ARTIFACTS names does not exist"):
            use()


@pytest.mark.parametrize(
    "url", ["az://bucket/prefix", "s3://", "s3:///prefix", "gs:///prefix", "/a/folder", "file://host/dir", "file:///"]
)
def test_other_stores_are_refused_by_name(url: str) -> None:
    with pytest.raises(InputError, match=f"^ARTIFACTS is '{url}', which is no artifact store: give s3://"):
        open_artifacts(url)


def test_a_folder_with_a_space_in_its_name_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "my papers"
    store = open_artifacts(folder.as_uri())
    assert isinstance(store, FolderArtifacts)
    store.write("a", b"1")
    assert (folder / "a").read_bytes() == b"1"
