"""What a person sees in the terminal or in a log."""

import io
from typing import Any

from rich.console import Console

from ragonotebooks.run.events import Event
from ragonotebooks.run.progress import Progress

STARTED = {
    "runbook": "deploy-aws",
    "mode": "run",
    "target": "sandbox default",
    "took_over": None,
    "notebooks": [
        {"notebook": "aws/01-network", "steps": [{"step": 1, "title": "A network"}]},
        {"notebook": "aws/02", "steps": []},
    ],
}
STEP: dict[str, Any] = {"notebook": "aws/01-network", "step": 1, "title": "A network", "failures": [], "blocked_by": ""}


def printed(*events: tuple[Any, dict[str, Any]], terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with Progress(console) as progress:
        for name, data in [("run_started", STARTED), *events]:
            progress(Event(name, data))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_passed_step_is_one_plain_line() -> None:
    line = printed(("step_finished", STEP | {"status": "passed", "checks": 3, "seconds": 0.41})).splitlines()[1]
    assert line == "aws/01-network  1 · A network  ✓ 3 checks     0.4 s"


def test_a_failed_check_is_named_on_one_line_however_long() -> None:
    failure = {
        "error": "CheckFailed",
        "message": f"the door is closed: it is {'x' * 200}, it should be 1",
        "source": "",
    }
    lines = printed(("step_finished", STEP | {"status": "failed", "checks": 1, "seconds": 1, "failures": [failure]}))
    assert failure["message"] in lines


def test_square_brackets_are_text() -> None:
    title = {"title": "[bold]not markup[/bold] [x]"}
    assert "[bold]not markup[/bold] [x]" in printed(
        ("step_finished", STEP | title | {"status": "passed", "checks": 1, "seconds": 1})
    )


def test_blocked_steps_are_one_line_a_notebook() -> None:
    blocked = STEP | {"status": "blocked", "checks": 0, "seconds": 0, "blocked_by": "aws/00"}
    events = [("step_finished", blocked), ("step_finished", blocked), ("notebook_finished", {"notebook": "aws/02"})]
    assert printed(*events).splitlines()[1:] == ["aws/02          ∅ 2 steps blocked by aws/00"]


def test_sections_without_a_number_are_silent_while_they_pass() -> None:
    opening = STEP | {"step": None, "title": "Opening", "checks": 0, "seconds": 1}
    assert len(printed(("step_finished", opening | {"status": "passed"})).splitlines()) == 1
    assert "Opening" in printed(("step_finished", opening | {"status": "failed"}))


def test_a_terminal_shows_what_is_executed_now() -> None:
    assert "aws/01-network  1 · A network" in printed(("step_started", STEP), terminal=True)
