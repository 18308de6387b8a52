"""The deployed services in a person's browser, and when parts of them are killed.

All tests share one deployment. The environment variable RAGONOTEBOOKS_TEST_DEPLOYMENT names a sandbox that holds one
already; without it, one is made, which takes a minute or two.
"""

import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page, expect

from ragonotebooks.catalog import notebook, runbook
from ragonotebooks.sandbox import client
from tests.browser.chromium import MINUTE, needs_chromium, new_page
from tests.deployment.services import AT_ONCE, DEPLOYMENT, SECONDS, Services
from tests.notebooks.test_lessons import Desk
from tests.sandbox.conftest import eventually

GIVEN = "RAGONOTEBOOKS_TEST_DEPLOYMENT"
LAST = "aws/08-services"
QUESTION = "What happens when a bank's depositors all want their money at once?"
CITED = "Bank Runs, Deposit Insurance, and Liquidity"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("desk")
    if given := os.environ.get(GIVEN):
        yield Services.of(Desk(given, folder))
        return
    desk = Desk(f"services-{secrets.token_hex(4)}", folder)
    try:
        (folder / "services.yaml").write_text(yaml.safe_dump(up_to_the_services()), encoding="utf-8")
        deployed = desk.ragonotebooks("run", str(folder / "services.yaml"), "--out", str(folder / "deployed"))
        assert deployed.code == 0, deployed.output
        yield Services.of(desk)
    finally:
        client.down(desk.sandbox)


def up_to_the_services() -> dict[str, object]:
    """The runbook of everything, without what comes behind the services."""
    keys = [notebook.key_of(lesson.path) for lesson in runbook.load("deploy-services-aws").notebooks]
    return {"title": "Services", "cloud": "aws", "purpose": "Test.", "notebooks": keys[: keys.index(LAST) + 1]}


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
