"""Papermill as the caller: notebooks that are executed one by one make the same run as `ragonotebooks run`."""

from pathlib import Path
from typing import Any

import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from ragonotebooks.catalog import runbook
from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.run import engine, history, one_by_one, runner
from ragonotebooks.run.record import Record
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import Status
from tests.run.lessons import check, code, events, kernels, step, write

VARYING = {"time", "seconds", "cell"}
FAILS_ONCE = """
from pathlib import Path
tried = Path("tried").exists()
Path("tried").touch()
check("it was tried before", tried)
"""


class Book:
    """A runbook of two notebooks in a folder of its own, and a run folder."""

    def __init__(self, folder: Path, *second: Any) -> None:
        self.folder, self.out = folder, folder / "out"
        write(folder / "aws" / "01-one.ipynb", step(1, code("count", "look"), check('check("it is 7", count, 7)')))
        write(folder / "aws" / "02-two.ipynb", step(1, check()), step(2, *second or [check()]))
        notebooks = [str(folder / "aws" / name) for name in ("01-one.ipynb", "02-two.ipynb")]
        self.path = folder / "book.yaml"
        self.path.write_text(f"title: A book\ncloud: aws\npurpose: Why.\nnotebooks: {notebooks}\n")

    def begin(self, count: int = 7) -> None:
        one_by_one.begin(self.out, Record(str(self.path), "run", "default", {"count": count}))

    def output(self, name: str) -> Path:
        return self.folder / f"{name}.ipynb"

    def papermill(self, name: str, monkeypatch: pytest.MonkeyPatch, **parameters: Any) -> None:
        engine.register()
        monkeypatch.setenv(one_by_one.FOLDER, str(self.out))
        source = self.folder / "aws" / f"{name}.ipynb"
        papermill.execute_notebook(
            source, self.output(name), parameters, engine_name="ragonotebooks", progress_bar=False
        )


def told(folder: Path) -> list[dict[str, Any]]:
    """The events of a run without what differs from one run to the next."""
    return [{name: said for name, said in event.items() if name not in VARYING} for event in events(folder)]


def test_they_leave_what_a_run_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, run = Book(tmp_path), tmp_path / "run"
    runner.execute(Request(runbook.load(str(book.path)), "run", {"count": 7}, "default", str(book.path), run))
    book.begin()
    book.papermill("01-one", monkeypatch, count=7)
    book.papermill("02-two", monkeypatch, count=7)
    assert told(book.out) == told(run)
    assert told(run)[-1] == {"event": "run_finished", "status": "passed"}
    assert [path.name for path in sorted(book.out.iterdir())] == [path.name for path in sorted(run.iterdir())]
    assert (book.out / "run.json").read_text() == (run / "run.json").read_text()
    assert "✓ it is 7" in book.output("01-one").read_text(encoding="utf-8")
    assert kernels() == []


def test_a_notebook_alone_is_a_run_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(tmp_path)
    book.papermill("02-two", monkeypatch)
    run = history.read(book.out)
    assert (run.runbook, run.status) == ("aws/02-two", Status.PASSED)


def test_a_failure_ends_the_run_and_the_next_attempt_resumes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book(tmp_path, check(FAILS_ONCE))
    book.begin()
    book.papermill("01-one", monkeypatch, count=7)
    with pytest.raises(PapermillExecutionError, match="it was tried before"):
        book.papermill("02-two", monkeypatch, count=7)
    assert "✗ it was tried before" in book.output("02-two").read_text(encoding="utf-8")
    assert history.read(book.out).status is Status.FAILED
    book.papermill("02-two", monkeypatch, count=7)
    run = history.read(book.out)
    assert (run.status, len(run.resumed), {one.status for one in run.notebooks}) == (
        Status.PASSED,
        1,
        {Status.PASSED},
    )


def test_what_stands_behind_a_failure_is_blocked_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(tmp_path)
    book.begin(count=8)
    with pytest.raises(PapermillExecutionError, match="it is 7"):
        book.papermill("01-one", monkeypatch, count=8)
    run = history.read(book.out)
    assert (run.status, [one.status for one in run.notebooks]) == (Status.FAILED, [Status.FAILED, Status.BLOCKED])
    assert run.notebooks[1].steps[-1].blocked_by == "aws/01-one · 1 · A step"


def test_what_papermill_would_take_for_passed_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(tmp_path, check("1"))
    with pytest.raises(RagonotebooksError, match="aws/02-two failed: NoCheck: its check cell recorded no check"):
        book.papermill("02-two", monkeypatch)


def test_a_notebook_that_is_not_of_the_runbook_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(tmp_path)
    one_by_one.begin(book.out, Record(str(tmp_path / "aws" / "01-one.ipynb"), "run", "default", {}))
    with pytest.raises(UsageError, match="which has no notebook aws/02-two; name another folder"):
        book.papermill("02-two", monkeypatch)
    assert (book.out / "events.jsonl").read_text() == ""


def test_other_parameters_than_the_run_was_asked_for_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book(tmp_path)
    book.begin(count=8)
    with pytest.raises(UsageError, match=r"holds a run with another 'count'; give papermill what its run\.json says"):
        book.papermill("01-one", monkeypatch, count=7)
    assert (book.out / "events.jsonl").read_text() == ""


def test_a_step_that_has_to_be_approved_fails_papermill_and_lets_the_run_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book(tmp_path)
    write(tmp_path / "aws" / "02-two.ipynb", step(1, code("1", "change"), check(), approval="look first"))
    with pytest.raises(RagonotebooksError, match=r"aws/02-two waits for an approval; .+: ragonotebooks approve .+/out"):
        book.papermill("02-two", monkeypatch)
    assert history.read(book.out).status is Status.WAITING
