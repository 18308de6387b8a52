"""An Airflow DAG for each runbook: its notebooks in order, a task each, which together are one run.

Link this file into Airflow's folder of DAGs; Airflow needs this package and `apache-airflow-providers-papermill` beside it. A
DAG's run leaves what `ragonotebooks run` leaves, in the folder `ragonotebooks/DAG/RUN` below Airflow's home: `ragonotebooks
report FOLDER` reports on it. On workers that share no disk, mount one there. A worker changes a real account only where its
environment names it, in RAGONOTEBOOKS_ACCOUNT or RAGONOTEBOOKS_PROJECT. A step that asks for an approval fails its task.
"""

import os
from pathlib import Path
from typing import Any

from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.sdk import DAG, Param, chain
from papermill.engines import papermill_engines

from ragonotebooks.catalog import runbook
from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.catalog.parameters import Parameter
from ragonotebooks.run import one_by_one
from ragonotebooks.run.record import Record

RUNS = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "ragonotebooks"
TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


class NotebookOperator(PapermillOperator):
    """Executes a notebook of a runbook with the engine `ragonotebooks`, for which papermill's operator has no argument."""

    template_fields = (*PapermillOperator.template_fields, "folder")

    def __init__(self, *, notebook: Notebook, book: str, folder: str, **options: Any) -> None:
        """`book` is the runbook's name or path, `folder` that of the run."""
        task = notebook.key.replace("/", "-")
        super().__init__(
            task_id=task,
            input_nb=str(notebook.path.absolute()),
            output_nb=f"{folder}/outputs/{task}.ipynb",
            **options,
        )
        self.declared = [parameter.name for parameter in notebook.parameters]
        self.book = book
        self.folder = folder

    def execute(self, context: Any) -> str:
        """Have the notebook executed as a part of the run; return where papermill put its output."""
        given = dict(context["params"])
        self.parameters = {name: given[name] for name in self.declared}
        sandbox = os.environ.get("RAGONOTEBOOKS_SANDBOX", "default")
        one_by_one.begin(Path(self.folder), Record(self.book, "run", sandbox, given))
        Path(self.output_nb).parent.mkdir(exist_ok=True)
        # for this task alone: Airflow gives each a process of its own
        os.environ[one_by_one.FOLDER] = self.folder
        papermill_engines.register(None, papermill_engines.get_engine("ragonotebooks"))
        return str(super().execute(context).url)


def dag_of(name: str) -> DAG:
    """The DAG of a runbook, by its name or path; a DAG's run takes the runbook's parameters."""
    book = runbook.load(name)
    dag = DAG(
        f"ragonotebooks-{book.name}",
        description=book.title,
        doc_md=book.purpose,
        params={parameter.name: param_of(parameter) for parameter in book.parameters},
        schedule=None,
        max_active_runs=1,
        tags=["ragonotebooks", book.cloud],
    )
    folder = f"{RUNS}/{{{{ dag.dag_id }}}}/{{{{ run_id }}}}"
    with dag:
        chain(*(NotebookOperator(notebook=one, book=name, folder=folder) for one in book.notebooks))
    return dag


def param_of(parameter: Parameter) -> Param:
    """What Airflow's form asks for a parameter; the values that it takes, as JSON schema."""
    form = parameter.form
    schema: dict[str, Any] = {"type": TYPES[form.type]}
    if form.choices:
        schema["enum"] = list(form.choices)
    if form.bounds:
        schema |= dict(zip(("minimum", "maximum"), form.bounds, strict=True))
    if form.pattern:
        schema["pattern"] = f"^(?:{form.pattern})$"
    given = {} if parameter.default is None else {"default": parameter.default}
    return Param(**given, description=parameter.comment, **schema)


for each in runbook.names():
    dag_of(each)
