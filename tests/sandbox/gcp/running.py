"""What tests of Cloud Run share: a service account, an image whose program does what its arguments say, and its log."""

from typing import Any

from google.api_core.exceptions import AlreadyExists, GoogleAPICallError
from google.cloud import iam_admin_v1, run_v2
from google.cloud import logging as cloud_logging

from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT, enable
from tests.sandbox.gcp.images import LOCATION, make_repository, push

APIS = ("artifactregistry", "run", "secretmanager", "iam", "logging", "compute")
SLEEP = "import time; print('up', flush=True); time.sleep(600)"


def account(name: str) -> str:
    """Make a service account unless it is there; return its e-mail address."""
    try:
        request = {"name": PROJECT, "account_id": name}
        return str(iam_admin_v1.IAMClient().create_service_account(request=request).email)
    except AlreadyExists:
        return f"{name}@{PROJECT.removeprefix('projects/')}.iam.gserviceaccount.com"


class Running:
    """Makes jobs and services of one image.

    Args:
        sandbox: Where.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        enable(*APIS)
        self.sandbox = sandbox
        make_repository("running")
        self.image = push("running", "python", {"job.py": b"print('the job of the image')\n"})
        self.account = account("runner")
        self.jobs, self.executions, self.tasks = run_v2.JobsClient(), run_v2.ExecutionsClient(), run_v2.TasksClient()

    def container(self, *command: str, **more: Any) -> dict[str, Any]:
        """A container that runs `command` as Python code."""
        return {"image": self.image, "args": ["-c", *command] if command else ["-m", "job"], **more}

    def make_job(self, name: str, *command: str, container: Any = None, task: Any = None, **more: Any) -> run_v2.Job:
        """Make a job whose container runs `command` as Python code."""
        template = {"containers": [self.container(*command, **(container or {}))], "service_account": self.account}
        job = {"template": {"template": {"max_retries": 0, **template, **(task or {})}, **more}}
        return self.jobs.create_job(parent=LOCATION, job_id=name, job=job).result(timeout=60)

    def run(self, job: run_v2.Job, **more: Any) -> run_v2.Execution:
        """Run a job to its end."""
        operation = self.jobs.run_job(request={"name": job.name, **more})
        try:
            return operation.result(timeout=60)
        except GoogleAPICallError as error:
            error.add_note(f"its log: {self.lines(job.name.rpartition('/')[2])}")
            raise

    def log(self, text: str) -> list[Any]:
        """The entries that match a filter, the platform's own words left out."""
        found = cloud_logging.Client().list_entries(filter_=f'{text} -log_id("run.googleapis.com/varlog/system")')
        return list(found)

    def lines(self, job: str) -> list[Any]:
        """What the executions of a job wrote."""
        return [entry.payload for entry in self.log(f'resource.labels.job_name="{job}"')]
