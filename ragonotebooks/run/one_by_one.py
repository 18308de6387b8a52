"""A run whose notebooks are executed one by one, by whoever calls papermill: a shell, Airflow.

Where the environment variable RAGONOTEBOOKS_FOLDER names a run folder, a notebook that papermill executes with the engine
`ragonotebooks` is executed as `ragonotebooks run` does it: under the deployment's lock, with its events and its evidence in
that folder. Papermill writes its own output when the notebook has ended. Without the variable it gets nothing else.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from papermill.execute import raise_for_execution_errors

from ragonotebooks.catalog import notebook, runbook
from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.errors import RagonotebooksError, UsageError
from ragonotebooks.run import folder, record, runner
from ragonotebooks.run.engine import Execution, RagonotebooksEngine, check_parameters
from ragonotebooks.run.memory import memory
from ragonotebooks.run.record import Record
from ragonotebooks.run.redaction import Redactor
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import NotebookRun, Status

FOLDER = "RAGONOTEBOOKS_FOLDER"
"""The environment variable that names the run folder."""

Node = Any
"""A notebook as papermill has it."""


def begin(where: Path, asked: Record) -> None:
    """Make the folder of a run whose notebooks are going to be executed one by one, unless it is made already.

    Raises:
        UsageError: The folder holds something else, or cannot be created or written to.
    """
    if not (where / record.FILE).is_file():
        record.write(folder.create(where, asked.runbook), asked)


class OneByOne(RagonotebooksEngine):
    """The engine as papermill finds it."""

    @classmethod
    def execute_notebook(  # type: ignore[override]  # papermill gives everything else by name
        cls,
        nb: Node,
        kernel_name: str,
        output_path: str | None = None,
        execution: Execution | None = None,
        **options: Any,
    ) -> Node:
        """Execute the notebook and return it, as a part of a run where a run folder is named.

        Raises:
            PapermillExecutionError: A cell failed.
            UsageError: As for `runner.execute_one`; or a parameter holds what its declaration does not take, or something
                else than the run in the folder was asked for.
            RagonotebooksError: The notebook did not pass, and it is no cell's fault; or its evidence cannot be kept.
        """
        where = os.environ.get(FOLDER)
        if execution or not where:
            return super().execute_notebook(nb, kernel_name, output_path, execution=execution, **options)

        def execute(_notebook: Notebook, _given: dict[str, Value], told: Execution) -> None:
            super(OneByOne, cls).execute_notebook(nb, kernel_name, None, execution=told, **options)

        check_parameters(nb, Redactor())
        ran = _run(Path(where).absolute(), Path(options["input_path"]).absolute(), _given(nb), execute)
        if ran.status is not Status.PASSED:
            raise_for_execution_errors(nb, output_path)
            raise RagonotebooksError(f"{ran.key} {_ended(ran, where)}")
        return nb


def _run(where: Path, source: Path, given: dict[str, Value], execute: runner.Execute) -> NotebookRun:
    begin(where, Record(str(source), "run", os.environ.get("RAGONOTEBOOKS_SANDBOX", "default"), given))
    asked, key = record.read(where), notebook.key_of(source)
    book = runbook.load(asked.runbook)
    request = Request(book, asked.mode, asked.values, asked.sandbox, asked.runbook, account=asked.account)
    for one in (one for one in book.notebooks if one.key == key):
        for name, value in replace(request, values=given).values_of(one).items():
            if value != request.values_of(one)[name]:
                raise UsageError(
                    f"{where} holds a run with another '{name}'; give papermill what its {record.FILE} says"
                )
    return runner.execute_one(replace(request, on_passed=memory(request)), where, key, execute)


def _given(nb: Node) -> dict[str, Value]:
    return dict(nb.metadata.papermill.get("parameters", {}))


def _ended(ran: NotebookRun, where: str) -> str:
    if ran.status is Status.WAITING:
        return f"waits for an approval; see what for, and give it: ragonotebooks approve {where}"
    failures = [*([ran.failure] if ran.failure else []), *(one for step in ran.steps for one in step.failures)]
    return f"{ran.status}: {'; '.join(failure.said for failure in failures)}"
