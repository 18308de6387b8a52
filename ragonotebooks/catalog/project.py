"""Where things are in the checkout. The whole catalog asks here, so a test can point it at a folder of its own."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: the folder that holds the package, the notebooks, the runbooks and the data."""


def notebooks() -> Path:
    """The lessons, one folder a cloud: `notebooks/aws/02-storage.ipynb`."""
    return ROOT / "notebooks"


def runbooks() -> Path:
    """The runbooks, one YAML file each."""
    return ROOT / "runbooks"


def trials() -> Path:
    """The cases that runbooks are tested with, one YAML file a runbook, of the same name."""
    return runbooks() / "tests"


def objectives() -> Path:
    """The exam guides as data, one YAML file an exam."""
    return ROOT / "data" / "objectives"


def prices() -> Path:
    """The price lists, one CSV file a cloud and region: `aws-us-east-1.csv`."""
    return ROOT / "data" / "prices"


def regions() -> Path:
    """The regions of clouds whose clients ship no list of them, one text file a cloud: `gcp.txt`."""
    return ROOT / "data" / "regions"


def shown(path: Path) -> str:
    """The path as a reader writes it: relative to the checkout when it is inside, as given otherwise."""
    resolved = path.resolve()
    return str(resolved.relative_to(ROOT)) if resolved.is_relative_to(ROOT) else str(path)
