"""What scaling policies conclude: pure functions of a policy, a metric's value and the present capacity.

Source: Application Auto Scaling user guide, "Step scaling policies" and "Target tracking scaling policies", read 2026-11.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

#: Seconds between two activities of a policy for an ECS service, where the policy does not say.
DEFAULT_COOLDOWN: Final = 300
ADJUSTMENTS: Final = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")
#: Below this share of the target there is capacity to give up.
LOW_SHARE: Final = 0.9


def by_steps(policy: Mapping[str, Any], capacity: int, threshold: float, value: float) -> int:
    """Return the capacity that a step scaling policy wants when its alarm with a threshold sees a value."""
    distance = value - threshold
    step = next((one for one in policy["StepAdjustments"] if _holds(one, distance)), None)
    if step is None:
        return capacity
    amount, kind = int(step["ScalingAdjustment"]), policy["AdjustmentType"]
    if kind == "ExactCapacity":
        return amount
    if kind == "ChangeInCapacity":
        return max(0, capacity + amount)
    exact = capacity * amount / 100
    # at least one task, towards zero else
    change = math.trunc(exact) if abs(exact) >= 1 else (1 if exact > 0 else -1 if exact < 0 else 0)
    least = int(policy.get("MinAdjustmentMagnitude") or 0)
    if change and abs(change) < least:
        change = math.copysign(least, change)
    return max(0, capacity + int(change))


def by_target(policy: Mapping[str, Any], capacity: int, value: float) -> int:
    """Return the capacity at which a metric that falls as capacity grows would be at a policy's target."""
    target = float(policy["TargetValue"])
    wanted = math.ceil(round(capacity * value / target, 6))
    if value > target:
        return max(wanted, capacity + 1)
    return min(wanted, capacity) if value < LOW_SHARE * target and not policy.get("DisableScaleIn") else capacity


@dataclass
class Cooldown:
    """When a policy last changed the capacity, and to what.

    Attributes:
        out: Seconds since 1970 when it last grew; `out_to` is the capacity that it grew to.
        back: When it last shrank.
    """

    out: float = -math.inf
    out_to: int = 0
    back: float = -math.inf

    def allows(self, capacity: int, wanted: int, now: float, seconds: tuple[float, float]) -> bool:
        """Whether the capacity may change now; `seconds` are the cooldowns after growing and after shrinking.

        While it cools down after growing, it may grow further than it was to; growing never waits for a shrinking.
        """
        if wanted > capacity:
            return now - self.out >= seconds[0] or wanted > self.out_to
        return now - self.back >= seconds[1]

    def note(self, capacity: int, wanted: int, now: float) -> None:
        """Remember a change."""
        if wanted > capacity:
            self.out, self.out_to = now, wanted
        else:
            self.back = now


def check_steps(policy: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a step scaling policy, None when nothing is."""
    if policy.get("AdjustmentType") not in ADJUSTMENTS:
        return f"AdjustmentType must be one of {', '.join(ADJUSTMENTS)}"
    steps = policy.get("StepAdjustments") or []
    if not steps:
        return "at least one StepAdjustment is needed"
    bounds = sorted((_low(step), _high(step)) for step in steps)
    if any(low >= high for low, high in bounds):
        return "a step's MetricIntervalLowerBound must be less than its MetricIntervalUpperBound"
    if any(first[1] > second[0] for first, second in pairwise(bounds)):
        return "StepAdjustment intervals must not overlap"
    return None


def _holds(step: Mapping[str, Any], distance: float) -> bool:
    """Above the threshold a lower bound belongs to its step, below it the upper one."""
    if distance >= 0:
        return _low(step) <= distance < _high(step)
    return _low(step) < distance <= _high(step)


def _low(step: Mapping[str, Any]) -> float:
    return float(step.get("MetricIntervalLowerBound", -math.inf))


def _high(step: Mapping[str, Any]) -> float:
    return float(step.get("MetricIntervalUpperBound", math.inf))
