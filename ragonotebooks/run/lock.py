"""One run at a time changes a deployment. The lock is a file that the operating system locks: it opens with its holder's death."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote

from ragonotebooks.errors import UsageError

VARIABLE = "RAGONOTEBOOKS_LOCK"
"""Tells the kernels of a run, and the runs that they start for what they need, which lock is theirs."""

_LAST_CELL = 5.0
"""Seconds that the kernel of a killed run has to notice and end; until then it holds the lock."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The run that holds a lock, or that died with it: its runbook, process id, start as ISO 8601, and run folder."""

    runbook: str
    process: int
    since: str
    folder: str = ""

    def __str__(self) -> str:
        since = f"{datetime.fromisoformat(self.since):%d %B %Y, %H:%M:%S} UTC"
        return f"a run of {self.runbook} since {since} (process {self.process}, folder {self.folder or 'not made yet'})"


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that is held.

    file: its open file for kernels to inherit, so that a killed run's last cell still keeps others out; None when the
        run that started this one holds it.
    variables: the environment for kernels.
    by: this run.
    died: the run that died with the lock and that this one takes over from.
    """

    file: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    by: Holder | None = None
    died: Holder | None = None

    def tell(self, folder: Path) -> None:
        """Let those who find the lock held know the run's folder."""
        if self.file is not None and self.by:
            _write(self.file, json.dumps(asdict(replace(self.by, folder=str(folder)))))


@contextmanager
def hold(deployment: str, runbook: str) -> Iterator[Held]:
    """Hold the lock of a deployment inside the block.

    Args:
        deployment: Where it is and what it is called, in words, such as `ragonometrics in sandbox default`.
        runbook: What others are told of this run.

    Raises:
        UsageError: Another run holds it. The message says which, since when, and how to go on.
    """
    path = _folder() / f"{quote(deployment, safe=' ')}.lock"
    if os.environ.get(VARIABLE) == str(path):
        yield Held()
        return
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(file, deployment)
        by, died = Holder(runbook, os.getpid(), datetime.now(UTC).isoformat()), _holder(file)
        _write(file, json.dumps(asdict(by)))
        try:
            yield Held(file, {VARIABLE: str(path)}, by, died)
        finally:
            _write(file, "")
            fcntl.flock(file, fcntl.LOCK_UN)
    finally:
        os.close(file)


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"ragonotebooks-{os.getuid()}-locks"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder {folder} cannot be made ({error.strerror}); set TMPDIR to a folder that you can write to"
        ) from None
    return folder


def _acquire(file: int, deployment: str) -> None:
    limit = monotonic() + _LAST_CELL
    while not _locked(file):
        holder = _holder(file)
        if holder and _lives(holder.process):
            raise UsageError(
                f"{deployment} is locked by {holder}; wait until it ends, or stop it with: kill {holder.process}"
            )
        if monotonic() > limit:
            raise UsageError(
                f"{deployment} is locked by {holder or 'another run'}, which is dead, but its last cell still works; "
                "end that process, and the lock opens by itself"
            )
        sleep(0.05)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: int) -> Holder | None:
    """Who wrote into the lock's file last, and has not left it in good order."""
    try:
        return Holder(**json.loads(os.pread(file, 4096, 0)))
    except (ValueError, TypeError):
        return None


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
