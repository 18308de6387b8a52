"""Programs of images as processes: the part behind ECS tasks, and whatever else runs an image.

An image is a folder here, not a root file system: absolute paths that exist below it are rebased, and `python` is this machine's
interpreter with none of this machine's packages. What an image's program sees of the host besides is not hidden from it.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.images import Image, Layer, unpack_layers
from ragonotebooks.sandbox.callers import Callers
from ragonotebooks.sandbox.parts import inside, shim
from ragonotebooks.sandbox.watcher import Watcher, descendants

_PYTHON: Final = re.compile(r"python(3(\.\d+)?)?")
_LAST_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_making_python: Final = threading.Lock()


class CannotStart(RagonotebooksError):  # noqa: N818 - reads as the fact that it states
    """The image holds no such program, or the system refuses to run it."""


@dataclass(frozen=True)
class Unpacked:
    """An image that lies in a folder.

    Attributes:
        root: What is `/` in the image.
        settings: The `config` of its configuration: `Env`, `Entrypoint`, `Cmd`, `WorkingDir`.
        mounts: What lies elsewhere: folders of the image, absolute, and where they are.
    """

    root: Path
    settings: Mapping[str, Any]
    mounts: Mapping[str, Path] = field(default_factory=dict)

    def rebase(self, value: str) -> str:
        """Return `value`, a path or a list of paths with colons, with those that exist in the image pointing to it."""
        return ":".join(self._rebase_one(part) for part in value.split(":"))

    def place(self, path: str) -> Path:
        """Where a folder of the image is, whether it exists or not."""
        return Path(self._mounted(path) or self.root / path.lstrip("/"))

    def _rebase_one(self, path: str) -> str:
        # "/" alone is more often a word than a place, and what begins with "//" is the rest of a URL
        if not re.match(r"/[^/]", path):
            return path
        if mounted := self._mounted(path):
            return mounted
        inside = self.root / path[1:]
        return str(inside) if os.path.lexists(inside) else path

    def _mounted(self, path: str) -> str | None:
        for mount, folder in self.mounts.items():
            if path == mount or path.startswith(f"{mount}/"):
                return f"{folder}{path[len(mount) :]}"
        return None


class ImageStore:
    """Images by digest, each unpacked once.

    Images that begin with the same layers share the files of these: whatever writes into one of them, instead of replacing
    it, writes into all. What Python compiled of shared files for one image serves the next, which is half of a task's start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unpacked: dict[str, Unpacked] = {}
        self._layers: dict[Path, frozenset[str]] = {}
        self._lock = threading.Lock()
        self._busy: dict[Path, threading.Lock] = {}

    def find(self, digest: str) -> Unpacked | None:
        """Return the image with this digest when it is here."""
        return self._unpacked.get(digest)

    def add(self, digest: str, image: Image) -> Unpacked:
        """Unpack an image unless it is here; two at once get the same.

        Raises:
            RagonotebooksError: A layer cannot be read.
        """
        root = self._folder / _short(digest)
        is_new = not root.exists()
        self._unpack(image.layers, root)
        if is_new:
            self._inherit(root, frozenset(layer.digest for layer in image.layers))
        return self._unpacked.setdefault(digest, Unpacked(root, image.config.get("config") or {}))

    def _inherit(self, root: Path, layers: frozenset[str]) -> None:
        """Take over what was compiled for the image that shares most layers, which took over from others before."""
        known = list(self._layers.items())
        if known:
            nearest, _ = max(known, key=lambda one: len(one[1] & layers))
            _share_bytecode(nearest, root)
        self._layers[root] = layers

    def _unpack(self, layers: Sequence[Layer], folder: Path) -> None:
        """Unpack layers into a folder unless they are there."""
        with self._lock:
            busy = self._busy.setdefault(folder, threading.Lock())
        with busy:
            if not folder.exists():
                unpack_layers(layers[-1:], folder, self._below(layers[:-1]))

    def _below(self, layers: Sequence[Layer]) -> Path | None:
        """Where layers lie that others come upon. No task runs there, so nothing but the layers is in it."""
        if not layers:
            return None
        chain = hashlib.sha256("".join(layer.digest for layer in layers).encode()).hexdigest()
        folder = self._folder / "layers" / _short(chain)
        self._unpack(layers, folder)
        return folder


def _share_bytecode(source: Path, target: Path) -> None:
    """Link what Python compiled in one image's folder into another's, for modules that are the same file in both."""
    for compiled in source.rglob("__pycache__/*.pyc"):
        place = compiled.relative_to(source)
        module = place.parent.parent / f"{compiled.name.partition('.')[0]}.py"
        link = target / place
        if (target / module).exists() and (target / module).samefile(source / module):
            link.parent.mkdir(exist_ok=True)
            with suppress(FileExistsError):  # a task runs there already, and has compiled it itself
                link.hardlink_to(compiled)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:24]


def bare_python(folder: Path) -> Path:
    """Make an environment of this interpreter without any package, once, and return the folder of its `python`.

    Its programs listen where `inside` says. Those that a task starts with `sys.executable` find no other packages either, which
    options of a command line would not do.
    """
    target = folder / "python"
    with _making_python:
        if not target.exists():
            draft = folder / ".python"
            _make_python(draft)
            draft.rename(target)
    return target / "bin"


def _make_python(folder: Path) -> None:
    home = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "sitecustomize.py").symlink_to(inside.__file__)
    (folder / "bin").mkdir()
    for name in ("python", "python3", version):
        (folder / "bin" / name).symlink_to(home)
    (folder / "pyvenv.cfg").write_text(f"home = {home.parent}\ninclude-system-site-packages = false\n")


@dataclass(frozen=True)
class Program:
    """What shall run.

    Attributes:
        arguments: The command line; the first word is an absolute path.
        environment: All variables.
        folder: The working directory.
    """

    arguments: list[str]
    environment: dict[str, str]
    folder: Path


def program_of(
    image: Unpacked,
    python: Path,
    environment: Mapping[str, str],
    entrypoint: Sequence[str] | None = None,
    command: Sequence[str] | None = None,
    folder: str | None = None,
) -> Program:
    """Return how the program of an image is run.

    Args:
        image: Where it lies.
        python: The folder of the interpreter, from `bare_python`.
        environment: Added to the image's own.
        entrypoint: Replaces the image's, and empties its command.
        command: Replaces the image's command.
        folder: Replaces the image's working directory.

    Raises:
        CannotStart: There is no program of that name.
    """
    words = _words(image.settings, entrypoint, command)
    if not words:
        raise CannotStart("no command specified")
    variables = dict(line.split("=", 1) for line in image.settings.get("Env") or []) | dict(environment)
    variables = {name: image.rebase(value) for name, value in variables.items()}
    variables["PATH"] = f"{python}:{variables.get('PATH', _LAST_PATH)}"
    place = image.place(folder or image.settings.get("WorkingDir") or "/")
    place.mkdir(parents=True, exist_ok=True)
    name = Path(words[0]).name
    found = shutil.which(name if _PYTHON.fullmatch(name) else _file(image, place, words[0]), path=variables["PATH"])
    if found is None:
        where = "no such file or directory" if "/" in words[0] else "executable file not found in $PATH"
        raise CannotStart(f'exec: "{words[0]}": {where}')
    return Program([found, *(image.rebase(word) for word in words[1:])], variables, place)


def _file(image: Unpacked, place: Path, name: str) -> str:
    """Return a program's name for the search: one with a folder is not looked for on the PATH."""
    return str(place / image.rebase(name)) if "/" in name else name


def _words(settings: Mapping[str, Any], entrypoint: Sequence[str] | None, command: Sequence[str] | None) -> list[str]:
    """Combine what the image says with what replaces it, as Docker does."""
    if entrypoint:
        return [*entrypoint, *(command or [])]
    return [*(settings.get("Entrypoint") or []), *(command or settings.get("Cmd") or [])]


class TaskProcess:
    """A running program below its shim.

    Attributes:
        pid: The shim's process id; everything of the program is below it.
        output: What the program writes, standard output and error in one unless they are apart; None when nobody asked
            for it. Whoever asked reads to its end.
        errors: Standard error where it is apart.
    """

    def __init__(
        self,
        program: Program,
        name: str | None,
        callers: Callers,
        watcher: Watcher,
        *,
        wants_output: bool,
        errors_apart: bool = False,
    ) -> None:
        """Start the program and return when it runs, known to `callers` as `name` from its first moment; without a name it is
        outside of every network.

        Raises:
            CannotStart: The system refuses to run it.
        """
        self._callers, self._watcher = callers, watcher
        reading, writing = os.pipe()
        with os.fdopen(reading) as report:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", shim.__file__, str(writing), *program.arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if wants_output else subprocess.DEVNULL,
                    stderr=subprocess.PIPE if errors_apart else subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[writing],
                    cwd=program.folder,
                    env=program.environment,
                )
            finally:
                os.close(writing)
            self.pid = self._process.pid
            self.output, self.errors = self._process.stdout, self._process.stderr
            watcher.add(self.pid, "task")
            if name:
                callers.add(self.pid, name)
            cast(IO[bytes], self._process.stdin).close()
            if problem := report.read():
                self.wait()
                raise CannotStart(problem)

    def terminate(self) -> None:
        """Ask the program to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End the program and everything below it; the shim then ends by itself."""
        for pid in descendants(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for the end and return the exit code, 128 + the number of the signal that ended it; None when the time is over."""
        try:
            code = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        self._callers.remove(self.pid)
        self._watcher.remove(self.pid)
        return code if code >= 0 else 128 - code
