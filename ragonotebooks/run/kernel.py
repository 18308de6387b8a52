"""Kernels for headless runs: reached over unix sockets, started ahead of need, and never left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

from ragonotebooks.run.confiding import Ear, LastWords
from ragonotebooks.run.redaction import Redactor

_LONGEST_SOCKET_PATH = 107 if sys.platform == "linux" else 103  # bytes of sun_path, less the closing zero
_SOCKET = "k"
_WATCHING = "--IPKernelApp.exec_lines=__import__('ragonotebooks.lesson.watch', fromlist=['watch']).watch()"
_LAST_LINES = 5
_LEAVE = 1.0  # seconds that kernels have for ending when asked to


class IpcKernelManager(AsyncKernelManager):
    """One kernel in a folder of its own, which holds its sockets and connection file and goes when it ends.

    `python3` is always the interpreter that runs this process: a kernelspec of that name elsewhere on the machine may
    be another Python without this package.
    """

    def __init__(self, **traits: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kernel-", dir=_short_tempdir()))
        sockets, connection = str(self.folder / _SOCKET), str(self.folder / "connection.json")
        # A kernel now and then ignores a polite request to end: half of this time is what it gets before SIGTERM.
        super().__init__(transport="ipc", ip=sockets, connection_file=connection, shutdown_wait_time=1.0, **traits)
        if self.ipykernel:
            self._kernel_spec = KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())
        self.last_words = LastWords(_LAST_LINES)

    @property
    def _process(self) -> subprocess.Popen[bytes] | None:
        return getattr(self.provisioner, "process", None)

    @property
    def runs(self) -> bool:
        """Whether its process has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, signum: int) -> None:
        """Send a signal to the kernel and its children now, if it has not ended. Safe in a signal handler."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signum)

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart=restart)
        shutil.rmtree(self.folder, ignore_errors=True)

    cleanup_resources = _async_cleanup_resources  # the base class pairs them this way

    def autopsy(self) -> str:
        """How the process ended and the last lines that it wrote, for a kernel that died by itself."""
        code = self._process.poll() if self._process is not None else None
        how = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        return "\n".join([how, *self.last_words.heard()])


def start(
    kernel_name: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    imports: Iterable[str] = (),
    inherited: Sequence[int] = (),
    secrets: Redactor | None = None,
) -> IpcKernelManager:
    """Start a kernel's process and return at once, while it boots.

    Args:
        kernel_name: The kernelspec's name, such as `python3`.
        cwd: Its working directory; this process's when None.
        env: Its whole environment; this process's when None.
        imports: Modules that it imports before its first cell, as an IPython kernel can.
        inherited: Open files that it keeps open, such as a lock's.
        secrets: Learns the secrets that it comes to know, if it is an IPython kernel.

    Raises:
        jupyter_client.kernelspec.NoSuchKernel: There is no kernelspec of that name.
    """
    manager, ear = IpcKernelManager(kernel_name=kernel_name), Ear((secrets or Redactor()).learn)
    try:
        # History is for people at a prompt; headless kernels would write to one shared file of the user.
        arguments = ["--HistoryManager.hist_file=:memory:", _WATCHING, *_importing(imports)]
        run_sync(manager.start_kernel)(
            extra_arguments=arguments if manager.ipykernel else [],
            cwd=str(cwd) if cwd else None,
            env={**(os.environ if env is None else env), **ear.variables},
            stdout=manager.last_words.inherited,
            stderr=manager.last_words.inherited,
            pass_fds=(*inherited, ear.inherited),
        )
    except BaseException:
        shutil.rmtree(manager.folder, ignore_errors=True)
        raise
    finally:
        ear.listen()
        manager.last_words.listen()
    return manager


def _importing(modules: Iterable[str]) -> list[str]:
    """Arguments that make a kernel import modules as it starts, without a name for them."""
    return [f"--IPKernelApp.exec_lines=__import__({module!r})" for module in modules]


def end(kernel: IpcKernelManager) -> None:
    """End the kernel and what it started at once; does nothing when it has ended in good order."""
    if kernel.has_kernel:
        run_sync(kernel.shutdown_kernel)(now=True)


class LeavingKernels:
    """Kernels that were asked to end: it takes them half a second, in which the next notebook can go on.

    Used as a context manager: with it they have ended, or are made to.
    """

    def __init__(self) -> None:
        self._leaving: list[IpcKernelManager] = []

    def add(self, kernel: IpcKernelManager) -> None:
        """Look after a kernel that was asked to end."""
        self._leaving.append(kernel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        limit = monotonic() + _LEAVE
        for kernel in self._leaving:
            while kernel.runs and monotonic() < limit:
                sleep(0.02)
            end(kernel)


class WarmKernel:
    """Keeps at most one kernel booting ahead of need, since a start takes longer than most notebooks' first cells.

    Used as a context manager: a kernel that nobody took ends with it.
    """

    def __init__(self, env: Mapping[str, str], inherited: Sequence[int] = (), secrets: Redactor | None = None) -> None:
        """The arguments are what `start` is given for every kernel."""
        self._env = env
        self._inherited = inherited
        self._secrets = secrets
        self._waiting: tuple[tuple[str, Path], IpcKernelManager] | None = None

    def warm(self, kernel_name: str, cwd: Path, imports: Iterable[str]) -> None:
        """Start a kernel for a later `take` of that name and folder; meanwhile it imports what its notebook will."""
        self._drop()
        # what keeps it from starting will keep the next `take` from it too, and is told there
        with suppress(OSError):
            self._waiting = (kernel_name, cwd), self._start(kernel_name, cwd, imports)

    def take(self, kernel_name: str, cwd: Path) -> IpcKernelManager:
        """The kernel that was warmed for these arguments, or a new one; it belongs to the caller now."""
        if self._waiting and self._waiting[0] == (kernel_name, cwd):
            kernel, self._waiting = self._waiting[1], None
            return kernel
        return self._start(kernel_name, cwd)

    def _start(self, kernel_name: str, cwd: Path, imports: Iterable[str] = ()) -> IpcKernelManager:
        return start(kernel_name, cwd, self._env, imports, self._inherited, self._secrets)

    def _drop(self) -> None:
        if self._waiting:
            end(self._waiting[1])
            self._waiting = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._drop()


def _short_tempdir() -> str:
    """A folder for temporary files whose paths leave room for a socket's name."""
    longest = len(os.fsencode(tempfile.gettempdir())) + len(f"/kernel-12345678/{_SOCKET}-5")
    return tempfile.gettempdir() if longest <= _LONGEST_SOCKET_PATH else "/tmp"
