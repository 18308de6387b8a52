"""Why something does not run, and the conditions in which the API tells it."""

from typing import Any, Final

from google.cloud.run_v2 import types

_Condition: Final[Any] = types.Condition


class StartFailure(Exception):  # noqa: N818 - reads as the fact that it states
    """An instance cannot start; the text is what people read.

    Args:
        message: The text.
        reason: Why, as the API names it: `HEALTH_CHECK_CONTAINER_ERROR`.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def set_condition(owner: Any, kind: str, state: str, message: str = "", reason: str = "") -> None:
    """Set a condition of a resource, made when it has none of this kind.

    Args:
        owner: A resource with `conditions`.
        kind: `Completed`.
        state: `SUCCEEDED`, `FAILED`, `PENDING` or `RECONCILING`.
        message: What people read.
        reason: One of the reasons of the API, whichever kind it is of.
    """
    found = next((one for one in owner.conditions if one.type_ == kind), None)
    fill_condition(found if found is not None else owner.conditions.add(), kind, state, message, reason)


def fill_condition(condition: Any, kind: str, state: str, message: str = "", reason: str = "") -> None:
    """Let a condition be of a kind and in a state."""
    condition.Clear()
    condition.type_, condition.message = kind, message
    condition.state = _Condition.State[f"CONDITION_{state}"]
    if state == "FAILED":
        condition.severity = _Condition.Severity.ERROR
    condition.last_transition_time.GetCurrentTime()
    for field, kinds in (
        ("execution_reason", _Condition.ExecutionReason),
        ("revision_reason", _Condition.RevisionReason),
        ("reason", _Condition.CommonReason),
    ):
        if reason in kinds.__members__:
            setattr(condition, field, kinds[reason])
            return
