"""The deployed services in a person's browser, when parts of them are killed, and when what they need is not as it should be.

All tests share one deployment. The environment variable RAGONOTEBOOKS_TEST_DEPLOYMENT names a sandbox that holds one
already; without it, one is made, which takes a minute or two.
"""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import MINUTE, needs_chromium, new_page
from tests.deployment.services import AT_ONCE, DEPLOYMENT, SECONDS, Services
from tests.desk import Desk, operators
from tests.sandbox.conftest import eventually

QUESTION = "What happens when a bank's depositors all want their money at once?"
CITED = "Bank Runs, Deposit Insurance, and Liquidity"


@pytest.fixture(scope="module")
def services(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Services:
    return Services.of(Desk(deployment, tmp_path_factory.mktemp("desk")))


@pytest.fixture
def page(services: Services, tmp_path: Path) -> Iterator[Page]:
    """The UI in a browser."""
    with new_page(tmp_path) as page:
        page.goto(services.address)
        yield page


@needs_chromium
def test_a_question_is_answered_with_what_it_cites(page: Page) -> None:
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("heading", name=QUESTION)).to_be_visible(timeout=MINUTE)
    expect(page.get_by_text("Answered by extraction")).to_be_visible(timeout=MINUTE)
    cited = page.get_by_test_id("stExpander").filter(has_text=CITED)
    expect(cited).to_contain_text(re.compile(r"\[\d\] .* · score 0\.\d{4}"), timeout=MINUTE)
    expect(cited.get_by_text("Diamond")).not_to_have_count(0, timeout=MINUTE)


@needs_chromium
def test_an_index_job_is_started_and_seen_to_finish(page: Page, services: Services) -> None:
    page.get_by_role("tab", name="Index").click()
    page.get_by_role("button", name="Start an index job").click()
    job = page.get_by_text(re.compile("^Job [0-9a-f]{32}: finished$"))
    expect(job).to_be_visible(timeout=MINUTE)
    found = services.job(str(re.findall("[0-9a-f]{32}", job.inner_text())[0]))
    assert (found["kind"], found["status"]) == ("index", "finished")


def test_two_hundred_requests_at_once_are_all_answered(services: Services) -> None:
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda number: services.ask("/search", q=f"question {number}"), range(200)))
    # the rate limit, 500 a second and 1000 at once for each task, is meant for more than this
    assert Counter(answer.status_code for answer in answers) == {200: 200}
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 200


def test_a_killed_task_of_the_api_costs_no_more_than_what_it_was_doing(services: Services) -> None:
    victim, another = services.running("ecs", "api")
    with services.load() as answers:
        services.kill(victim)
        services.desk.aws("ecs").get_waiter("services_stable").wait(cluster=DEPLOYMENT, services=["api"])
        answered = len(answers)
        eventually(lambda: len(answers) > answered + 20, SECONDS)
    assert another.pid in [one.pid for one in services.running("ecs", "api")]
    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) <= {200, 502}
    assert codes[502] <= AT_ONCE
    assert {answer.status_code for answer in answers[answered:]} == {200}


def test_the_job_of_a_killed_worker_is_finished_by_the_next(services: Services) -> None:
    job = services.start_index()
    eventually(lambda: services.job(job)["status"] == "started", SECONDS)
    [worker] = services.running("ecs", "worker")
    services.kill(worker)
    assert services.job(job)["status"] != "finished"
    assert services.finished(job)["result"]["run"] == job


def test_a_killed_queue_comes_back_and_takes_jobs(services: Services) -> None:
    [valkey] = services.running("elasticache", f"{DEPLOYMENT}-queue")
    with services.load() as answers:
        services.kill(valkey)
        eventually(lambda: services.ask("/jobs").ok, SECONDS)
    assert {answer.status_code for answer in answers} == {200}
    services.finished(services.start_index())


def test_a_killed_database_comes_back_with_its_data(services: Services) -> None:
    before = services.ask("/papers", limit=100).json()
    assert len(before["papers"]) > 80
    [postgres] = services.running("rds", f"{DEPLOYMENT}-db")
    with services.load() as answers:
        services.kill(postgres)
        eventually(lambda: services.ask("/papers", limit=100).json() == before, SECONDS)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in refused} <= {503}
    assert {answer.json()["detail"] for answer in refused} <= {
        "The database cannot be reached or is too slow: try again later."
    }


@pytest.mark.parametrize(
    ("what", "parameter", "sentence"),
    [
        ("runbooks/aws/checklist", "hours=0", "hours is 0, but must be 1 to 720"),
        ("teardown-aws", "snapshot=a--b", "snapshot 'a--b' cannot name a snapshot"),
        ("aws/10-audit", "patience=0", "patience is 0, but must be 1 to 3600 seconds"),
    ],
)
def test_a_parameter_out_of_range_fails_before_anything_changes(
    services: Services, what: str, parameter: str, sentence: str
) -> None:
    done = services.run(what, parameter)
    assert done.code == 1
    assert sentence in done.output
    assert operators(done) == []


def test_a_task_that_fails_says_why_in_the_check_that_fails(services: Services) -> None:
    done = services.run("aws/06-index-job", "question=")
    assert done.code == 1
    found = re.search(
        r"the search ended well: it is \(2, 'Essential container in task exited', '(.*)'\), it should", done.output
    )
    assert found, done.output
    assert "There is no question" in found[1]


@contextmanager
def queue_out_of_reach(services: Services) -> Iterator[None]:
    """Nobody is let in, and whoever was in is out."""
    ec2 = services.desk.aws("ec2")
    named = [{"Name": "group-name", "Values": [f"{DEPLOYMENT}-queue"]}]
    [group] = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    services.kill(*services.running("elasticache", f"{DEPLOYMENT}-queue"))
    yield
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    eventually(lambda: services.ask("/jobs").ok, SECONDS)


def test_a_queue_that_is_down_is_the_cause_that_a_runbook_tells(services: Services) -> None:
    with queue_out_of_reach(services):
        done = services.run("scale-workers", "workers=2")
    assert done.code == 1
    assert "the API does not tell about the queue (503): " in done.output
    assert "The queue cannot be reached: try again later." in done.output
    assert operators(done) == []


def test_a_secret_that_is_missing_is_why_a_worker_does_not_start(services: Services) -> None:
    secretsmanager, ecs = services.desk.aws("secretsmanager"), services.desk.aws("ecs")
    secretsmanager.delete_secret(SecretId=f"{DEPLOYMENT}/queue")
    done = services.run("scale-workers", "workers=2")
    secretsmanager.restore_secret(SecretId=f"{DEPLOYMENT}/queue")
    ecs.update_service(cluster=DEPLOYMENT, service="worker", desiredCount=1)
    assert done.code == 1
    assert "1 of 2 workers run, its task stopped: ResourceInitializationError" in done.output
    assert f"{DEPLOYMENT}/queue" in done.output


def test_a_malformed_secret_is_why_a_service_does_not_start_and_mended_it_starts(services: Services) -> None:
    secretsmanager, ecs = services.desk.aws("secretsmanager"), services.desk.aws("ecs")
    good = secretsmanager.get_secret_value(SecretId=f"{DEPLOYMENT}/queue")["SecretString"]
    ecs.delete_service(cluster=DEPLOYMENT, service="worker", force=True)
    ecs.get_waiter("services_inactive").wait(cluster=DEPLOYMENT, services=["worker"])
    secretsmanager.put_secret_value(SecretId=f"{DEPLOYMENT}/queue", SecretString="swordfish")
    broken = services.run("aws/08-services")
    secretsmanager.put_secret_value(SecretId=f"{DEPLOYMENT}/queue", SecretString=good)
    mended = services.run("aws/08-services")
    assert broken.code == 1
    assert "the worker does not start, its last task stopped: ResourceInitializationError" in broken.output
    assert "swordfish" not in broken.output
    assert mended.code == 0, mended.output
