"""A run whose cells do all they can to have secrets saved: not a byte of any file holds one, at any time."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from ragonotebooks.catalog import notebook
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.errors import UsageError
from ragonotebooks.run import folder, report
from ragonotebooks.run.redaction import MARK
from ragonotebooks.run.request import Request
from ragonotebooks.run.results import Run
from ragonotebooks.run.runner import execute
from ragonotebooks.run.spellings import spellings
from tests.run.lessons import check, code, run, step, write

SECRET = "correct+horse/battery=staple & <more>"
PARAMETERS = code('from ragonotebooks import Secret\n\nkey: Secret = "env:SEEDED"  # the key', "parameters")
KNOW = code("from ragonotebooks import secret\nvalue = secret(key)", "look")

SURFACES = {
    "stdout": "print(value)",
    "stdout in pieces": "import sys\nfor sign in value:\n    print(sign, end='')\n    sys.stdout.flush()",
    "stderr": "import sys\nprint(value, file=sys.stderr)",
    "a program": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', f'print({value!r})'])",
    "a result": "{'key': [value]}",
    "base64": "import base64\nprint(base64.b64encode(b'user:' + value.encode()).decode())",
    "a URL": "from urllib.parse import quote\nprint('https://example.com/?key=' + quote(value, safe=''))",
    "HTML": "import html\nfrom IPython.display import HTML, display\ndisplay(HTML(f'<p>{html.escape(value)}</p>'))",
    "JSON": "from IPython.display import JSON, display\ndisplay(JSON({value: {'deep': [value]}}))",
    "metadata": "from IPython.display import display\ndisplay({'text/plain': 'x'}, raw=True, metadata={'note': value})",
    "an update": "from IPython.display import display\ndisplay(0, display_id='d')\ndisplay(value, display_id='d', update=True)",
    "a widget": "from comm import create_comm\nstate = {'_model_name': 'M', '_model_module': 'm', '_model_module_version': '1'}\n"
    "create_comm('jupyter.widget', data={'state': state | {'value': value}, 'buffer_paths': [['b']]}, "
    "buffers=[value.encode()], metadata={'version': '2.1.0'})",
    "a check": "from ragonotebooks import check\ncheck(f'the key is {value}', value, value)",
    "a check that is cut off": "from ragonotebooks import check\ncheck('it is long', 'x' * 130 + value, 'x' * 130 + value)",
    "a thread": "import threading\nthread = threading.Thread(target=print, args=[value])\nthread.start()\nthread.join()",
}  # fmt: skip
ENDS = {
    "an exception": "raise ValueError(f'not a good key: {value}')",
    "a failed check": "from ragonotebooks import check\ncheck('the key is known', value, 'other')",
    "last words": "import os\nos.write(2, value.encode())\nos.write(1, value.encode())\nos.abort()",
    "an end in the middle of a line": "import os, sys\nprint(value[:-1], end='')\nsys.stdout.flush()\nos.kill(os.getpid(), 9)",
}


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDED", SECRET)


@pytest.fixture(autouse=True)
def saved(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Everything that a run writes, at every time it does."""
    texts: list[str] = []
    original = folder.write

    def write_and_keep(path: Path, text: str) -> None:
        texts.append(text)
        original(path, text)

    monkeypatch.setattr(folder, "write", write_and_keep)
    yield texts
    assert not [text for text in texts if holds(text)]


def holds(text: str, secret: str = SECRET) -> bool:
    return any(one in text for one in spellings(secret.encode()))


def evidence(where: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in where.iterdir()}


def executed(tmp_path: Path, *cells: Any) -> tuple[Run, list[Any]]:
    """Run a notebook of these cells behind one that knows the secret, write its report, and look for the secret."""
    path = tmp_path / "aws" / "01-one.ipynb"
    path.parent.mkdir()
    flat = [PARAMETERS, *(one for cell in cells for one in (cell if isinstance(cell, list) else [cell]))]
    node = v4.new_notebook(cells=flat, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    nbformat.write(node, path)
    book = Runbook("book", "A book", "aws", "Why.", (notebook.read(path),))
    result, where = execute(Request(book, "run", book.bind({}), "testing", str(path), tmp_path / "out"))
    report.write(result, where)
    assert [name for name, text in evidence(where).items() if holds(text)] == []
    return result, nbformat.read(where / "01-aws-01-one.ipynb", as_version=4).cells


def test_no_surface_shows_a_secret(tmp_path: Path) -> None:
    result, cells = executed(tmp_path, *step(1, KNOW, *(code(source, "look") for source in SURFACES.values())))
    assert result.status == "passed", [failure for _, one in result.steps for failure in one.failures]
    shown = dict(zip(SURFACES, [cell.outputs for cell in cells[-len(SURFACES) :]], strict=True))
    silent = [name for name, outputs in shown.items() if MARK not in str(outputs)]
    assert silent == ["a widget"]


@pytest.mark.parametrize("source", ENDS.values(), ids=ENDS)
def test_no_end_shows_a_secret(tmp_path: Path, source: str) -> None:
    result, _ = executed(tmp_path, *step(1, KNOW, code(source, "look")))
    assert result.status == "failed"
    assert MARK in str([failure for _, one in result.steps for failure in one.failures]) or "kill" in source


def test_what_is_known_late_is_taken_out_of_what_was_saved_before(tmp_path: Path, saved: list[str]) -> None:
    early = write(
        tmp_path / "aws" / "01-one.ipynb", *step(1, check("check('swordfish-late', 1, 1)\nprint('swordfish-late')"))
    )
    late = "from ragonotebooks import hush\nword = hush('swordfish' + '-late')"
    result, where = run(early, write(tmp_path / "aws" / "02-two.ipynb", *step(1, code(late, "look"))))
    assert "swordfish-late" in "".join(saved)
    assert [name for name, text in evidence(where).items() if holds(text, "swordfish-late")] == []
    assert not holds(str(result), "swordfish-late")


CLIENTS = {
    "botocore": """\
import boto3
from botocore.stub import Stubber
client = boto3.client("secretsmanager", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
stub = Stubber(client)
stub.add_response("get_random_password", {"RandomPassword": "-".join(["made", "by", "google"])})
stub.activate()
client.get_random_password()["RandomPassword"]""",
    "google": """\
from google.api_core.gapic_v1 import method
from google.cloud.secretmanager_v1 import AccessSecretVersionResponse
answer = AccessSecretVersionResponse(payload={"data": "-".join(["made", "by", "token"]).encode()})
method.wrap_method(lambda request, **rest: answer)({}).payload.data""",
    "credentials of google": """\
from google.oauth2.credentials import Credentials
headers = {}
Credentials("-".join(["made", "by", "aws"])).apply(headers)
headers""",
    "the module secrets": "import secrets\nsecrets.token_urlsafe(16)",
    "environment": "import os\nos.environ['SOME_TOKEN']",
}


def test_what_clients_fetch_is_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "made-by-env")
    result, cells = executed(tmp_path, *step(1, *(code(source, "look") for source in CLIENTS.values())))
    assert [failure for _, one in result.steps for failure in one.failures] == []
    shown = dict(zip(CLIENTS, [str(cell.outputs) for cell in cells[-len(CLIENTS) :]], strict=True))
    assert [name for name, outputs in shown.items() if MARK not in outputs or "made-by" in outputs] == []


def test_a_value_in_place_of_a_reference_stops_papermill_before_anything_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-one.ipynb", *step(1, check()))
    node = nbformat.read(path, as_version=4)
    node.cells[1] = PARAMETERS
    nbformat.write(node, path)
    words = [sys.executable, "-m", "papermill", "--engine", "ragonotebooks", str(path), str(tmp_path / "out.ipynb")]
    done = subprocess.run([*words, "-p", "key", SECRET], capture_output=True, text=True, env=os.environ)
    assert done.returncode != 0
    assert "UsageError: parameter 'key' takes a reference to a secret" in done.stderr
    assert not holds(done.stdout + done.stderr)
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize("reference", ["correct-horse", "env:SEEDED_SHORT"])
def test_secret_takes_no_value_and_nothing_that_cannot_be_kept_out(
    monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    from ragonotebooks import secret

    monkeypatch.setenv("SEEDED_SHORT", "1234567")
    with pytest.raises(UsageError) as raised:
        secret(reference)
    assert "horse" not in str(raised.value)
    assert "1234567" not in str(raised.value)


def test_secret_reads_the_environment_and_files(tmp_path: Path) -> None:
    from ragonotebooks import secret

    (tmp_path / "key").write_text(f"{SECRET}\n", encoding="utf-8")
    assert secret("env:SEEDED") == secret(f"file:{tmp_path / 'key'}") == SECRET


def test_what_was_shown_before_the_run_is_not_kept_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "aws" / "01-one.ipynb", *step(1, check()))
    node = nbformat.read(path, as_version=4)
    node.cells[-1].outputs = [v4.new_output("stream", text="of another day")]
    nbformat.write(node, path)
    _, where = run(path)
    assert "of another day" not in evidence(where)["01-aws-01-one.ipynb"]
