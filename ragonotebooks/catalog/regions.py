"""The regions of each cloud."""

from ragonotebooks.catalog import project
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.errors import UsageError

DEFAULT = {"aws": "us-east-1", "gcp": "us-central1"}
"""Where things are made unless told otherwise, by cloud."""

CLOUDS = tuple(DEFAULT)
"""The clouds that a lesson or a runbook can be for."""

_TITLES = {"aws": "AWS", "gcp": "Google Cloud"}


def known(region: str, cloud: str) -> str:
    """The region itself when the cloud has it; a UsageError names the nearest one."""
    regions = _of_aws() if cloud == "aws" else _of_gcp()
    if region not in regions:
        raise UsageError(f"region '{region}' does not exist on {_TITLES[cloud]}; {did_you_mean(region, regions)}")
    return region


def _of_aws() -> list[str]:
    """By the list that botocore ships."""
    from botocore.loaders import create_loader

    partitions = create_loader().load_data("endpoints")["partitions"]
    return [region for partition in partitions for region in partition["regions"]]


def _of_gcp() -> list[str]:
    """Google's clients ship no such list."""
    lines = (project.regions() / "gcp.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]
