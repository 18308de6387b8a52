"""Whether what a run did is what its case expects; pure, so that a case is judged alike wherever it ran."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ragonotebooks.run.results import Run
from ragonotebooks.trial.cases import REFUSED, Case, Refuse


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case.

    run: None when wrong input was refused before anything ran.
    shown: what a reader saw, such as the sentence of a refusal and what stands in the executed notebooks.
    changes: the operator's calls that could change something, as `s3:PutObject`.
    injected: the calls that were refused because the case wants it.
    left: what clean-up has left behind, a line each.
    """

    run: Run | None
    shown: str
    changes: Collection[str] = ()
    injected: Collection[str] = ()
    left: Collection[str] = ()


def problems(case: Case, outcome: Outcome) -> Iterator[str]:
    """What is not as the case expects, a sentence each; nothing when the case holds."""
    status = outcome.run.status if outcome.run else REFUSED
    if status != case.status:
        why = reason(outcome.run) if outcome.run else outcome.shown
        yield f"it ended as '{status}' where '{case.status}' is expected: {why}"
    yield from _steps(case, outcome.run)
    yield from _calls(case, outcome.changes)
    told = _plain(outcome.shown)
    yield from (f"nothing says '{sentence}'" for sentence in case.says if _plain(sentence) not in told)
    wanted = [fault.call for fault in case.faults if isinstance(fault, Refuse)]
    yield from (f"nobody called {call}, which was to be refused" for call in wanted if call not in outcome.injected)
    yield from (f"clean-up leaves {line}" for line in outcome.left)


def reason(run: Run) -> str:
    """The first reason why a run did not pass, on one line."""
    of_notebooks = [one.failure for one in run.notebooks if one.failure]
    reasons = [*(failure for _, step in run.steps for failure in step.failures), *of_notebooks]
    return _plain(reasons[0].said) if reasons else "nothing failed in it"


def _steps(case: Case, run: Run | None) -> Iterator[str]:
    found = {(notebook.key, step.number): step.status for notebook, step in run.steps} if run else {}
    for (key, number), expected in case.steps.items():
        status = found.get((key, number), "not reached")
        if status != expected:
            yield f"step {key} · {number} is '{status}' where '{expected}' is expected"


def _calls(case: Case, changes: Collection[str]) -> Iterator[str]:
    if case.calls is None:
        return
    made = sorted(set(changes))
    yield from (f"no call {one} is made" for one in case.calls if not any(fnmatchcase(call, one) for call in made))
    for call in made:
        if not any(fnmatchcase(call, one) for one in case.calls):
            yield f"{call} is called, which is not expected"


def _plain(text: str) -> str:
    """The text with single spaces, however it was folded."""
    return " ".join(text.split())
