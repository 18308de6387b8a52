"""Bad input as a person types it: exit code 2, one sentence with the fix, no traceback, nothing written."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragonotebooks import cli
from ragonotebooks.catalog import project, runbook
from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.parts import postgres
from tests.run.lessons import check, code, step, write

Refused = Callable[..., str]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person's shell in an empty folder, who has no sandbox; the folder that sandboxes would go to."""
    for variable in ("RAGONOTEBOOKS_SANDBOX", "RAGONOTEBOOKS_RUN", "RAGONOTEBOOKS_ACCOUNT"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with tempfile.TemporaryDirectory(prefix="rn-") as sandboxes:
        monkeypatch.setattr(tempfile, "tempdir", sandboxes)
        yield Path(sandboxes)


@pytest.fixture
def refused(
    shell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """The one sentence with which `ragonotebooks` refuses these words; nothing is written, no sandbox is started."""

    def files() -> list[Path]:
        return sorted([*tmp_path.rglob("*"), *shell.rglob("*")])

    def run(*words: str) -> str:
        before = files()
        monkeypatch.setattr(sys, "argv", ["ragonotebooks", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        assert (end.value.code, printed.out) == (2, ""), printed.err
        assert printed.err.startswith("ragonotebooks: ")
        assert printed.err.count("\n") == 1, printed.err
        assert files() == before
        return printed.err.removeprefix("ragonotebooks: ").rstrip("\n")

    return run


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run"], "Missing argument 'RUNBOOK'; see: ragonotebooks run --help"),
        (["run", "deploy-aws", "--outt", "x"], "No such option: --outt (Possible options: --account, --out); see: "),
        (["run", "deploy-aws", "twice"], "Got unexpected extra argument(s) (twice); see: ragonotebooks run --help"),
        (["run", "deploy-aws", "-p"], "Option '-p' requires an argument; see: ragonotebooks --help"),
        (["verfy"], "No such command 'verfy'. Did you mean 'verify'?; see: ragonotebooks --help"),
        (["sandbox", "start"], "No such command 'start'"),
        (["cleanup", "--target", "moon"], "'moon' is not one of 'sandbox', 'cloud'"),
        (["run", "deploy-awz"], "there is no runbook or notebook 'deploy-awz'; did you mean 'deploy-aws'?"),
        (["verify", "aws/02-storag"], "there is no runbook or notebook 'aws/02-storag'; did you mean 'aws/02-storage'?"),
        (["show", "deploy-aw"], "there is no runbook or notebook 'deploy-aw'; did you mean 'deploy-aws'?"),
        (["rehearse", "roll-back", "--after", "deploy-awz"], "no runbook or notebook 'deploy-awz'; did you mean 'deploy-aws'?"),
        (["run", "deploy-aws", "-p", "regoin=us-east-1"], "has no parameter 'regoin'; did you mean 'region'?"),
        (["run", "deploy-aws", "-p", "region"], "'-p region' is not of the form name=value; write -p region=VALUE"),
        (["run", "deploy-aws", "-p", "region=us-eats-1"], "region 'us-eats-1' does not exist on AWS; did you mean 'us-east-1'?"),
        (["run", "deploy-aws", "-p", "target=clud"], "'target' is 'clud' but must be sandbox or cloud; did you mean 'cloud'?"),
        (["run", "deploy-aws", "-p", "name=My Papers"], "'name' is 'My Papers' but must be up to 32 lower-case letters"),
        (["run", "deploy-aws", "-p", "corpus=nowhere"], "'nowhere' is not a folder; give a folder of papers with -p corpus=DIR"),
        (["run", "deploy-aws", "--name", "Not/Good"], "the sandbox name 'Not/Good' cannot be used; take 1 to 32 lower-case"),
        (["cleanup", "--name", "Not/Good"], "the sandbox name 'Not/Good' cannot be used"),
        (["cleanup", "--region", "us-eats-1"], "did you mean 'us-east-1'?"),
        (["verify", "deploy-aws", "--name", "never"], "bring it up with: ragonotebooks run deploy-aws --name never"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_sentence(refused: Refused, words: list[str], sentence: str) -> None:
    assert sentence in refused(*words)


def test_a_value_of_the_wrong_type(refused: Refused, tmp_path: Path) -> None:
    lesson = write(tmp_path / "aws" / "01-door.ipynb", *step(1, check()))
    assert refused("run", str(lesson), "-p", "count=many") == (
        "parameter 'count' is 'many' but must be a whole number; for example -p count=1"
    )


def test_a_file_that_is_no_notebook(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "draft.ipynb").write_text("{}", encoding="utf-8")
    assert "draft.ipynb is not a Jupyter notebook" in refused("run", str(tmp_path / "draft.ipynb"))


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds no paper; put .json, .pdf, .txt, .md files into it"),
        ({"notes.docx": b"PK"}, "holds no paper"),
        ({"good.txt": b"Wages.", "cut.pdf": b"%PDF-1.7\nand then nothing"}, "cut.pdf cannot be read (no readable PDF"),
        ({"latin.txt": b"caf\xe9"}, "latin.txt cannot be read"),
    ],
    ids=["empty", "no paper", "broken PDF", "no UTF-8"],
)
def test_a_corpus_that_cannot_be_used(refused: Refused, tmp_path: Path, files: dict[str, bytes], sentence: str) -> None:
    (tmp_path / "corpus").mkdir()
    for name, content in files.items():
        (tmp_path / "corpus" / name).write_bytes(content)
    assert sentence in refused("run", "deploy-aws", "-p", f"corpus={tmp_path / 'corpus'}")


def test_a_run_folder_that_holds_something(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "here" / "kept.txt").write_text("mine", encoding="utf-8")
    assert "is not empty; give a new or an empty one with --out" in refused("run", "deploy-aws", "--out", ".")


def test_a_run_folder_that_is_a_file(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "here" / "taken").write_text("mine", encoding="utf-8")
    for out in ("taken", "taken/below"):
        sentence = refused("run", "deploy-aws", "--out", out)
        assert sentence.startswith("the run folder ")
        assert sentence.endswith("; give another one with --out")


WORDS = [["run", "deploy-aws"], ["verify", "deploy-aws"], ["cleanup"]]
WORDS += [["sandbox", verb] for verb in ("up", "down", "status", "env", "logs", "ledger")]


@pytest.mark.parametrize("words", [*WORDS, ["sandbox", "status", "--all"]], ids=" ".join)
def test_a_folder_of_sandboxes_that_cannot_be_used(refused: Refused, shell: Path, words: list[str]) -> None:
    folder = shell / f"ragonotebooks-{os.getuid()}"
    folder.write_text("in the way", encoding="utf-8")
    sentence = refused(*words)
    assert sentence.startswith(f"the folder {folder} cannot be used (")
    assert sentence.endswith("set TMPDIR to a folder that you can write to")


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_a_folder_whose_path_is_too_long_for_sockets(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("deep" * 20)))
    assert refused(*words).endswith("set TMPDIR to a shorter one, such as /tmp")


DIES = """\
import os, signal
from ragonotebooks.sandbox import client
os.kill(client.find(os.environ["RAGONOTEBOOKS_SANDBOX"]).pid, signal.SIGKILL)
"""
CALLS = """\
import boto3
from botocore.config import Config
boto3.client("s3", config=Config(retries={"total_max_attempts": 1})).list_buckets()
"""


def ragonotebooks(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a process of its own."""
    program = [sys.executable, "-m", "ragonotebooks", *words]
    environment = {**os.environ, "PYTHONPATH": str(project.ROOT)}
    return subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_sandbox_that_dies_during_a_run_is_named_as_the_cause(tmp_path: Path) -> None:
    name = f"test-{secrets.token_hex(4)}"
    connects = code("from ragonotebooks import connect\nlab = connect('aws', target=target)", "look")
    lesson = write(tmp_path / "aws" / "01-door.ipynb", *step(1, connects, code(DIES, "change"), code(CALLS, "look")))
    try:
        done = ragonotebooks(tmp_path, "run", str(lesson), "--name", name, "--out", "out")
        assert done.returncode == 1, done.stdout
        assert "✗ aws/01-door · 1 · A step" in done.stdout
        assert done.stderr.startswith(f"ragonotebooks: the sandbox {name} died, its process ")
        assert done.stderr.endswith(f"start it anew with: ragonotebooks sandbox up --name {name}\n")
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stdout
        assert (tmp_path / "out" / "report.html").is_file()
        status = ragonotebooks(tmp_path, "sandbox", "status", "--name", name)
        assert (status.returncode, status.stderr) == (1, done.stderr)
    finally:
        client.down(name)


def test_control_c_before_the_run_starts_ends_with_130_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runbook, "load", interrupted)
    monkeypatch.setattr(sys, "argv", ["ragonotebooks", "run", "deploy-aws"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_without_words_the_help_is_shown(tmp_path: Path) -> None:
    done = ragonotebooks(tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    assert "cleanup" in done.stdout


def test_make_refuses_an_old_python(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    pretence = "import sys; sys.version_info = (3, 10, 13, 'final', 0); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretence}" "$2"\n', encoding="utf-8")
    old.chmod(0o755)
    (tmp_path / "checkout").mkdir()
    words = ["make", "-s", "-f", str(project.ROOT / "Makefile"), "-C", str(tmp_path / "checkout"), f"PYTHON={old}"]
    done = subprocess.run([*words, ".venv/bin/python"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "ragonotebooks needs Python 3.11, 3.12 or 3.13; install one, or name it: make PYTHON="
    )
    assert list((tmp_path / "checkout").iterdir()) == []


@pytest.fixture
def no_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A platform that the wheel with Postgres does not exist for, with a system that has nothing yet; its root."""
    monkeypatch.setattr(postgres, "_bundled", lambda: None)
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path / "usr/lib/postgresql")
    monkeypatch.setenv("PATH", str(tmp_path / "usr/bin"))
    return tmp_path


def install_on_the_system(root: Path, vector: bool) -> None:
    """What Debian's packages put where: a server, its libraries, its shared files."""
    version = root / "usr/lib/postgresql/17"
    share = root / "usr/share/postgresql/17"
    for folder in (version / "bin", version / "lib", share / "extension"):
        folder.mkdir(parents=True)
    for program in ("postgres", "initdb", "psql"):
        (version / "bin" / program).write_text(program, encoding="utf-8")
    answers = f"--bindir) echo {version}/bin;; --pkglibdir) echo {version}/lib;; --sharedir) echo {share};;"
    config = version / "bin" / "pg_config"
    config.write_text(f"#!/bin/sh\ncase $1 in {answers} *) echo PostgreSQL 17.6;; esac\n", encoding="utf-8")
    config.chmod(0o755)
    if vector:
        (share / "extension" / "vector.control").write_text("relocatable = true\n", encoding="utf-8")


def test_without_a_wheel_the_systems_postgres_is_used(no_wheel: Path) -> None:
    install_on_the_system(no_wheel, vector=True)
    installed = postgres.install(no_wheel / "sandbox")
    assert installed.version == "17.6"
    assert installed.bin.is_relative_to(no_wheel / "sandbox")
    assert sorted(program.name for program in installed.bin.iterdir()) == ["initdb", "postgres"]
    (control,) = (no_wheel / "sandbox").rglob("vector.control")
    assert control.read_text(encoding="utf-8") == "relocatable = true\ntrusted = true\n"


def test_clients_of_postgres_alone_are_no_server(no_wheel: Path) -> None:
    install_on_the_system(no_wheel, vector=True)
    (no_wheel / "usr/lib/postgresql/17/bin/postgres").unlink()
    with pytest.raises(
        RagonotebooksError, match=r"^no Postgres was found for this platform; install Postgres with pgv"
    ):
        postgres.install(no_wheel / "sandbox")
    assert not (no_wheel / "sandbox").exists()


def test_a_systems_postgres_without_pgvector_says_what_to_install(no_wheel: Path) -> None:
    install_on_the_system(no_wheel, vector=False)
    with pytest.raises(RagonotebooksError, match=r"/usr/lib/postgresql/17/bin has no pgvector; install it \(Debian 13"):
        postgres.install(no_wheel / "sandbox")
    assert not (no_wheel / "sandbox").exists()
