"""A run in which everything holds: what is executed, what is kept, who is told."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.run.results import Run, Status
from tests.run.lessons import HOLDS, check, code, events, kernels, run, step, text, write

SURROUNDINGS = """
import os
from pathlib import Path
check("the sandbox has a name", os.environ["RAGONOTEBOOKS_SANDBOX"], "testing")
check("the kernel knows that it is headless", os.environ["RAGONOTEBOOKS_RUN"], "run")
check("it works in the notebook's folder", Path.cwd().name, "aws")
"""
PRICE = """
from IPython.display import publish_display_data
publish_display_data({"application/vnd.ragonotebooks.price+json": {"lines": [], "month": 2.5}})
"""


class Passing:
    """One run of two notebooks, shared by the tests below because kernels take a while."""

    def __init__(self, folder: Path) -> None:
        self.passed: list[tuple[Notebook, dict[str, Any]]] = []
        self.environment = dict(os.environ)
        first = write(
            folder / "aws" / "01-first.ipynb",
            step(1, code("changed = count + 1", "change"), check('check("count was given as a number", changed, 8)')),
            step(2, check(SURROUNDINGS), objectives="SAA-C03 1.2"),
            text("## Try it yourself"),
            code("raise RuntimeError", "exercise", "skip-execution"),
        )
        second = write(folder / "aws" / "02-second.ipynb", step(1, check(HOLDS), code(PRICE)))
        self.run: Run
        self.run, self.folder = run(
            first, second, values={"count": 7, "other": "x"}, on_passed=lambda *both: self.passed.append(both)
        )


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Passing:
    return Passing(tmp_path_factory.mktemp("passing"))


def test_every_step_passes_and_the_exit_code_is_zero(passing: Passing) -> None:
    assert {step.status for _, step in passing.run.steps if step.number} == {Status.PASSED}
    assert (passing.run.status, passing.run.exit_code) == (Status.PASSED, 0)


def test_checks_are_kept_in_the_order_of_the_notebook(passing: Passing) -> None:
    claims = [check.claim for _, step in passing.run.steps for check in step.checks]
    assert claims == [
        "count was given as a number",
        "the sandbox has a name",
        "the kernel knows that it is headless",
        "it works in the notebook's folder",
        "it holds",
    ]


def test_an_exercise_is_not_executed(passing: Passing) -> None:
    exercise = passing.run.notebooks[0].steps[-1]
    assert (exercise.title, exercise.status) == ("Try it yourself", Status.SKIPPED)


def test_a_notebook_is_given_only_the_parameters_that_it_declares(passing: Passing) -> None:
    saved = nbformat.read(passing.folder / "01-aws-01-first.ipynb", as_version=4)
    injected = [cell.source for cell in saved.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert [line for line in injected[0].splitlines() if not line.startswith("#")] == ["count = 7"]


def test_the_folder_holds_the_notebooks_and_the_events(passing: Passing) -> None:
    names = sorted(path.name for path in passing.folder.iterdir())
    assert names == ["01-aws-01-first.ipynb", "02-aws-02-second.ipynb", "events.jsonl", "run.json"]


def test_events_tell_the_run_from_start_to_end(passing: Passing) -> None:
    told = [event["event"] for event in events(passing.folder) if event.get("step", 1) is not None]
    second = told[told.index("notebook_finished") + 1 :]
    assert told[0] == "run_started"
    assert second == [
        "notebook_started",
        "step_started",
        "cell_finished",
        "check",
        "cell_finished",
        "price",
        "step_finished",
        "notebook_finished",
        "run_finished",
    ]


def test_events_name_the_objectives_and_the_time_of_a_step(passing: Passing) -> None:
    (event,) = [one for one in events(passing.folder) if one["event"] == "step_finished" and one["objectives"]]
    assert (event["objectives"], event["status"], event["checks"]) == (["SAA-C03 1.2"], "passed", 3)
    assert event["seconds"] > 0


def test_prices_are_kept_with_their_notebook(passing: Passing) -> None:
    assert [[record["month"] for record in one.prices] for one in passing.run.notebooks] == [[], [2.5]]


def test_who_asked_is_told_of_passed_notebooks_with_all_their_values(passing: Passing) -> None:
    told = [(notebook.key, values) for notebook, values in passing.passed]
    assert told == [(key, {"target": "sandbox", "count": 7}) for key in ("aws/01-first", "aws/02-second")]


def test_the_calling_process_keeps_its_environment(passing: Passing) -> None:
    assert dict(os.environ) == passing.environment | {"PYTEST_CURRENT_TEST": os.environ["PYTEST_CURRENT_TEST"]}


def test_no_kernel_is_left(passing: Passing) -> None:
    assert kernels() == []
