"""`report --to`: a run's report is sent to a bucket. One sandbox has the buckets of both clouds."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner, Result

from ragonotebooks.cli import app
from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.run import export, sending
from tests.run.lessons import check, run, step, write
from tests.sandbox.conftest import Sandbox, running_sandbox
from tests.sandbox.gcp.conftest import environment_of


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run called `out` whose notebook has passed."""
    folder = tmp_path_factory.mktemp("past")
    run(write(folder / "01-door.ipynb", step(1, check())))
    return folder


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with a bucket called `reports` on each cloud."""
    from google.cloud import storage

    with running_sandbox() as running:
        running.client("s3").create_bucket(Bucket="reports")
        with environment_of(running):
            storage.Client().create_bucket("reports")
        yield running


@pytest.fixture(autouse=True)
def there(past: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(past)
    with mock.patch.dict(os.environ):
        yield


def send(*words: str) -> Result:
    return CliRunner().invoke(app, ["report", "out", *words])


@pytest.mark.parametrize(
    ("form", "key", "content_type"),
    [
        ("html", "weekly/out.html", "text/html; charset=utf-8"),
        ("junit", "weekly/out.xml", "application/xml"),
        ("json", "weekly/out.json", "application/json"),
        ("md", "weekly/out.md", "text/markdown; charset=utf-8"),
    ],
)
def test_in_a_folder_of_a_bucket_a_report_is_called_as_its_run(
    sandbox: Sandbox, form: str, key: str, content_type: str
) -> None:
    sent = send("--format", form, "--to", "s3://reports/weekly/", "--name", sandbox.state.name)
    assert sent.output == f"s3://reports/{key}\n"
    kept = sandbox.client("s3").get_object(Bucket="reports", Key=key)
    assert kept["ContentType"] == content_type
    written = send("--format", form, "--out", "report")
    assert written.exit_code == 0
    assert kept["Body"].read() == Path("report").read_bytes()


def test_on_google_cloud_too(sandbox: Sandbox) -> None:
    from google.cloud import storage

    sent = send("--format", "json", "--to", "gs://reports/newest.json", "--name", sandbox.state.name)
    assert sent.output == "gs://reports/newest.json\n"
    with environment_of(sandbox):
        [kept] = storage.Client().list_blobs("reports")
        assert (kept.name, kept.content_type) == ("newest.json", "application/json")
        assert json.loads(kept.download_as_bytes())["status"] == "passed"


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_refusal_is_one_sentence_with_the_clouds_reason(sandbox: Sandbox, scheme: str) -> None:
    refused = send("--to", f"{scheme}://of-nobody", "--name", sandbox.state.name).exception
    assert isinstance(refused, RagonotebooksError)
    assert refused.exit_code == 1
    assert str(refused).startswith(f"the report was not sent to {scheme}://of-nobody/out.html: ")
    assert "bucket does not exist" in str(refused)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "https://reports/x"], "'https://reports/x' is no place for a report; give s3://BUCKET/KEY"),
        (["--to", "s3:///x"], "'s3:///x' is no place for a report"),
        (["--to", "s3://Reports/x"], "'s3://Reports/x' is no place for a report"),
        (["--to", "s3://reports/x", "--out", "x"], "give --out or --to, not both"),
        (["--to", "s3://reports/x", "--name", "absent"], "no sandbox called absent runs"),
    ],
)
def test_bad_input_is_one_sentence(words: list[str], said: str) -> None:
    refused = send(*words).exception
    assert isinstance(refused, UsageError)
    assert said in str(refused)


def test_each_form_of_a_report_has_a_content_type() -> None:
    assert set(sending.FORMS) == set(export.FORMATS)
