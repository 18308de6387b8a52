"""gsutil and gcloud, installed or not, work on the sandbox unchanged."""

import json
import os
from pathlib import Path

from google.cloud import storage

from tests.sandbox.conftest import Sandbox
from tests.sandbox.test_foreign_clients import needs, output

RULE = {"action": {"type": "Delete"}, "condition": {"age": 30}}


@needs("gsutil")
def test_gsutil_synchronises_folders_and_sets_a_bucket_up(gcp: Sandbox, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for number in range(20):
        (here / f"{number}.txt").write_text(str(number))
    (here / "large").write_bytes(os.urandom(9_000_000))
    (tmp_path / "rules.json").write_text(json.dumps({"rule": [RULE]}))
    script = """
        set -e
        gsutil -q mb -l europe-west1 gs://by-gsutil
        gsutil -q -m rsync -r here gs://by-gsutil/there
        gsutil -q -m rsync -r gs://by-gsutil/there back
        diff -r here back && echo same
        gsutil -q versioning set on gs://by-gsutil
        gsutil -q cp here/0.txt gs://by-gsutil/there/1.txt
        gsutil -q lifecycle set rules.json gs://by-gsutil
    """
    assert output(gcp, f"mkdir back; {script}", tmp_path) == "same"
    bucket = storage.Client().get_bucket("by-gsutil")
    assert (bucket.location, bucket.versioning_enabled, list(bucket.lifecycle_rules)) == ("EUROPE-WEST1", True, [RULE])
    versions = [blob.download_as_bytes() for blob in bucket.list_blobs(prefix="there/1.txt", versions=True)]
    assert versions == [b"1", b"0"]


@needs("gcloud")
def test_gcloud_enables_apis_and_reads_secrets(gcp: Sandbox) -> None:
    script = """
        set -e
        gcloud services enable iam.googleapis.com --quiet 2> /dev/null
        printf hidden | gcloud secrets create by-gcloud --data-file=- 2> /dev/null
        gcloud secrets versions access latest --secret by-gcloud; echo
        gcloud projects describe ragonometrics-sandbox --format='value(projectNumber)'
    """
    assert output(gcp, script).splitlines() == ["hidden", "314159265358"]
