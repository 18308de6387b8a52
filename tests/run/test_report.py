"""The report: one page that tells a run, needs nothing else, and trusts no text."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ragonotebooks.catalog.objectives import ObjectiveRef
from ragonotebooks.run import report
from ragonotebooks.run.results import Approval, Check, Failure, NotebookRun, Run, Status, Step

DRIFT = Check("the bucket <is> closed", False, "'open'", "'closed'")
PRICE = {"service": "rds", "item": "db.t4g.micro", "unit": "hour", "usd": 0.016, "quantity": 730, "month": 11.68}


def a_run(status: Status = Status.FAILED) -> Run:
    refs = (ObjectiveRef("DEA-C01", "2.1"),)
    good = Step(1, "A network", refs, Status.PASSED, [Check("it is private", True, "1", "1")], seconds=2)
    bad = Step(2, "A door", (ObjectiveRef("SAA-C03", "1.1"),), Status.FAILED, [DRIFT])
    bad.failures = [Failure("CheckFailed", "…", "check(door)", DRIFT), Failure("ClientError", "no such bucket")]
    later = Step(1, "A bucket", refs, Status.BLOCKED, blocked_by="aws/01-network · 2 · A door")
    first = NotebookRun("aws/01-network", "The network", [good, bad], {}, Status.FAILED, 3, Path("/out/01.ipynb"))
    good.prices = [{"lines": [PRICE], "month": 11.68}]
    second = NotebookRun("aws/02-storage", "The storage", [later], {})
    return Run(
        "deploy", "Deploy it", "run", "sandbox x", datetime(2026, 11, 24, tzinfo=UTC), [first, second], status, 75
    )


class Loads(HTMLParser):
    """Collects what a browser would fetch or run, and all links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open += [] if tag in ("meta", "br", "img", "link") else [tag]
        self.loaded += [tag] if tag in ("script", "link", "iframe", "object", "embed", "img") else []
        self.loaded += [name for name, _ in attrs if name in ("src", "srcset", "style") or name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def a_waiting_run() -> Run:
    """The same, waiting for its second approval."""
    run = a_run(Status.WAITING)
    run.approvals = [
        Approval("aws/01-network", "1 · A network", "ann <on> box", datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
    ]
    door = run.notebooks[0].steps[1]
    door.status, door.failures, door.checks, door.waits_for = Status.WAITING, [], [], "<all> rows go"
    return run


@pytest.fixture
def page() -> str:
    return report.render(a_run())


def test_the_page_needs_no_other_file_and_no_network(page: str) -> None:
    loads = Loads(page)
    assert (loads.loaded, loads.open) == ([], [])
    assert not any(part in page for part in ("http:", "https:", "@import", "url("))
    assert set(loads.links) == {"01.ipynb", "#notebook-1", "#notebook-2", "events.jsonl"}


def test_it_is_readable_on_a_phone_and_in_the_dark(page: str) -> None:
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page


def test_text_of_a_notebook_is_never_taken_for_markup(page: str) -> None:
    assert "the bucket &lt;is&gt; closed" in page
    assert "<is>" not in page


@pytest.mark.parametrize(
    "said",
    [
        "✗ 1 step failed",
        "1 of 3",
        "1 min 15 s",
        "$11.68",
        "it is private",
        "&#x27;open&#x27;",
        "no such bucket",
        "Blocked by aws/01-network · 2 · A door.",
        "AWS Certified Data Engineer - Associate",
        "24 November 2026",
    ],
)
def test_it_says(page: str, said: str) -> None:
    assert said in page


def test_an_objective_of_a_failed_or_blocked_step_is_not_proven(page: str) -> None:
    proven = page[page.index("Exam objectives proven") :]
    assert "SAA-C03" not in proven
    assert "aws/01-network 1" in proven
    assert "aws/02-storage" not in proven


def test_a_passed_verification_says_that_nothing_has_drifted() -> None:
    run = a_run(Status.PASSED)
    run.mode = "verify"
    assert "✓ Nothing has drifted" in report.render(run)


def test_who_approved_and_what_waits_is_told() -> None:
    page = report.render(a_waiting_run())
    assert "‖ Waits for an approval" in page
    assert "<strong>Waits for an approval: </strong>\n&lt;all&gt; rows go" in page
    assert "Approved by ann &lt;on&gt; box, 24 November 2026, 09:30 UTC." in page
