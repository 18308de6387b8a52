"""What the daemon does not keep."""

from typing import Any

import pytest
from botocore.loaders import Loader
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS
from moto.elbv2.models import FakeHealthStatus

from ragonotebooks.sandbox.aws import memory


@pytest.fixture(autouse=True)
def lean() -> None:
    memory.install()


def test_moto_lists_no_object_that_it_made() -> None:
    before = len(FakeHealthStatus.instances_tracked)
    made = FakeHealthStatus("10.0.0.1", "80", "80", "healthy")
    assert made.status == "healthy"
    assert len(FakeHealthStatus.instances_tracked) == before


def test_sessions_share_the_models_of_services() -> None:
    first, second = (Loader().load_service_model("sts", "service-2") for _ in range(2))
    assert first["shapes"] is second["shapes"]


def test_models_hold_what_programs_read_and_nothing_for_people() -> None:
    model = Loader().load_service_model("sts", "service-2")
    assert model["operations"]["GetCallerIdentity"]["http"] == {"method": "POST", "requestUri": "/"}
    assert set(documentation(model)) == {""}


def test_instance_types_are_read_when_they_are_asked_for() -> None:
    offered = list(INSTANCE_TYPE_OFFERINGS["availability-zone"]["us-east-1"])
    assert {"InstanceType": "t3.micro", "Location": "us-east-1a", "LocationType": "availability-zone"} in offered


def documentation(part: Any) -> list[str]:
    if isinstance(part, list):
        return [text for one in part for text in documentation(one)]
    if isinstance(part, dict):
        own = [text for name, text in part.items() if name == "documentation" and isinstance(text, str)]
        return own + [text for one in part.values() for text in documentation(one)]
    return []
