"""gsutil and gcloud, installed or not, work on the sandbox unchanged."""

import os
from pathlib import Path

from tests.sandbox.conftest import Sandbox
from tests.sandbox.test_foreign_clients import needs, output


@needs("gsutil")
def test_gsutil_copies_lists_and_synchronises(gcp: Sandbox, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for number in range(200):
        (here / f"{number}.txt").write_text(str(number))
    (here / "large").write_bytes(os.urandom(9_000_000))
    script = """
        set -e
        gsutil -q mb -l europe-west1 gs://by-gsutil
        gsutil -q -m rsync -r here gs://by-gsutil/there
        gsutil -q -m rsync -r gs://by-gsutil/there back
        diff -r here back && echo same
        gsutil ls gs://by-gsutil/there/** | wc -l
        gsutil -q versioning set on gs://by-gsutil && gsutil versioning get gs://by-gsutil
        gsutil -q cp here/0.txt gs://by-gsutil/there/1.txt
        gsutil ls -a gs://by-gsutil/there/1.txt | wc -l
        echo '{"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]}' > rules.json
        gsutil -q lifecycle set rules.json gs://by-gsutil && gsutil lifecycle get gs://by-gsutil
        gsutil cat gs://by-gsutil/there/7.txt
    """
    lines = output(gcp, f"mkdir back; {script}", tmp_path).splitlines()
    rules = '{"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]}'
    assert lines == ["same", "201", "gs://by-gsutil: Enabled", "2", rules, "7"]


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
