"""The example DAG, executed by Airflow itself against a sandbox: `make airflow`. Skipped where Airflow is not installed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from ragonotebooks.catalog import project, runbook
from ragonotebooks.run import history, runner
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import Status
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.ledger import read_ledger
from ragonotebooks.sandbox.state import folder_of
from tests.run.lessons import check, code, events, step, text

pytest.importorskip("airflow", reason="Airflow has an environment of its own: make airflow")

NAME = "airflow-tests"
DAG_FILE = project.ROOT / "runbooks" / "elsewhere" / "airflow_dag.py"
SECRET = "kept-from-airflow-too"
PARAMETERS = """
from ragonotebooks import Secret, Target
target: Target = "sandbox"
copies: int = 1  # how many
account: str = ""  # whose
key: Secret = "env:AIRFLOW_TESTS_KEY"
"""
CONNECTED = [
    code(PARAMETERS, "parameters"),
    code('from ragonotebooks import check, connect, secret\nlab = connect("aws", target=target)'),
    code('import boto3\ns3 = boto3.client("s3")'),
]
GIVEN = {"copies": 3, "account": "123456789012"}
EXECUTE = """
import json, sys
from airflow.__main__ import main
from airflow.dag_processing.dagbag import DagBag
sys.argv, conf = ["airflow", "dags", "reserialize"], sys.argv[1]
main()
bag = DagBag()
run = bag.dags["ragonotebooks-book"].test(run_conf=json.loads(conf))
tasks = {one.task_id: [one.state, one.xcom_pull(task_ids=one.task_id)] for one in run.get_task_instances()}
print(json.dumps({"errors": bag.import_errors, "dags": sorted(bag.dags), "state": run.state, "run": run.run_id, "tasks": tasks}))
"""


def make(folder: Path) -> Path:
    """A runbook of two notebooks that makes a bucket and, unless it is asked for four copies, finds it."""
    bucket = code('s3.create_bucket(Bucket="made-by-airflow")', "change")
    kinds = check('check("values keep their types", (copies, account), (copies + 0, "123456789012"))')
    write(folder / "aws" / "01-make.ipynb", *step(1, code("print(secret(key))", "look"), bucket, kinds))
    names = code('names = [one["Name"] for one in s3.list_buckets()["Buckets"]]', "look")
    found = check('check("the bucket is found", "made-by-airflow" in names and copies < 4)')
    write(folder / "aws" / "02-find.ipynb", *step(1, names, found))
    notebooks = [str(folder / "aws" / name) for name in ("01-make.ipynb", "02-find.ipynb")]
    path = folder / "book.yaml"
    path.write_text(f"title: A book\ncloud: aws\npurpose: Why.\nnotebooks: {notebooks}\n")
    return path


def write(path: Path, *cells: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    node = v4.new_notebook(cells=[text(f"# {path.stem}\n\nWhy."), *CONNECTED, *cells], metadata=kernel)
    nbformat.write(node, path)


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a home of its own, which knows the DAGs of all runbooks and that of one more."""

    home: Path
    book: Path

    def run(self, given: dict[str, Any]) -> dict[str, Any]:
        """Run the DAG of that one: what came of it; its folder as `folder`, what Airflow logged as `log`."""
        done = self._python("-c", EXECUTE, json.dumps(given))
        assert done.returncode == 0, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        folder = self.home / "ragonotebooks" / "ragonotebooks-book" / told["run"]
        return told | {"folder": folder, "log": done.stdout + done.stderr}

    def migrate(self) -> None:
        (self.home / "dags").mkdir(parents=True)
        dag = f"import runpy  # airflow: a dag\nrunpy.run_path({str(DAG_FILE)!r})['dag_of']({str(self.book)!r})\n"
        (self.home / "dags" / "book.py").write_text(dag)
        done = self._python("-m", "airflow", "db", "migrate")
        assert done.returncode == 0, done.stdout + done.stderr

    def _python(self, *words: str) -> subprocess.CompletedProcess[str]:
        own = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW_TESTS_KEY": SECRET,
            "RAGONOTEBOOKS_SANDBOX": NAME,
        }
        return subprocess.run([sys.executable, *words], env=os.environ | own, capture_output=True, text=True)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("airflow")
    made = Airflow(folder / "home", make(folder))
    made.migrate()
    try:
        yield made
    finally:
        client.down(NAME)


@pytest.fixture(scope="module")
def passed(airflow: Airflow) -> dict[str, Any]:
    return airflow.run(GIVEN)


def test_every_runbook_has_a_dag(passed: dict[str, Any]) -> None:
    assert passed["errors"] == {}
    assert passed["dags"] == sorted(f"ragonotebooks-{name}" for name in ["book", *runbook.names()])


def test_every_notebook_is_a_task_that_hands_on_its_output(passed: dict[str, Any]) -> None:
    outputs = passed["folder"] / "outputs"
    assert passed["state"] == "success"
    assert passed["tasks"] == {
        name: ["success", str(outputs / f"{name}.ipynb")] for name in ("aws-01-make", "aws-02-find")
    }
    assert "✓ the bucket is found" in (outputs / "aws-02-find.ipynb").read_text(encoding="utf-8")


def test_it_is_the_run_that_ragonotebooks_run_makes(
    passed: dict[str, Any], airflow: Airflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_TESTS_KEY", SECRET)
    book = runbook.load(str(airflow.book))
    values = {one.name: one.default for one in book.parameters} | GIVEN
    _, run = runner.execute(Request(book, "run", values, NAME, str(airflow.book), tmp_path / "out"))
    assert told(passed["folder"]) == told(run)
    assert (passed["folder"] / "run.json").read_text() == (run / "run.json").read_text()


def test_the_sandbox_was_changed(passed: dict[str, Any]) -> None:
    calls = [(call.service, call.action) for call in read_ledger(folder_of(NAME), mutating_only=True)]
    assert calls.count(("s3", "CreateBucket")) >= 1


def test_airflow_saves_no_secret(passed: dict[str, Any], airflow: Airflow) -> None:
    files = [path for path in airflow.home.rglob("*") if path.is_file()]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in passed["log"]


def test_a_check_that_does_not_hold_fails_its_task_and_the_run(airflow: Airflow) -> None:
    failed = airflow.run(GIVEN | {"copies": 4})
    assert (failed["state"], failed["tasks"]["aws-02-find"][0]) == ("failed", "failed")
    run = history.read(failed["folder"])
    assert (run.status, [one.status for one in run.notebooks]) == (Status.FAILED, [Status.PASSED, Status.FAILED])


def told(folder: Path) -> list[dict[str, Any]]:
    """The events of a run without what differs from one run to the next."""
    varying = {"time", "seconds", "cell", "process"}
    return [{name: said for name, said in event.items() if name not in varying} for event in events(folder)]
