"""What is printed for Google Cloud: the job is one that Cloud Run's client takes, and the schedule calls what runs it."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import googleapiclient
import pytest
from google.cloud import run_v2
from typer.testing import CliRunner

from ragonotebooks.cli import app

PROJECT = "papers-1"
JOB = "ragonotebooks-cost-report-gcp"
EMAIL = f"run-cost-report-gcp@{PROJECT}.iam.gserviceaccount.com"


def printed(runbook: str, *more: str) -> str:
    words = ["schedule", runbook, "--account", PROJECT, "--image", "europe-docker.pkg.dev/p/r/ragonotebooks:1"]
    shown = CliRunner().invoke(app, [*words, "--cron", "*/30 6 1 * MON", *more])
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.fixture(scope="module")
def commands() -> dict[str, tuple[list[str], dict[str, str]]]:
    """The commands of the printout by their name: their arguments and their options."""
    lines = printed("cost-report-gcp", "-p", "name=it-s").splitlines()
    return dict(read(shlex.split(line)) for line in lines if line.startswith("gcloud "))


def read(words: list[str]) -> tuple[str, tuple[list[str], dict[str, str]]]:
    first = next(place for place, word in enumerate(words) if word.startswith("--"))
    options = dict(zip(words[first::2], words[first + 1 :: 2], strict=True))
    return " ".join(words[1:first]), (words[1:first], options)


def discovered(document: str) -> dict[str, Any]:
    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    found: dict[str, Any] = json.loads((folder / document).read_text(encoding="utf-8"))
    return found


def test_the_job_runs_the_runbook(commands: dict[str, tuple[list[str], dict[str, str]]]) -> None:
    _, options = commands[f"run jobs create {JOB}"]
    delimiter, said = re.fullmatch(r"\^(;+)\^(.*)", options["--args"]).groups()  # type: ignore[union-attr]
    container = run_v2.Container(image=options["--image"], command=[options["--command"]], args=said.split(delimiter))
    task = run_v2.TaskTemplate(containers=[container], service_account=options["--service-account"], max_retries=0)
    job = run_v2.Job(template=run_v2.ExecutionTemplate(template=task))
    words = "ragonotebooks run cost-report-gcp -p target=cloud -p name=it-s --yes --account papers-1"
    (one,) = job.template.template.containers
    assert [*one.command, *one.args] == words.split()
    assert job.template.template.service_account == EMAIL


def test_the_schedule_calls_the_method_that_runs_a_job(commands: dict[str, tuple[list[str], dict[str, str]]]) -> None:
    _, options = commands[f"scheduler jobs create http {JOB}"]
    run = discovered("run.v2.json")
    method = run["resources"]["projects"]["resources"]["locations"]["resources"]["jobs"]["methods"]["run"]
    path = method["flatPath"].format(projectsId=PROJECT, locationsId="us-central1", jobsId=JOB)
    assert (options["--uri"], options["--http-method"]) == (run["rootUrl"] + path, method["httpMethod"])
    known = discovered("cloudscheduler.v1.json")["schemas"]
    assert {"schedule", "timeZone", "httpTarget"} <= known["Job"]["properties"].keys()
    assert (options["--schedule"], options["--time-zone"]) == ("*/30 6 1 * MON", "UTC")


def test_one_account_runs_the_job_and_may_start_it(commands: dict[str, tuple[list[str], dict[str, str]]]) -> None:
    _, options = commands[f"run jobs add-iam-policy-binding {JOB}"]
    assert (options["--member"], options["--role"]) == (f"serviceAccount:{EMAIL}", "roles/run.invoker")
    _, schedule = commands[f"scheduler jobs create http {JOB}"]
    assert schedule["--oauth-service-account-email"] == EMAIL
    assert f"iam service-accounts create {EMAIL.partition('@')[0]}" in commands


def test_what_waits_for_an_approval_is_told() -> None:
    assert "# It never gets past runbooks/gcp/teardown, 3 · Everything else goes: a person" in printed("teardown-gcp")
    assert "never gets past" not in printed("cost-report-gcp")


def test_the_longest_name_of_a_runbook_makes_a_valid_service_account() -> None:
    (name,) = re.findall(r"service-accounts create (\S+)", printed("deployment-checklist-gcp"))
    assert re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", name)
