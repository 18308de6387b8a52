"""What must hold of the deployed services on each cloud: in a person's browser, at once, and when parts of them are killed."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Page, expect

from tests.browser.chromium import MINUTE, needs_chromium
from tests.deployment.services import AT_ONCE, SECONDS, Services
from tests.sandbox.conftest import eventually

QUESTION = "What happens when a bank's depositors all want their money at once?"
CITED = "Bank Runs, Deposit Insurance, and Liquidity"


class OfServices:
    """Tests on the fixture `services` of the module that takes them over."""

    @needs_chromium
    def test_a_question_is_answered_with_what_it_cites(self, page: Page) -> None:
        page.get_by_label("Your question").fill(QUESTION)
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.get_by_role("heading", name=QUESTION)).to_be_visible(timeout=MINUTE)
        expect(page.get_by_text("Answered by extraction")).to_be_visible(timeout=MINUTE)
        cited = page.get_by_test_id("stExpander").filter(has_text=CITED)
        expect(cited).to_contain_text(re.compile(r"\[\d\] .* · score 0\.\d{4}"), timeout=MINUTE)
        expect(cited.get_by_text("Diamond")).not_to_have_count(0, timeout=MINUTE)

    @needs_chromium
    def test_an_index_job_is_started_and_seen_to_finish(self, page: Page, services: Services) -> None:
        page.get_by_role("tab", name="Index").click()
        page.get_by_role("button", name="Start an index job").click()
        job = page.get_by_text(re.compile("^Job [0-9a-f]{32}: finished$"))
        expect(job).to_be_visible(timeout=MINUTE)
        found = services.job(str(re.findall("[0-9a-f]{32}", job.inner_text())[0]))
        assert (found["kind"], found["status"]) == ("index", "finished")

    def test_two_hundred_requests_at_once_are_all_answered(self, services: Services) -> None:
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(lambda number: services.ask("/search", q=f"question {number}"), range(200)))
        # the rate limit, 500 a second and 1000 at once for each instance, is meant for more than this
        assert Counter(answer.status_code for answer in answers) == {200: 200}
        assert len({answer.headers["X-Request-Id"] for answer in answers}) == 200

    def test_a_killed_instance_of_the_api_costs_no_more_than_what_it_was_doing(self, services: Services) -> None:
        victim, *others = services.rested()
        with services.load() as answers:
            services.kill(victim)
            services.settle()
            answered = len(answers)
            eventually(lambda: len(answers) > answered + 20, SECONDS)
        assert {one.pid for one in others} <= {one.pid for one in services.running("api")}
        failed = [answer for answer in answers if answer.status_code != 200]
        assert {answer.status_code for answer in failed} <= {services.lost, None}
        # sockets of a killed process are closed one by one: the next request of each may still get in
        assert len(failed) <= 2 * AT_ONCE, [answer.text for answer in failed if answer.status_code]
        assert {answer.status_code for answer in answers[answered:]} == {200}

    def test_the_job_of_a_killed_worker_is_finished_by_the_next(self, services: Services) -> None:
        job = services.start_index()
        eventually(lambda: services.job(job)["status"] == "started", SECONDS)
        [worker] = services.running("worker")
        services.kill(worker)
        assert services.job(job)["status"] != "finished"
        assert services.finished(job)["result"]["run"] == job

    def test_a_killed_queue_comes_back_and_takes_jobs(self, services: Services) -> None:
        [valkey] = services.running("queue")
        with services.load() as answers:
            services.kill(valkey)
            eventually(lambda: services.ask("/jobs").ok, SECONDS)
        assert {answer.status_code for answer in answers} == {200}
        services.finished(services.start_index())

    def test_a_killed_database_comes_back_with_its_data(self, services: Services) -> None:
        before = services.ask("/papers", limit=100).json()
        assert len(before["papers"]) > 80
        [postgres] = services.running("database")
        with services.load() as answers:
            services.kill(postgres)
            eventually(lambda: services.ask("/papers", limit=100).json() == before, SECONDS)
        refused = [answer for answer in answers if answer.status_code != 200]
        assert {answer.status_code for answer in refused} <= {503}
        assert {answer.json()["detail"] for answer in refused} <= {
            "The database cannot be reached or is too slow: try again later."
        }
