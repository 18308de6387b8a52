"""The same over REST: clients with that transport, and the discovery client, which nobody generated for these services."""

import os
from typing import Any

import google.auth
import httplib2
import pytest
from google.cloud import artifactregistry_v1, run_v2
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT
from tests.sandbox.gcp.images import LOCATION
from tests.sandbox.gcp.running import Running


@pytest.fixture
def run(gcp: Sandbox) -> Running:
    return Running(gcp)


def api(name: str, version: str) -> Any:
    """A discovery client. httplib2 reads the environment once a process, so it is told whom to trust."""
    credentials, _ = google.auth.default()
    trusting = httplib2.Http(ca_certs=os.environ["HTTPLIB2_CA_CERTS"])
    return build(name, version, http=AuthorizedHttp(credentials, http=trusting), cache_discovery=False)


def test_a_job_is_made_and_run_over_rest(run: Running) -> None:
    jobs = run_v2.JobsClient(transport="rest")
    template = {"containers": [run.container("print('rest')")], "service_account": run.account}
    made = jobs.create_job(parent=LOCATION, job_id="rest", job={"template": {"template": template}}).result(timeout=60)
    execution = jobs.run_job(name=made.name).result(timeout=60)
    assert execution.succeeded_count == 1
    assert [one.name for one in run_v2.TasksClient(transport="rest").list_tasks(parent=execution.name)] == [
        f"{execution.name}/tasks/{execution.name.rpartition('/')[2]}-task0"
    ]
    assert run.lines("rest") == ["rest"]


def test_repositories_are_listed_over_rest(run: Running) -> None:
    client = artifactregistry_v1.ArtifactRegistryClient(transport="rest")
    assert f"{LOCATION}/repositories/running" in [one.name for one in client.list_repositories(parent=LOCATION)]
    images = client.list_docker_images(parent=f"{LOCATION}/repositories/running")
    assert any(list(image.tags) == ["1"] for image in images)


def test_the_discovery_client_runs_a_job_and_reads_its_log(run: Running) -> None:
    jobs = api("run", "v2").projects().locations().jobs()
    container = {"image": run.image, "args": ["-c", "print('discovered')"]}
    template = {"template": {"template": {"containers": [container], "serviceAccount": run.account}}}
    jobs.create(parent=LOCATION, jobId="discovered", body=template).execute()
    operation = jobs.run(name=f"{LOCATION}/jobs/discovered", body={}).execute()
    operations = api("run", "v2").projects().locations().operations()
    ended = operations.wait(name=operation["name"], body={}).execute()
    assert (ended["done"], ended["response"]["succeededCount"]) == (True, 1)
    text = 'resource.labels.job_name="discovered" log_id("run.googleapis.com/stdout")'
    body = {"resourceNames": [PROJECT], "filter": text}
    found = api("logging", "v2").entries().list(body=body).execute()
    assert [entry["textPayload"] for entry in found["entries"]] == ["discovered"]
