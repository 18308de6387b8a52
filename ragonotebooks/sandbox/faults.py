"""Calls that are refused because a test wants it so, on either cloud; the ledger marks each as injected."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ragonotebooks.sandbox import control
from ragonotebooks.sandbox.ledger import Call
from ragonotebooks.sandbox.state import State

if TYPE_CHECKING:  # which holds the faults
    from ragonotebooks.sandbox.context import Context
    from ragonotebooks.sandbox.local import Local

_PATH: Final = "/faults"


@dataclass(frozen=True)
class Refusal:
    """A kind of call that fails, whoever makes it.

    Attributes:
        call: As the ledger names it: `s3:PutObject`, `run.googleapis.com:UpdateService`.
        error: The service's error code: `AccessDenied`, `PERMISSION_DENIED`.
        times: How many calls fail before the next ones are answered; None for all.
    """

    call: str
    error: str
    times: int | None = None


class Faults:
    """The refusals that a daemon was told last; safe to use from many threads."""

    def __init__(self) -> None:
        self._left: list[Refusal] = []
        self._lock = threading.Lock()

    def tell(self, refusals: Iterable[Refusal]) -> None:
        """From now on these hold, and none of before."""
        with self._lock:
            self._left = list(refusals)

    def met_by(self, call: Call) -> str | None:
        """The error code with which this call fails, marked as injected; None when it is to be answered."""
        with self._lock:
            for place, one in enumerate(self._left):
                if one.call == f"{call.service}:{call.action}" and one.times != 0:
                    if one.times is not None:
                        self._left[place] = replace(one, times=one.times - 1)
                    call.injected = True
                    return one.error
        return None


def serve(context: "Context", local: "Local") -> None:
    """Let a daemon be told its faults at `/faults`."""

    def answer(told: list[Mapping[str, Any]]) -> None:
        context.faults.tell(Refusal(**one) for one in told)

    control.serve(context, local, _PATH, answer)


def tell(state: State, refusals: Iterable[Refusal]) -> None:
    """Have a running sandbox refuse these calls from now on, and none of those that it was told before.

    Raises:
        RagonotebooksError: It does not answer.
    """
    control.ask(state, _PATH, [asdict(one) for one in refusals])
