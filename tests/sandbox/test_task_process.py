"""Programs of images as processes: what runs, what it sees, and that nothing of it is left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragonotebooks.sandbox.callers import Callers
from ragonotebooks.sandbox.parts.inside import VARIABLE
from ragonotebooks.sandbox.parts.task import CannotStart, TaskProcess, Unpacked, bare_python, program_of
from ragonotebooks.sandbox.watcher import Watcher, descendants

Run = Callable[..., TaskProcess]


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    yield watcher
    watcher.finish()


@pytest.fixture
def image(tmp_path: Path) -> Unpacked:
    root = tmp_path / "image"
    (root / "app" / "site-packages").mkdir(parents=True)
    (root / "app" / "site-packages" / "only_in_the_image.py").write_text("VALUE = 42\n")
    (root / "app" / "hello.py").write_text("print('hello')\n")
    settings = {
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONPATH=/app:/app/site-packages"],
        "Entrypoint": ["python"],
        "Cmd": ["-m", "hello"],
        "WorkingDir": "/app",
    }
    return Unpacked(root, settings)


@pytest.fixture
def run(tmp_path: Path, image: Unpacked, watcher: Watcher) -> Run:
    def start(*command: str, **variables: str) -> TaskProcess:
        program = program_of(image, bare_python(tmp_path), variables, command=command)
        return TaskProcess(program, "a task", Callers(), watcher, wants_output=True)

    return start


def output_of(process: TaskProcess) -> str:
    assert process.output is not None
    text = process.output.read().decode()
    process.output.close()
    return text


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert happened()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_image_says_what_runs(run: Run) -> None:
    process = run()
    assert output_of(process) == "hello\n"
    assert process.wait() == 0


def test_the_program_finds_the_packages_of_its_image_alone(run: Run) -> None:
    code = "import only_in_the_image as o, importlib.util as u; print(o.VALUE, u.find_spec('papermill'))"
    assert output_of(run("-c", code)) == "42 None\n"


def test_programs_that_it_starts_find_no_others_either(run: Run) -> None:
    inner = "import importlib.util as u; print(u.find_spec('papermill'))"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    assert output_of(run("-c", code)) == "None\n"


def test_the_environment_is_the_images_and_what_was_given(
    run: Run, image: Unpacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEFT_OVER", "of whoever started it")
    seen = json.loads(output_of(run("-c", "import json, os; print(json.dumps(dict(os.environ)))", GIVEN="yes")))
    assert seen["GIVEN"] == "yes"
    assert seen["PYTHONPATH"] == f"{image.root}/app:{image.root}/app/site-packages"
    assert set(seen) - {"LC_CTYPE"} == {"GIVEN", "PYTHONPATH", "PATH"}


def test_it_listens_at_its_own_address_where_another_holds_the_port(run: Run) -> None:
    code = (
        "import socket; here = socket.create_server(('', 8000)); "
        "print(here.getsockname()[0], socket.create_connection(('localhost', 8000)).getpeername()[0], flush=True); "
        "import time; time.sleep(5)"
    )
    one, two = (run("-c", code, **{VARIABLE: f"127.200.0.{number}"}) for number in (1, 2))
    lines = []
    for process in (one, two):
        assert process.output is not None
        lines.append(process.output.readline().decode().split())
        process.kill()
        process.wait()
    assert lines == [["127.200.0.1"] * 2, ["127.200.0.2"] * 2]


def test_it_starts_in_the_images_working_directory(run: Run, image: Unpacked) -> None:
    assert output_of(run("-c", "import os; print(os.getcwd())")) == f"{image.root}/app\n"


@pytest.mark.parametrize(
    ("given", "rebased"),
    [
        ("/app/hello.py", "{root}/app/hello.py"),
        ("/app:/nowhere:/app/site-packages", "{root}/app:/nowhere:{root}/app/site-packages"),
        ("s3://app/hello.py", "s3://app/hello.py"),
        ("/", "/"),
        ("app", "app"),
    ],
)
def test_paths_that_exist_in_the_image_are_rebased(image: Unpacked, given: str, rebased: str) -> None:
    assert image.rebase(given) == rebased.format(root=image.root)


def test_another_entry_point_empties_the_command(image: Unpacked, tmp_path: Path) -> None:
    assert program_of(image, bare_python(tmp_path), {}, entrypoint=["sh"]).arguments[1:] == []


def test_a_program_that_is_not_there_is_named(image: Unpacked, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match='exec: "indexer": executable file not found'):
        program_of(image, bare_python(tmp_path), {}, entrypoint=["indexer"])
    with pytest.raises(CannotStart, match='exec: "/app/indexer": no such file'):
        program_of(image, bare_python(tmp_path), {}, entrypoint=["/app/indexer"])


def test_a_program_that_the_system_refuses_is_reported(image: Unpacked, tmp_path: Path, watcher: Watcher) -> None:
    file = image.root / "app" / "broken"
    file.write_bytes(b"\x00\x01")
    file.chmod(0o755)
    program = program_of(image, bare_python(tmp_path), {}, entrypoint=["/app/broken"])
    with pytest.raises(CannotStart, match="exec format error"):
        TaskProcess(program, "a task", Callers(), watcher, wants_output=False)


def test_exit_codes_are_those_of_the_program(run: Run) -> None:
    assert run("-c", "raise SystemExit(3)").wait() == 3
    assert run("-c", "import os; os.kill(os.getpid(), 9)").wait() == 137


def test_it_is_asked_to_end_and_may_say_goodbye(run: Run) -> None:
    code = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('up', flush=True); time.sleep(60)"
    )
    process = run("-c", code)
    assert process.output is not None
    process.output.readline()
    process.terminate()
    assert process.wait(20) == 7


def test_one_that_does_not_listen_is_killed(run: Run) -> None:
    process = run(
        "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    assert process.output is not None
    process.output.readline()
    process.terminate()
    assert process.wait(0.2) is None
    process.kill()
    assert process.wait(20) == 137


def test_nothing_that_it_left_behind_lives_on(run: Run) -> None:
    daemon = (
        "import os; os.setsid(); os.fork() and os._exit(0); print(os.getpid(), flush=True); import time; time.sleep(60)"
    )
    process = run("-c", f"import os, time\nif os.fork() == 0:\n    exec({daemon!r})\ntime.sleep(0.3)")
    pid = int(output_of(process))
    assert process.wait() == 0
    assert not is_alive(pid)


def test_it_dies_with_its_shim(run: Run) -> None:
    process = run("-c", "import time; time.sleep(60)")
    (program,) = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(20) == 137
    wait_until(lambda: not is_alive(program))


def test_it_dies_with_whoever_started_it(tmp_path: Path, image: Unpacked) -> None:
    script = f"""
import time
from pathlib import Path
from ragonotebooks.sandbox.callers import Callers
from ragonotebooks.sandbox.parts.task import TaskProcess, Unpacked, bare_python, program_of
from ragonotebooks.sandbox.watcher import Watcher
image = Unpacked(Path({str(image.root)!r}), {image.settings!r})
program = program_of(image, bare_python(Path({str(tmp_path)!r})), {{}}, command=["-c", "import time; time.sleep(60)"])
print(TaskProcess(program, "a task", Callers(), Watcher(), wants_output=False).pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        shim = int(starter.stdout.readline())
        (program,) = descendants(shim)
        starter.kill()
    wait_until(lambda: not is_alive(shim) and not is_alive(program))


def test_callers_know_it_from_its_first_moment(tmp_path: Path, image: Unpacked, watcher: Watcher) -> None:
    known: list[int] = []

    class Noting(Callers):
        def add(self, pid: int, task: str) -> None:
            assert not descendants(pid)
            known.append(pid)
            super().add(pid, task)

    program = program_of(image, bare_python(tmp_path), {})
    process = TaskProcess(program, "a task", Noting(), watcher, wants_output=False)
    assert process.wait() == 0
    assert known == [process.pid]
