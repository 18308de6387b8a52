"""Google Cloud: Cloud Scheduler starts a job of Cloud Run."""

import shlex
from collections.abc import Iterator
from itertools import count

from ragonotebooks.schedule.job import Job

_LONGEST_ACCOUNT = 30  # characters of a service account's id


def script(job: Job) -> Iterator[str]:
    """The lines of a shell script that sets a schedule up; one service account runs the job and starts it."""
    name, own = job.name, ["--project", job.account]
    there = [*own, "--region", job.region]
    identity = job.name.replace("ragonotebooks-", "run-")[:_LONGEST_ACCOUNT].rstrip("-")
    email = f"{identity}@{job.account}.iam.gserviceaccount.com"
    role = name.replace("-", "_")
    member = ["--member", f"serviceAccount:{email}"]
    yield _said("services", "enable", "run.googleapis.com", "cloudscheduler.googleapis.com", *own)
    yield _said("iam", "service-accounts", "create", identity, *own)
    yield "# What the runbook may do: role.yaml is what this finds out in a sandbox and leaves in its folder:"
    yield f"#   {shlex.join(['ragonotebooks', 'rehearse', job.runbook.name, '--prove'])}"
    yield _said("iam", "roles", "create", role, *own, "--file", "role.yaml")
    granted = ["--role", f"projects/{job.account}/roles/{role}", "--condition", "None"]
    yield _said("projects", "add-iam-policy-binding", job.account, *member, *granted)
    words = ["--image", job.image, "--service-account", email, "--command", job.command[0], "--args", _listed(job)]
    limits = ["--max-retries", "0", "--task-timeout", "3h", "--cpu", "1", "--memory", "2Gi"]
    yield _said("run", "jobs", "create", name, *there, *words, *limits)
    yield _said("run", "jobs", "add-iam-policy-binding", name, *there, *member, "--role", "roles/run.invoker")
    address = f"https://run.googleapis.com/v2/projects/{job.account}/locations/{job.region}/jobs/{name}:run"
    when = ["--schedule", job.cron.text, "--time-zone", job.zone]
    asked = ["--uri", address, "--http-method", "POST", "--oauth-service-account-email", email]
    yield _said("scheduler", "jobs", "create", "http", name, *own, "--location", job.region, *when, *asked)


def _said(*words: str) -> str:
    return shlex.join(["gcloud", *words])


def _listed(job: Job) -> str:
    """The arguments as one word of gcloud, parted by something that stands in none of them."""
    words = job.command[1:]
    delimiter = next(one for one in map(";".__mul__, count(1)) if not any(one in word for word in words))
    return f"^{delimiter}^{delimiter.join(words)}"
