"""What the control plane has told: load balancers with their listeners and rules, target groups with their targets."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ragonotebooks.sandbox.parts.balancer.checks import Watch
from ragonotebooks.sandbox.parts.balancer.counts import Counts
from ragonotebooks.sandbox.parts.balancer.rules import Rule, rule
from ragonotebooks.sandbox.parts.balancer.targets import Group, Target


@dataclass(frozen=True)
class Listener:
    """A listener: its port, and its rules in order."""

    port: int
    rules: list[Rule]


@dataclass(frozen=True)
class Balancer:
    """A load balancer: its ARN, the seconds that a connection may be idle, how it writes X-Forwarded-For, its listeners by port."""

    arn: str
    idle: float
    forwarded: str
    listeners: dict[int, Listener]


@dataclass
class World:
    """All that is known, and what is counted.

    Attributes:
        report: Tells the control plane something.
    """

    report: Callable[[dict[str, Any]], None]
    balancers: dict[str, Balancer] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    _watches: dict[Target, Watch] = field(default_factory=dict)
    _turns: dict[tuple[str, ...], list[float]] = field(default_factory=dict)

    def apply(self, told: dict[str, Any]) -> None:
        """Make the whole so as the control plane describes it."""
        self.balancers = {arn: self._balancer(arn, one) for arn, one in told["balancers"].items()}
        for arn in self.groups.keys() - told["groups"].keys():
            group = self.groups.pop(arn)
            for target in group.targets.values():
                self._forget(target)
        for arn, one in told["groups"].items():
            group = self.groups.setdefault(arn, Group(arn, one))
            group.settings = one
            self._place(group, one["targets"])

    def group_of(self, action: dict[str, Any]) -> Group | None:
        """Return the target group whose turn it is among those of a forward action, each as often as its weight says."""
        weights = dict(action["groups"])
        if len(weights) == 1:
            return self.groups.get(next(iter(weights)))
        total = sum(weights.values())
        if not total:
            return None
        names = tuple(weights)
        owed = self._turns.setdefault((*names, *map(str, weights.values())), [0.0] * len(names))
        for place, name in enumerate(names):
            owed[place] += weights[name]
        chosen = owed.index(max(owed))
        owed[chosen] -= total
        return self.groups.get(names[chosen])

    def finish(self, group: Group, target: Target) -> None:
        """Tell when a target that drains has nothing left to do."""
        if target.draining and not target.outstanding:
            target.cut()
            self.report({"drained": [group.arn, target.key]})

    def _balancer(self, arn: str, told: dict[str, Any]) -> Balancer:
        listeners = {
            int(port): Listener(int(port), [rule(each) for each in one["rules"]])
            for port, one in told["listeners"].items()
        }
        return Balancer(arn, told["idle"], told["forwarded"], listeners)

    def _place(self, group: Group, told: dict[str, Any]) -> None:
        for key in list(group.targets):
            target = group.targets[key]
            wanted = told.get(key)
            if wanted is None or _is_another(target, wanted):
                self._forget(group.targets.pop(key))
        for key, one in told.items():
            target = group.targets.setdefault(key, Target(key, one["address"], one["port"], None))
            target.address = one["address"]
            target.check = (one["check"][0], one["check"][1]) if one["check"] else None
            self._drain(group, target, one["draining"])
            self._check(group, target)

    def _drain(self, group: Group, target: Target, seconds: float | None) -> None:
        starts = seconds is not None and not target.draining
        target.draining = seconds is not None
        if starts and seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self._end, target)
            self.finish(group, target)

    def _end(self, target: Target) -> None:
        if target.draining:
            target.cut()

    def _check(self, group: Group, target: Target) -> None:
        wanted = group.settings["used"] and not target.draining
        if wanted and target not in self._watches:
            self._watches[target] = Watch(group, target, lambda: self._tell(group, target))
        elif not wanted and target in self._watches:
            self._watches.pop(target).stop()

    def _tell(self, group: Group, target: Target) -> None:
        health = target.health
        self.report({"health": [group.arn, target.key, health.state, health.reason, health.description]})

    def _forget(self, target: Target) -> None:
        if watch := self._watches.pop(target, None):
            watch.stop()
        target.draining = True
        if not target.outstanding:
            target.cut()


def _is_another(target: Target, told: dict[str, Any]) -> bool:
    """Whether what is told is of a new target with the same address: it moved on this machine, or was registered again."""
    moved = target.address and told["address"] and target.address != told["address"]
    return bool(moved) or (target.draining and told["draining"] is None)
