"""A run for other programs: JSON, JUnit, Markdown; and what differs between two."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from ragonotebooks.run import export
from ragonotebooks.run.difference import Difference, differences
from ragonotebooks.run.results import Check, Failure, Status
from tests.run.test_report import a_run, a_waiting_run


def test_json_has_every_step_with_its_checks_and_failures() -> None:
    told = json.loads(export.to_json(a_run()))
    assert (told["status"], told["exit_code"], told["month_usd"]) == ("failed", 1, 11.68)
    good, bad = told["notebooks"][0]["steps"]
    assert good["checks"] == [{"claim": "it is private", "passed": True, "actual": "1", "expected": "1"}]
    assert [one["error"] for one in bad["failures"]] == ["CheckFailed", "ClientError"]
    assert told["notebooks"][1]["steps"][0]["blocked_by"] == "aws/01-network · 2 · A door"


def test_junit_counts_steps_as_tests() -> None:
    root = ElementTree.fromstring(export.to_junit(a_run()))
    counted = [(one.get("name"), *(one.get(name) for name in ("tests", "failures", "skipped"))) for one in root]
    assert counted == [("aws/01-network", "2", "1", "0"), ("aws/02-storage", "1", "0", "1")]
    assert [one.get("message") for one in root.iter("failure")] == ["…", "ClientError: no such bucket"]
    assert [one.get("message") for one in root.iter("skipped")] == ["blocked by aws/01-network · 2 · A door"]


def test_junit_stays_xml_whatever_a_message_holds() -> None:
    run = a_run()
    run.notebooks[0].steps[1].failures = [Failure("Boom", "\x1b[31mred\x1b[0m \x00 ]]> <b> \ud800", "x = '\x07'")]
    (failure,) = ElementTree.fromstring(export.to_junit(run)).iter("failure")
    assert (failure.get("message"), failure.text) == ("Boom: red  ]]> <b> ", "x = ''")


def test_markdown_is_a_table_that_no_title_breaks() -> None:
    run = a_run()
    run.notebooks[0].steps[0].title = "A | *network*"
    text = export.to_markdown(run)
    assert "| aws/01-network | 1 · A \\| \\*network\\* | ✓ passed | 1 of 1 | 2.0 s |" in text
    assert text.startswith("## ✗ Deploy it: failed\n")
    assert "- **aws/01-network, 2 · A door:** ClientError: no such bucket" in text


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_run_that_was_interrupted_between_two_steps_looks_well_in_no_form(form: str) -> None:
    run = a_run(Status.INTERRUPTED)
    run.notebooks[0].steps[1].failures = []
    assert "interrupted" in export.FORMATS[form](run).lower()


def test_the_same_run_twice_differs_in_nothing() -> None:
    assert differences(a_run(), a_run()) == []


def test_what_differs_is_named_with_its_place() -> None:
    before, after = a_run(), a_run(Status.PASSED)
    network, storage = after.notebooks
    network.parameters = {"region": "eu-central-1"}
    network.steps[1] = replace(network.steps[1], status=Status.PASSED, failures=[], prices=[])
    network.steps[1].checks = [Check("the bucket <is> closed", True, "'closed'", "'closed'")]
    after.notebooks = [network]
    door = "aws/01-network · 2 · A door"
    assert storage.status is Status.BLOCKED
    assert differences(before, after) == [
        Difference("", "status", "failed", "passed"),
        Difference("aws/01-network", "parameter region", None, "eu-central-1"),
        Difference(door, "status", "failed", "passed"),
        Difference(door, "the bucket <is> closed", "✗ 'open'", "✓ 'closed'"),
        Difference("aws/02-storage", "status", "blocked", None),
    ]


def test_a_waiting_run_says_what_waits_and_who_approved_before() -> None:
    run = a_waiting_run()
    told = json.loads(export.to_json(run))
    assert (told["status"], told["exit_code"]) == ("waiting", 3)
    assert told["notebooks"][0]["steps"][1]["waits_for"] == "<all> rows go"
    time = "2026-11-24T09:30:00+00:00"
    approval = {"notebook": "aws/01-network", "step": "1 · A network", "by": "ann <on> box", "time": time}
    assert told["approvals"] == [approval]
    text = export.to_markdown(run)
    assert "- **aws/01-network, 2 · A door:** waits for an approval: \\<all\\> rows go\n" in text
    assert "- **aws/01-network, 1 · A network:** approved by ann \\<on\\> box, 24 November 2026, 09:30 UTC\n" in text


def test_junit_counts_a_step_that_waits_as_skipped_and_nothing_as_failed() -> None:
    root = ElementTree.fromstring(export.to_junit(a_waiting_run()))
    assert [one.get("failures") for one in root] == ["0", "0"]
    assert next(root.iter("skipped")).get("message") == "waits for an approval: <all> rows go"


def test_that_a_run_waited_is_a_difference() -> None:
    found = differences(a_waiting_run(), a_run(Status.PASSED))
    assert Difference("", "status", "waiting", "passed") in found
