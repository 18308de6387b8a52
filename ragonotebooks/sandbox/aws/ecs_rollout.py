"""How many tasks a service starts, and which ones it stops: the rules of the service scheduler, without any doing.

Source: Amazon ECS developer guide, "Deploy Amazon ECS services by replacing tasks" (rolling update), read 2026-11.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ragonotebooks.sandbox.aws.ecs_model import Task


@dataclass(frozen=True)
class Limits:
    """What a service shall have.

    Attributes:
        desired: How many tasks.
        minimum: How many healthy ones are left when tasks are stopped.
        maximum: How many there are at most.
    """

    desired: int
    minimum: int
    maximum: int


def to_start(limits: Limits, new: int, old: int) -> int:
    """Return how many tasks to start when there are `new` of the present deployment and `old` of earlier ones."""
    return max(0, min(limits.desired - new, limits.maximum - new - old))


def to_stop(limits: Limits, new: list[Task], old: list[Task], is_healthy: Callable[[Task], bool]) -> list[Task]:
    """Return the tasks to stop: those that are too many, and those of earlier deployments that are no longer needed.

    `new` are those of the present deployment, `old` those of earlier ones, each in the order in which they were started.
    """
    surplus, youngest_first = len(new) - limits.desired, new[::-1]
    too_many = sorted(youngest_first, key=is_healthy)[: max(0, surplus)]
    good_new = sum(is_healthy(task) for task in new if task not in too_many)
    good_old = [task for task in old if is_healthy(task)]
    replaced = good_new + len(good_old) - limits.desired
    no_room = limits.maximum <= len(new) + len(old)
    in_the_way = limits.desired - len(new) if no_room else 0
    spare = good_new + len(good_old) - limits.minimum
    count = max(0, min(spare, max(replaced, in_the_way)))
    return [*too_many, *(task for task in old if task not in good_old), *good_old[:count]]
