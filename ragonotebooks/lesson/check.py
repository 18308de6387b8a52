"""`check`: a claim, what is, what should be. The record in the cell's output is the evidence that reports are made of."""

from typing import Any

from IPython.display import publish_display_data

from ragonotebooks.catalog.evidence import CHECK_MIME

_LONGEST_VALUE = 160


class CheckFailed(AssertionError):  # noqa: N818 - reads as the fact that it states
    """A claim that does not hold; the message names the claim, what is and what should be."""

    def __init__(self, claim: str, actual: str, expected: str) -> None:
        super().__init__(f"{claim}: it is {actual}, it should be {expected}")


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
    record: dict[str, Any] = {"claim": claim, "passed": passed, "expected": _short(expected), "actual": _short(actual)}
    publish_display_data({"text/plain": f"{'✓' if passed else '✗'} {claim}", CHECK_MIME: record})  # type: ignore[no-untyped-call]
    if not passed:
        raise CheckFailed(claim, record["actual"], record["expected"])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
