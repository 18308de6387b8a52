"""What the load balancer counts, for CloudWatch: per load balancer, and per target group of it."""

from collections import Counter
from typing import Any

#: The ARN of a load balancer, and of a target group or nothing.
Subject = tuple[str, str]


class Counts:
    """Counts since they were last taken."""

    def __init__(self) -> None:
        self._counts: dict[Subject, Counter[str]] = {}
        self._times: dict[Subject, Counter[float]] = {}

    def add(self, balancer: str, name: str) -> None:
        """Count what concerns the load balancer alone."""
        self._counts.setdefault((balancer, ""), Counter())[name] += 1

    def add_for(self, balancer: str, group: str, name: str) -> None:
        """Count what concerns a target group, and with it its load balancer."""
        for subject in ((balancer, ""), (balancer, group)):
            self._counts.setdefault(subject, Counter())[name] += 1

    def answered(self, balancer: str, group: str, status: int, seconds: float) -> None:
        """Count a target's answer, and how long it took, to the tenth of a millisecond."""
        self.add_for(balancer, group, f"HTTPCode_Target_{status // 100}XX_Count")
        for subject in ((balancer, ""), (balancer, group)):
            self._times.setdefault(subject, Counter())[round(seconds, 4)] += 1

    def take(self) -> list[dict[str, Any]]:
        """Return what was counted, and start anew."""
        taken = [
            {
                "balancer": balancer,
                "group": group,
                "counts": counts,
                "times": list(self._times.get(subject, {}).items()),
            }
            for subject, counts in self._counts.items()
            for balancer, group in [subject]
        ]
        self._counts, self._times = {}, {}
        return taken
