"""A checklist: the lines that a board asks about, each with the steps and claims of notebooks that prove it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.errors import UsageError

_FORM = "write `- aws/04-database · 3` for a step, or `- aws/04-database · the instance is available` for one claim"


@dataclass(frozen=True, slots=True)
class Proof:
    """What proves a line: all checks of a step, or the one check with a claim.

    notebook: its key.
    step: the step's number; None when a claim is named.
    claim: the claim as the check words it; empty when a step is named.
    """

    notebook: str
    step: int | None
    claim: str = ""

    def __str__(self) -> str:
        return f"{self.notebook} · {self.step or self.claim}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a checklist; it holds when everything in `proofs` does."""

    title: str
    proofs: tuple[Proof, ...]


def parse(data: Any, notebooks: Iterable[Notebook]) -> tuple[Line, ...]:
    """The lines of a runbook's field `checklist`; a UsageError names what no notebook of the runbook proves."""
    if not isinstance(data, Mapping):
        raise UsageError(f"'checklist' is not a mapping of lines to their proofs; {_FORM}")
    known = {one.key: one for one in notebooks}
    return tuple(Line(str(title), tuple(_proofs(str(title), texts, known))) for title, texts in data.items())


def _proofs(title: str, texts: Any, known: Mapping[str, Notebook]) -> Iterator[Proof]:
    if not (texts and isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
        raise UsageError(f"line '{title}' has no list of proofs; {_FORM}")
    for text in texts:
        key, _, what = (part.strip() for part in text.partition(" · "))
        if not what:
            raise UsageError(f"proof '{text}' of line '{title}' names no step and no claim; {_FORM}")
        if key not in known:
            raise UsageError(f"line '{title}' is proven by {key}, which the runbook lacks; {did_you_mean(key, known)}")
        proof = Proof(key, int(what)) if what.isdecimal() else Proof(key, None, what)
        _require(proof, known[key])
        yield proof


def _require(proof: Proof, notebook: Notebook) -> None:
    """Refuse what the notebook does not hold: a line must not stay blocked for ever because of a slip of the pen."""
    if proof.step is not None and proof.step not in {step.number for step in notebook.steps}:
        raise UsageError(f"{notebook.key} has no step {proof.step}; it has {len(notebook.steps)}")
    if proof.claim and not any(proof.claim in cell.source for cell in notebook.cells if cell.does == "check"):
        raise UsageError(f"no check cell of {notebook.key} claims '{proof.claim}'; copy the claim from its check")
