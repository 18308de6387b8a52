"""The run folder: a new one for each run, so that no evidence is ever overwritten."""

from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from ragonotebooks.errors import UsageError
from ragonotebooks.run import events


def create(out: Path | None, runbook: str) -> Path:
    """Create and return the absolute run folder: `out`, or `runs/<UTC time>-<runbook>` in the current folder.

    Raises:
        UsageError: The folder holds something already, or cannot be created or written to.
    """
    wanted = (out or _named(runbook)).absolute()
    try:
        if wanted.is_dir() and any(wanted.iterdir()):
            raise UsageError(f"the folder {wanted} is not empty; give a new or an empty one with --out")
        wanted.mkdir(parents=True, exist_ok=True)
        (wanted / events.FILE).touch()
    except OSError as error:
        raise UsageError(
            f"the run folder {wanted} cannot be used ({error.strerror}); give another one with --out"
        ) from None
    return wanted


def discard(folder: Path) -> None:
    """Remove a run folder that `create` made and nothing was written into."""
    (folder / events.FILE).unlink()
    folder.rmdir()


def write(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one whole, never a part.

    Raises:
        OSError: It cannot be written, such as on a full disk; the old one stays.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None


def unused(path: Path) -> Path:
    """The path itself, or with a number in its name when it is taken, so that no evidence is overwritten."""
    numbers = count(2)
    taken = path
    while taken.exists():
        taken = path.with_stem(f"{path.stem}-{next(numbers)}")
    return taken


def _named(runbook: str) -> Path:
    return unused(Path("runs") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{runbook.replace('/', '-')}")
