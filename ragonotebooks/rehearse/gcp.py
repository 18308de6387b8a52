"""The least that IAM has to allow for a run on Google Cloud, as a custom role: from the permissions that its calls needed."""

from collections.abc import Iterable
from typing import Any

from ragonotebooks.rehearse.calls import Need

Role = dict[str, Any]


def role(needs: Iterable[Need], runbook: str) -> Role:
    """The role in the form of a file for `gcloud iam roles create NAME --project PROJECT --file role.yaml`."""
    return {
        "title": f"Runs {runbook}"[:100],
        "description": f"What the runbook {runbook} needs and nothing else.",
        "stage": "GA",
        "includedPermissions": sorted({need.permission for need in needs}),
    }
