"""The deployed services in a person's browser, when parts of them are killed, and when what they need is not as it should be.

All tests share one deployment. The environment variable RAGONOTEBOOKS_TEST_DEPLOYMENT names a sandbox that holds one
already; without it, one is made, which takes a minute or two.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.deployment.faults import OfServices
from tests.deployment.services import DEPLOYMENT, SECONDS, OnAws, Services
from tests.desk import Desk, operators
from tests.sandbox.conftest import eventually


@pytest.fixture(scope="module")
def services(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> OnAws:
    return OnAws.of(Desk(deployment, tmp_path_factory.mktemp("desk")))


class TestServices(OfServices):
    pass


@pytest.mark.parametrize(
    ("what", "parameter", "code", "sentence"),
    [
        ("runbooks/aws/checklist", "hours=0", 2, "'hours' is 0 but must be 1 to 720"),
        ("teardown-aws", "snapshot=a--b", 2, "snapshot 'a--b' cannot name a snapshot"),
        ("aws/10-audit", "patience=0", 2, "'patience' is 0 but must be 1 to 3600"),
    ],
)
def test_a_parameter_out_of_range_fails_before_anything_changes(
    services: Services, what: str, parameter: str, code: int, sentence: str
) -> None:
    done = services.run(what, parameter)
    assert done.code == code
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
    services.kill(*services.running("queue"))
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
