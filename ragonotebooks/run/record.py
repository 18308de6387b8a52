"""`run.json`: what was asked for, written before anything is run, so that a run can be resumed whatever happens to it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.errors import UsageError
from ragonotebooks.run import folder
from ragonotebooks.run.results import Mode

FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Record:
    """What a run was asked for.

    runbook: its name, or the absolute path of its file.
    mode, sandbox, account: as in a request.
    values: the given parameters; the others had their defaults.
    """

    runbook: str
    mode: Mode
    sandbox: str
    values: dict[str, Value]
    account: str = ""


def write(where: Path, record: Record) -> None:
    """Write the record into a run folder."""
    folder.write(where / FILE, json.dumps(asdict(record), ensure_ascii=False, indent=2) + "\n")


def read(where: Path) -> Record:
    """The record in a run folder; a UsageError says why there is none."""
    try:
        return Record(**json.loads((where / FILE).read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(
            f"{where} is no folder of a run ({FILE}: {error.strerror}); give the folder of a run"
        ) from None
    except (ValueError, TypeError):
        raise UsageError(
            f"{where / FILE} is damaged or of another version of ragonotebooks; run the runbook again"
        ) from None


def runs() -> list[Path]:
    """The folders of all runs below `runs` in the current folder, oldest first."""
    return sorted((path.parent for path in Path("runs").glob(f"*/{FILE}")), key=lambda path: path.name)


def find(name: str | None) -> Path:
    """The folder of a run: a path, a name below `runs`, or the newest there for None.

    Raises:
        UsageError: There is none.
    """
    known = runs()
    if name is None:
        if not known:
            raise UsageError("there is no run in the folder runs; go where it is, or give the run's folder")
        return known[-1].absolute()
    for path in (Path(name), Path("runs") / name):
        if (path / FILE).is_file():
            return path.absolute()
    raise UsageError(f"there is no run '{name}'; {did_you_mean(name, [path.name for path in known])}")
