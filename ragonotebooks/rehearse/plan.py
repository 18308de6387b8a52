"""What a runbook would do for real, from what its rehearsal did."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.rehearse import aws, gcp, names
from ragonotebooks.rehearse.calls import Call, Need, Place
from ragonotebooks.run.events import Event, label
from ragonotebooks.run.outline import outline
from ragonotebooks.run.results import Run


@dataclass(frozen=True, slots=True)
class Change:
    """One call that changes something.

    step: where in the runbook it is made: `aws/02-storage · 1 · One bucket`.
    call: `s3:CreateBucket`, `storage.buckets.insert`.
    resource: what it is about; `*` where the call names nothing.
    """

    step: str
    call: str
    resource: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a runbook would do.

    run: the rehearsal, with its times, checks and prices.
    changes: the calls that change something, in order.
    approvals: the steps that a person has to approve, with the reasons; a rehearsal does not wait there.
    policies: what AWS has to allow; empty when nothing is asked there.
    role: what Google Cloud has to allow; None when nothing is asked there.
    proven: whether the runbook passed where it was allowed nothing else; None when that was not tried.
    """

    run: Run
    changes: tuple[Change, ...]
    approvals: dict[str, str]
    policies: tuple[aws.Policy, ...]
    role: gcp.Role | None
    proven: bool | None = None

    @property
    def resources(self) -> list[str]:
        """What is changed, each once, in the order in which it is first touched."""
        return list(dict.fromkeys(change.resource for change in self.changes if change.resource != "*"))


@dataclass(slots=True)
class Steps:
    """Listens to a run, and knows which step it was at when."""

    _times: list[datetime] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if event.name == "step_started":
            # the ledger counts milliseconds
            self._times.append(event.time.replace(microsecond=event.time.microsecond // 1000 * 1000))
            self._names.append(f"{event.data['notebook']} · {label(event.data)}")

    def at(self, time: datetime) -> str:
        """The step under way at this time; empty before the first."""
        place = bisect_right(self._times, time)
        return self._names[place - 1] if place else ""


def make(book: Runbook, run: Run, steps: Steps, calls: Iterable[Call], place: Place) -> Plan:
    """The plan of the runbook that was rehearsed.

    Args:
        book: The runbook.
        run: How the rehearsal went.
        steps: What listened to it.
        calls: What the operator asked its sandbox meanwhile.
        place: Where that was.
    """
    asked = list(calls)
    needs = [need for call in asked for need in call.needs]
    on_aws = [need for need in needs if _is_aws(need)]
    on_google = [need for need in needs if not _is_aws(need)]
    return Plan(
        run,
        tuple(_change(call, steps, place) for call in asked if call.mutating),
        _approvals(book, run),
        tuple(aws.policies(on_aws, place.account)),
        gcp.role(on_google, run.runbook) if on_google else None,
    )


def _approvals(book: Runbook, run: Run) -> dict[str, str]:
    return {
        f"{result.key} · {step.label}": part.approval
        for notebook, result in zip(book.notebooks, run.notebooks, strict=True)
        for part, step in zip(outline(notebook), result.steps, strict=True)
        if part.approval
    }


def _is_aws(need: Need) -> bool:
    return ":" in need.permission


def _change(call: Call, steps: Steps, place: Place) -> Change:
    on_google = "." in call.service
    name = call.action if "." in call.action else f"{call.service.partition('.')[0]}:{call.action}"
    shown = (
        names.path(call.resource, place.project, place.number)
        if on_google
        else names.arns(call.resource, place.account)[-1]
    )
    return Change(steps.at(datetime.fromisoformat(call.time)), name, shown)


def repeated(changes: Sequence[Change]) -> list[tuple[Change, int]]:
    """The changes with how often each is made in a row."""
    rows: list[tuple[Change, int]] = []
    for change in changes:
        if rows and rows[-1][0] == change:
            rows[-1] = change, rows[-1][1] + 1
        else:
            rows.append((change, 1))
    return rows
