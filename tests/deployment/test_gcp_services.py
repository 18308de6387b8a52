"""The services deployed on Google Cloud in a person's browser, under a burst, asleep, and when parts of them are killed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.deployment.faults import OfServices
from tests.deployment.services import SECONDS, OnGoogleCloud, Services
from tests.desk import Desk
from tests.sandbox.conftest import eventually


@pytest.fixture(scope="module")
def services(gcp_deployment: str, tmp_path_factory: pytest.TempPathFactory) -> OnGoogleCloud:
    return OnGoogleCloud.of(Desk(gcp_deployment, tmp_path_factory.mktemp("desk")))


class TestServices(OfServices):
    def test_a_burst_brings_instances_that_go_when_it_is_over(self, services: Services) -> None:
        services.rested()
        with ThreadPoolExecutor(200) as pool:
            asked = [pool.submit(services.ask, "/search", q=f"burst {number}") for number in range(200)]
            eventually(lambda: len(services.running("api")) > 1, SECONDS)
        assert {one.result().status_code for one in asked} == {200}
        services.rested()

    def test_the_page_goes_to_sleep_and_wakes_up_for_the_next_visitor(self, services: Services) -> None:
        eventually(lambda: not services.running("ui"), SECONDS)
        assert requests.get(services.page, timeout=SECONDS).status_code == 200
        assert len(services.running("ui")) == 1
