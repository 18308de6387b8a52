"""`check`: a claim, what is, what should be. The record in the cell's output is the evidence that reports are made of."""

from collections.abc import Mapping, Set
from typing import Any

from IPython.display import publish_display_data

from ragonotebooks.catalog.evidence import CHECK_MIME

_LONGEST_VALUE = 160


class CheckFailed(AssertionError):  # noqa: N818 - reads as the fact that it states
    """A claim that does not hold; the message names the claim, what is and what should be."""

    def __init__(self, claim: str, actual: str, expected: str) -> None:
        super().__init__(f"{claim}: it is {actual}, it should be {expected}")

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: what differs, not where this package compared it."""
        return [f"CheckFailed: {self}"]


def check(claim: str, actual: Any, expected: Any = True) -> None:
    """State that `actual` equals `expected`; show one line, keep a record, and raise when it does not hold.

    Args:
        claim: What is claimed, as a person would say it: "versioning is on".
        actual: What was read from the cloud. Never a secret: a short form of it is kept in the output.
        expected: What it should equal.

    Raises:
        CheckFailed: The two differ.
    """
    passed = bool(actual == expected)
    said, meant = _texts(actual, expected)
    record: dict[str, Any] = {"claim": claim, "passed": passed, "expected": meant, "actual": said}
    publish_display_data({"text/plain": f"{'✓' if passed else '✗'} {claim}", CHECK_MIME: record})
    if not passed:
        raise CheckFailed(claim, record["actual"], record["expected"])


def exercise(claim: str, actual: Any, expected: Any = True) -> None:
    """Tell a learner whether an exercise is solved. It keeps no record and never raises: an open exercise is no failure."""
    solved = bool(actual == expected)
    publish_display_data({"text/plain": f"✓ {claim}" if solved else f"○ still to do: {claim}"})


def _texts(actual: Any, expected: Any) -> tuple[str, str]:
    """Both in short; of long sets or mappings only what the other one lacks, so that the difference is never cut off."""
    here, there = _items(actual), _items(expected)
    if not (here and there):
        return _short(repr(actual)), _short(repr(expected))
    if max(len(_braced(here)), len(_braced(there))) > _LONGEST_VALUE and actual != expected:
        here, there = (
            ["…", *(one for one in here if one not in there)],
            ["…", *(one for one in there if one not in here)],
        )
    return _short(_braced(here)), _short(_braced(there))


def _items(value: Any) -> list[str]:
    """The items of a set or mapping; those of a set in one order, since its own changes from run to run."""
    match value:
        case Mapping():
            return [f"{key!r}: {one!r}" for key, one in value.items()]
        case Set():
            return sorted(map(repr, value))
    return []


def _braced(items: list[str]) -> str:
    return f"{{{', '.join(items)}}}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
