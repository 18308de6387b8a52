"""The release program's verdict on a release: it believes the alarm only when there was something to see."""

import importlib.util
import time
from typing import Any

import pytest

from ragonotebooks.catalog import project

Look = tuple[str, int, int]  # the alarm's state; answers and errors that are counted


class Metrics:
    """CloudWatch as it shows itself from look to look: an alarm, and the counts that it is made of."""

    def __init__(self, *looks: Look) -> None:
        self.looks = list(looks)

    def describe_alarms(self, **asked: Any) -> dict[str, Any]:
        if len(self.looks) > 1:
            self.looks.pop(0)
        alarm = {
            "AlarmName": asked["AlarmNames"][0],
            "StateValue": self.looks[0][0],
            "MetricName": "Errors",
            "Threshold": 2.0,
        }
        return {"MetricAlarms": [{**alarm, "Namespace": "N", "Dimensions": [], "Period": 60}]}

    def get_metric_statistics(self, **asked: Any) -> dict[str, Any]:
        _, answers, errors = self.looks[0]
        return {"Datapoints": [{"Sum": float(errors if asked["MetricName"] == "Errors" else answers)}]}


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Any:
    given = {"DEPLOYMENT": "papers", "PART": "api", "WATCH_SECONDS": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.syspath_prepend(project.runbooks() / "pipeline")
    spec = importlib.util.spec_from_file_location("release_program", project.runbooks() / "aws" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verdict(release: Any, *looks: Look) -> tuple[str | None, Look]:
    """What is found, and at which look; the first look is the one before the release is watched."""
    release.cloudwatch = Metrics(looks[0], *looks)
    return release.watch(), release.cloudwatch.looks[0]


def test_a_release_is_good_when_it_has_answered_enough(release: Any) -> None:
    looks: list[Look] = [("OK", 7, 0), ("OK", 7, 0), ("OK", 26, 0), ("OK", 27, 1), ("OK", 99, 1)]
    assert verdict(release, *looks) == (None, ("OK", 27, 1))


def test_errors_that_are_counted_are_left_to_the_alarm(release: Any) -> None:
    looks: list[Look] = [("OK", 0, 0), ("OK", 30, 30), ("OK", 60, 60), ("ALARM", 90, 90)]
    assert verdict(release, *looks) == ("the alarm papers-release went off", ("ALARM", 90, 90))


def test_where_nobody_asks_nothing_is_said_to_be_good(
    release: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release.releasing, "PATIENCE", 0.01)
    caplog.set_level("INFO", "release")
    assert verdict(release, ("OK", 7, 0))[0] is None
    assert "nobody knows whether it is good" in caplog.text
