"""What differs between two runs: parameters, steps, checks, the price."""

from collections.abc import Iterator
from dataclasses import dataclass

from ragonotebooks.run import report_facts
from ragonotebooks.run.results import NotebookRun, Run, Step


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not in both runs alike; None where a run does not have it."""

    place: str
    what: str
    before: str | None
    after: str | None


def differences(before: Run, after: Run) -> list[Difference]:
    """What differs, in the order of the notebooks; times do not count."""
    found = list(_compared("", {"status": str(before.status)}, {"status": str(after.status)}))
    old, new = ({one.key: one for one in run.notebooks} for run in (before, after))
    for key in old | new:
        found += _of_notebook(key, old.get(key), new.get(key))
    return [*found, *_compared("", _price(before), _price(after))]


def _of_notebook(key: str, before: NotebookRun | None, after: NotebookRun | None) -> Iterator[Difference]:
    if before is None or after is None:
        states = (str(one.status) if one else None for one in (before, after))
        yield Difference(key, "status", *states)
        return
    yield from _compared(key, _parameters(before), _parameters(after))
    old, new = ({step.label: step for step in one.steps} for one in (before, after))
    for label in old | new:
        yield from _compared(f"{key} · {label}", _facts(old.get(label)), _facts(new.get(label)))


def _compared(place: str, before: dict[str, str], after: dict[str, str]) -> Iterator[Difference]:
    for what in before | after:
        if before.get(what) != after.get(what):
            yield Difference(place, what, before.get(what), after.get(what))


def _parameters(notebook: NotebookRun) -> dict[str, str]:
    return {f"parameter {name}": str(value) for name, value in notebook.parameters.items()}


def _facts(step: Step | None) -> dict[str, str]:
    """The status of a step, and what each of its checks found."""
    if step is None:
        return {}
    checks = {check.claim: f"{'✓' if check.passed else '✗'} {check.actual}" for check in step.checks}
    return {"status": str(step.status)} | checks


def _price(run: Run) -> dict[str, str]:
    month = report_facts.month(run)
    return {} if month is None else {"price a month": f"${month:,.2f}"}
