"""Which tasks a service starts and stops, as rules alone."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from ragonotebooks.sandbox.aws.ecs_rollout import Limits, to_start, to_stop


@dataclass(frozen=True)
class Stub:
    name: str
    healthy: bool


def tasks(letters: str, kind: str) -> list[Any]:
    """`h` is a healthy task, `-` one that is not."""
    return [Stub(f"{kind}{number}", letter == "h") for number, letter in enumerate(letters)]


@pytest.mark.parametrize(
    ("limits", "new", "old", "count"),
    [
        (Limits(2, 2, 4), 0, 0, 2),
        (Limits(2, 2, 4), 0, 2, 2),
        (Limits(4, 4, 6), 0, 4, 2),
        (Limits(2, 1, 2), 0, 2, 0),
        (Limits(2, 1, 2), 0, 1, 1),
        (Limits(2, 2, 4), 3, 0, 0),
    ],
)
def test_as_many_start_as_are_missing_and_have_room(limits: Limits, new: int, old: int, count: int) -> None:
    assert to_start(limits, new, old) == count


@pytest.mark.parametrize(
    ("limits", "new", "old", "stopped"),
    [
        # nothing is stopped before it is replaced
        (Limits(2, 2, 4), "", "hh", []),
        (Limits(2, 2, 4), "--", "hh", []),
        (Limits(2, 2, 4), "h-", "hh", ["old0"]),
        (Limits(2, 2, 4), "hh", "hh", ["old0", "old1"]),
        # without room, as many as the minimum spares
        (Limits(2, 1, 2), "", "hh", ["old0"]),
        (Limits(2, 1, 2), "-", "h", []),
        (Limits(1, 0, 1), "", "h", ["old0"]),
        # the minimum alone is no reason
        (Limits(4, 1, 8), "", "hhhh", []),
        # what is not healthy serves nobody
        (Limits(2, 2, 4), "", "-h", ["old0"]),
        # too many: first those that are not healthy, then the youngest
        (Limits(1, 1, 2), "hhh", "", ["new2", "new1"]),
        (Limits(2, 2, 4), "-hh", "", ["new0"]),
        (Limits(0, 0, 0), "hh", "h", ["new1", "new0", "old0"]),
    ],
)
def test_who_is_stopped(limits: Limits, new: str, old: str, stopped: list[str]) -> None:
    found = to_stop(limits, tasks(new, "new"), tasks(old, "old"), lambda task: cast(Any, task).healthy)
    assert [cast(Any, task).name for task in found] == stopped
