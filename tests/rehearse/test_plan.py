"""The plan that a rehearsal leads to, and its page."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.rehearse import files
from ragonotebooks.rehearse.calls import Place
from ragonotebooks.rehearse.plan import Change, Plan, Steps, make, repeated
from ragonotebooks.run.events import Event
from ragonotebooks.run.results import NotebookRun, Run, Status, Step
from tests.rehearse.test_rights import Needed
from tests.run.lessons import check, code, step, write

START = datetime(2026, 11, 25, 12, tzinfo=UTC)
PLACE = Place("123456789012", "demo-project", "314159265358")


@dataclass(frozen=True)
class Called:
    """A call, this many milliseconds after the start."""

    after: int
    service: str
    action: str
    resource: str = "*"
    mutating: bool = True
    needs: list[Needed] = field(default_factory=list)

    @property
    def time(self) -> str:
        return (START + timedelta(milliseconds=self.after)).isoformat(timespec="milliseconds")


@pytest.fixture
def book(tmp_path: Path) -> Runbook:
    steps = (
        step(1, code("1", "change"), check(), title="A bucket", approval="it costs"),
        step(2, check(), title="A queue"),
    )
    return Runbook("book", "A book", "aws", "Why.", (notebook.read(write(tmp_path / "aws" / "01-one.ipynb", *steps)),))


def rehearsed(book: Runbook, *calls: Called) -> Plan:
    """Two steps, a second apart."""
    parts = [Step(None, "01-one", ()), Step(1, "A bucket", ()), Step(2, "A queue", ())]
    parts[1].prices = [
        {
            "lines": [{"service": "S3", "item": "Storage", "unit": "GB", "usd": 0.73, "quantity": 10, "month": 7.3}],
            "month": 7.3,
        }
    ]
    result = NotebookRun("aws/01-one", "One", parts, {}, Status.PASSED, 2.0)
    steps = Steps()
    for number, title in ((1, "A bucket"), (2, "A queue")):
        facts = {"notebook": "aws/01-one", "part": number, "step": number, "title": title}
        steps(Event("step_started", facts, START + timedelta(seconds=number, microseconds=900)))
    run = Run("book", "A book", "rehearse", "sandbox x", START, [result], Status.PASSED, 2.0)
    return make(book, run, steps, calls, PLACE)


def test_each_change_stands_at_its_step(book: Runbook) -> None:
    plan = rehearsed(
        book,
        Called(10, "s3", "ListBuckets", mutating=False),
        Called(1000, "s3", "CreateBucket", "arn:aws:s3:::papers"),
        Called(2500, "storage.googleapis.com", "storage.buckets.insert", "projects/_/buckets/demo-project"),
        Called(2600, "secretmanager.googleapis.com", "CreateSecret", "projects/314159265358"),
    )
    assert plan.changes == (
        Change("aws/01-one · 1 · A bucket", "s3:CreateBucket", "arn:aws:s3:::papers"),
        Change("aws/01-one · 2 · A queue", "storage.buckets.insert", "projects/_/buckets/PROJECT"),
        Change("aws/01-one · 2 · A queue", "secretmanager:CreateSecret", "projects/PROJECT"),
    )


def test_reads_are_in_the_rights_and_not_in_the_changes(book: Runbook) -> None:
    needs = [Needed("s3:ListAllMyBuckets", "arn:aws:s3:::*")]
    plan = rehearsed(book, Called(1000, "s3", "ListBuckets", mutating=False, needs=needs))
    assert plan.changes == ()
    assert plan.policies[0]["Statement"][0]["Action"] == ["s3:ListAllMyBuckets"]
    assert plan.role is None


def test_steps_that_a_person_has_to_approve_are_listed(book: Runbook) -> None:
    assert rehearsed(book).approvals == {"aws/01-one · 1 · A bucket": "it costs"}


def test_the_page_tells_changes_rights_price_and_time(book: Runbook, tmp_path: Path) -> None:
    call = Called(
        1000, "s3", "PutObject", "arn:aws:s3:::papers/1", needs=[Needed("s3:PutObject", "arn:aws:s3:::papers/1")]
    )
    files.write(rehearsed(book, call, call), tmp_path)
    page = (tmp_path / "plan.md").read_text(encoding="utf-8")
    assert "| aws/01-one · 1 · A bucket | `s3:PutObject` | `arn:aws:s3:::papers/*` | 2 |" in page
    assert "`policy.json` has to be allowed. That it is enough was not tried" in page
    assert "$0.0100 an hour, $7.30 a month" in page
    assert "| aws/01-one | 2.0 |" in page


def test_a_runbook_that_only_reads_changes_nothing(book: Runbook, tmp_path: Path) -> None:
    files.write(rehearsed(book), tmp_path)
    assert "None is changed." in (tmp_path / "plan.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.glob("p*")) == ["plan.json", "plan.md"]


def test_what_is_done_again_in_a_row_is_one_line() -> None:
    one, other = Change("s", "s3:PutObject", "a"), Change("s", "s3:PutObject", "b")
    assert repeated([one, one, other, one]) == [(one, 2), (other, 1), (one, 1)]
