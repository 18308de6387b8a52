"""What a runbook is tested with, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.run.results import Mode, Status

REFUSED = "refused"
"""How a run ends that was given wrong input: no kernel starts."""
STATUSES = (*Status, REFUSED)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Calls fail with an error of their service.

    call: as the sandbox's ledger names it, such as `s3:PutObject` or `run.googleapis.com:UpdateService`.
    times: how many of them; None for all.
    """

    call: str
    error: str
    times: int | None


@dataclass(frozen=True, slots=True)
class Kill:
    """A server that stands behind a resource is killed before the run.

    server: a pattern for `SERVICE/ID`, as `sandbox status` shows both; the first that fits.
    """

    server: str


@dataclass(frozen=True, slots=True)
class ApiCall:
    """An operator's API call.

    service, operation: `ecs` and `UpdateService` on AWS; the URL and the verb on Google Cloud.
    sent: the operation's parameters, or the body.
    """

    service: str
    operation: str
    sent: Any


@dataclass(frozen=True, slots=True)
class Case:
    """One run of a runbook, what is done to it, and what must come of it.

    parameters: as one writes them on the command line.
    faults: in their order; all are carried out before the run begins, and end with it.
    status: how the run ends, one of STATUSES.
    steps: how steps end, by the notebook's key and the step's number.
    calls: patterns of the operator's calls that change something. Each is made, and no other; None for any.
    says: sentences that stand in what the run shows.
    after: calls that put right what the case has changed.
    cleanup: whether the deployment is cleaned up afterwards, and nothing may be left of it.
    """

    name: str
    parameters: Mapping[str, str]
    mode: Mode
    faults: tuple[Refuse | Kill | ApiCall, ...]
    status: str
    steps: Mapping[tuple[str, int], str]
    calls: tuple[str, ...] | None
    says: tuple[str, ...]
    after: tuple[ApiCall, ...]
    cleanup: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """The cases of a runbook, and the runbooks or notebooks that have to have passed before, in their order."""

    runbook: Runbook
    before: tuple[Runbook, ...]
    cases: tuple[Case, ...]
