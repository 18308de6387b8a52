"""The run folder: a new one for each run, so that no evidence is ever overwritten."""

from datetime import UTC, datetime
from pathlib import Path

from ragonotebooks.errors import UsageError


def create(out: Path | None, runbook: str) -> Path:
    """Create and return the absolute run folder: `out`, or `runs/<UTC time>-<runbook>` in the current folder.

    Raises:
        UsageError: The folder holds something already, or cannot be created or written to.
    """
    wanted = (out or _unused(Path("runs"), runbook)).absolute()
    try:
        if wanted.is_dir() and any(wanted.iterdir()):
            raise UsageError(f"the folder {wanted} is not empty; give a new or an empty one with --out")
        wanted.mkdir(parents=True, exist_ok=True)
        probe = wanted / "events.jsonl"
        probe.touch()
    except OSError as error:
        raise UsageError(
            f"the run folder {wanted} cannot be used ({error.strerror}); give another one with --out"
        ) from None
    return wanted


def _unused(parent: Path, runbook: str) -> Path:
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{runbook.replace('/', '-')}"
    taken = len(list(parent.glob(f"{name}*")))
    return parent / (f"{name}-{taken + 1}" if taken else name)
