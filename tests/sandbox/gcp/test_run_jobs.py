"""Cloud Run jobs by Google's clients: what runs, with which identity, and what is told of it."""

import pytest
from google.api_core import exceptions
from google.cloud import resourcemanager_v3, run_v2, secretmanager_v1

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.conftest import PROJECT
from tests.sandbox.gcp.images import LOCATION, push
from tests.sandbox.gcp.running import SLEEP, Running
from tests.sandbox.gcp.test_access import credentials_of, grant, new_account


@pytest.fixture
def run(gcp: Sandbox) -> Running:
    return Running(gcp)


def condition(resource: object) -> tuple[str, str, str]:
    """How a task or an execution has ended."""
    found = next(one for one in resource.conditions if one.type_ == "Completed")  # type: ignore[attr-defined]
    return found.state.name, found.message, found.execution_reason.name


def test_a_job_runs_to_its_end_and_its_lines_are_in_the_log(run: Running) -> None:
    job = run.make_job("first")
    execution = run.run(job)
    assert (execution.succeeded_count, execution.failed_count, execution.task_count) == (1, 0, 1)
    assert condition(execution) == (
        "CONDITION_SUCCEEDED",
        "Execution completed successfully.",
        "EXECUTION_REASON_UNDEFINED",
    )
    [entry] = run.log('resource.type="cloud_run_job" resource.labels.job_name="first"')
    assert entry.payload == "the job of the image"
    assert entry.log_name == f"{PROJECT}/logs/run.googleapis.com%2Fstdout"
    assert entry.labels["run.googleapis.com/execution_name"] == execution.name.rpartition("/")[2]
    shown = run.jobs.get_job(name=job.name)
    assert (shown.execution_count, shown.latest_created_execution.completion_status.name) == (1, "EXECUTION_SUCCEEDED")
    [task] = run.tasks.list_tasks(parent=execution.name)
    assert (task.index, condition(task)[0]) == (0, "CONDITION_SUCCEEDED")


def test_structured_lines_have_their_severity_labels_and_trace(run: Running) -> None:
    program = (
        "import json, sys\n"
        "print(json.dumps({'severity': 'ERROR', 'message': 'broken', 'chunks': 3,"
        " 'httpRequest': {'status': 503, 'latency': '0.5s'},"
        " 'logging.googleapis.com/trace': 'projects/p/traces/1', 'logging.googleapis.com/labels': {'run': 'seven'}}))\n"
        "print('plain', file=sys.stderr)"
    )
    run.run(run.make_job("structured", program))
    [entry] = run.log('resource.labels.job_name="structured" severity>=ERROR')
    assert (entry.payload, entry.trace, entry.labels["run"]) == (
        {"message": "broken", "chunks": 3.0},
        "projects/p/traces/1",
        "seven",
    )
    assert entry.http_request == {"status": 503, "latency": "0.500s"}
    [plain] = run.log('resource.labels.job_name="structured" log_id("run.googleapis.com/stderr")')
    assert (plain.payload, plain.severity) == ("plain", None)


def test_a_program_that_fails_fails_its_execution_and_says_so(run: Running) -> None:
    job = run.make_job("failing", "import sys; sys.exit(3)", task={"max_retries": 1})
    with pytest.raises(
        exceptions.GoogleAPICallError, match="-task0 failed with message: The container exited with an error"
    ):
        run.run(job)
    [execution] = run.executions.list_executions(parent=job.name)
    assert (execution.failed_count, execution.retried_count) == (1, 1)
    assert condition(execution)[2] == "NON_ZERO_EXIT_CODE"
    [task] = run.tasks.list_tasks(parent=execution.name)
    assert (task.last_attempt_result.exit_code, task.retried) == (3, 1)


def test_a_task_knows_its_place_among_the_tasks(run: Running) -> None:
    names = ("TASK_INDEX", "TASK_COUNT", "JOB")
    program = f"import os; print(*[os.environ['CLOUD_RUN_' + name] for name in {names}])"
    job = run.make_job("three", program, task_count=3, parallelism=2)
    assert run.run(job).succeeded_count == 3
    assert sorted(run.lines("three")) == ["0 3 three", "1 3 three", "2 3 three"]


def test_an_attempt_that_fails_is_tried_again(run: Running) -> None:
    program = "import os, sys; sys.exit(0 if os.environ['CLOUD_RUN_TASK_ATTEMPT'] == '2' else 1)"
    execution = run.run(run.make_job("stubborn", program, task={"max_retries": 3}))
    assert (execution.succeeded_count, execution.retried_count) == (1, 2)


def test_an_execution_overrides_arguments_and_variables(run: Running) -> None:
    job = run.make_job(
        "overridden", "import os; print(os.environ['WHO'])", container={"env": [{"name": "WHO", "value": "job"}]}
    )
    overrides = {"container_overrides": [{"env": [{"name": "WHO", "value": "execution"}]}], "task_count": 2}
    assert run.run(job, overrides=overrides).task_count == 2
    run.run(job)
    assert run.lines("overridden") == ["execution", "execution", "job"]


def test_a_cancelled_execution_ends_its_tasks(run: Running) -> None:
    job = run.make_job("endless", SLEEP, task={"max_retries": 3})
    operation = run.jobs.run_job(name=job.name)
    name = operation.metadata.name
    eventually(lambda: run.lines("endless") == ["up"])
    run.executions.cancel_execution(name=name).result(timeout=60)
    execution = operation.result(timeout=60)
    assert (execution.cancelled_count, execution.succeeded_count, execution.running_count) == (1, 0, 0)
    assert condition(execution)[2] == "CANCELLED"
    assert run.jobs.get_job(name=job.name).latest_created_execution.completion_status.name == "EXECUTION_CANCELLED"


def test_a_task_that_takes_too_long_is_ended(run: Running) -> None:
    job = run.make_job("slow", SLEEP, task={"timeout": "1s"})
    with pytest.raises(exceptions.GoogleAPICallError, match="maximum timeout of 1 seconds"):
        run.run(job)


def test_secrets_are_variables_and_files_for_an_account_that_may_read_them(run: Running) -> None:
    secrets = secretmanager_v1.SecretManagerServiceClient()
    made = secrets.create_secret(parent=PROJECT, secret_id="run-key", secret={"replication": {"automatic": {}}})
    secrets.add_secret_version(parent=made.name, payload={"data": b"s3cret"})
    program = "import os, pathlib; print(os.environ['KEY'], pathlib.Path(os.environ['KEY_FILE']).read_text())"
    env = [
        {"name": "KEY", "value_source": {"secret_key_ref": {"secret": "run-key", "version": "latest"}}},
        {"name": "KEY_FILE", "value": "/secrets/key"},
    ]
    mounts = [{"name": "keys", "mount_path": "/secrets"}]
    volume = {"name": "keys", "secret": {"secret": "run-key", "items": [{"path": "key", "version": "1"}]}}
    email = new_account("secret-runner")
    wanted = {
        "container": {"env": env, "volume_mounts": mounts},
        "task": {"volumes": [volume], "service_account": email},
    }
    denied = r"Permission denied on secret: .* for Revision service account"
    with pytest.raises(exceptions.FailedPrecondition, match=denied):
        run.make_job("secretive", program, **wanted)
    job = run.jobs.get_job(name=f"{LOCATION}/jobs/secretive")
    assert job.terminal_condition.reason.name == "SECRETS_ACCESS_CHECK_FAILED"
    with pytest.raises(exceptions.GoogleAPICallError, match=denied):
        run.run(job)
    grant(secrets, made.name, "roles/secretmanager.secretAccessor", f"serviceAccount:{email}")
    updated = run.jobs.update_job(job=job).result(timeout=60)
    assert updated.terminal_condition.state.name == "CONDITION_SUCCEEDED"
    run.run(job)
    assert run.lines("secretive") == ["s3cret s3cret"]


def test_an_instance_is_its_service_account_and_may_what_that_may(run: Running) -> None:
    program = """
import json, os, urllib.request
def get(host, path):
    request = urllib.request.Request(f"http://{host}/computeMetadata/v1/{path}", headers={"Metadata-Flavor": "Google"})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()
account = "instance/service-accounts/default"
for host in (os.environ["GCE_METADATA_HOST"], "metadata.google.internal"):
    print(get(host, account + "/email"), get(host, "project/project-id"))
token = json.loads(get("metadata.google.internal", account + "/token"))["access_token"]
url = "https://cloudresourcemanager.googleapis.com/v3/projects/ragonometrics-sandbox"
request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
try:
    print(json.load(urllib.request.urlopen(request))["projectId"])
except urllib.error.HTTPError as error:
    print(error.code)
"""
    email = new_account("itself")
    job = run.make_job("identity", program, task={"service_account": email})
    run.run(job)
    grant(resourcemanager_v3.ProjectsClient(), PROJECT, "roles/browser", f"serviceAccount:{email}")
    run.run(job)
    told = f"{email} ragonometrics-sandbox"
    assert run.lines("identity") == [told, told, "403", told, told, "ragonometrics-sandbox"]


def test_google_s_own_library_finds_the_identity_of_an_instance(run: Running) -> None:
    program = b"""
import google.auth, google.auth.transport.requests
from google.oauth2 import id_token
credentials, project = google.auth.default()
request = google.auth.transport.requests.Request()
credentials.refresh(request)
print(credentials.service_account_email, project)
print(id_token.verify_oauth2_token(id_token.fetch_id_token(request, "https://x.example"), request, "https://x.example")["email"])
"""
    image = push("running", "auth", {"who.py": program}, distributions=["google-auth", "requests"])
    job = run.make_job("library", container={"image": image, "args": ["/app/who.py"]})
    run.run(job)
    assert run.lines("library") == [f"{run.account} ragonometrics-sandbox", run.account]


def test_a_job_keeps_the_image_that_its_tag_named(run: Running) -> None:
    image = push("running", "tagged", {"job.py": b"print('old')"})
    job = run.make_job("tagged", container={"image": image})
    push("running", "tagged", {"job.py": b"print('new')"})
    run.run(job)
    run.jobs.update_job(job=job).result(timeout=60)
    run.run(job)
    assert run.lines("tagged") == ["old", "new"]


def test_who_may_not_run_a_job_does_not(run: Running) -> None:
    job = run.make_job("guarded")
    jobs = run_v2.JobsClient(credentials=credentials_of(new_account("invoker")))
    with pytest.raises(exceptions.PermissionDenied, match=r"run\.jobs\.run"):
        jobs.run_job(name=job.name)


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ({"containers": [{"image": "docker.io/python"}]}, "plays no other registry"),
        ({"containers": [{"image": "us-central1-docker.pkg.dev/ragonometrics-sandbox/running/nothing"}]}, "not found"),
        ({"service_account": "nobody@ragonometrics-sandbox.iam.gserviceaccount.com"}, "was not found"),
        ({"service_account": ""}, "has no service account"),
        ({"vpc_access": {"connector": "c"}}, "Serverless VPC Access connector"),
        ({"vpc_access": {"network_interfaces": [{"subnetwork": "nothing"}]}}, "cannot be found"),
        ({"volumes": [{"name": "d", "gcs": {"bucket": "b"}}]}, "gcs"),
    ],
)
def test_a_job_that_cannot_run_is_refused(run: Running, task: dict[str, object], problem: str) -> None:
    with pytest.raises(exceptions.GoogleAPICallError, match=problem):
        run.make_job("wrong", task=task)


def test_a_deleted_job_takes_its_executions_with_it(run: Running) -> None:
    job = run.make_job("short-lived", SLEEP)
    run.jobs.run_job(name=job.name)
    eventually(lambda: run.lines("short-lived") == ["up"])
    run.jobs.delete_job(name=job.name).result(timeout=60)
    assert job.name not in [one.name for one in run.jobs.list_jobs(parent=LOCATION)]
    every = run.executions.list_executions(parent=f"{LOCATION}/jobs/-")
    assert [one.name for one in every if one.name.startswith(f"{job.name}/")] == []
