"""How often a client may ask: a token bucket for each API key, inside of one process."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class _Bucket:
    tokens: float
    filled: float  # when, in the clock's seconds


class Rates:
    """Admits `rate` requests a second for each client, and `burst` at once after a pause."""

    def __init__(self, rate: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, client: str) -> int:
        """0 when the client may go on; otherwise the whole seconds after which it may ask again."""
        now = self._clock()
        bucket = self._buckets.setdefault(client, _Bucket(self._burst, now))
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled) * self._rate)
        bucket.filled = now
        if bucket.tokens < 1:
            return math.ceil((1 - bucket.tokens) / self._rate)
        bucket.tokens -= 1
        return 0
