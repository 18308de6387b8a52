"""How good and how fast the vector index is: its answers beside those of comparing every vector."""

import time
from dataclasses import dataclass
from statistics import fmean

from .embeddings import Vectors
from .store import Store


@dataclass(frozen=True)
class Recall:
    """The share of the true nearest passages that the index finds, and its time for a query in milliseconds."""

    recall: float
    p50: float
    p95: float


def measure(store: Store, vectors: Vectors, top: int = 10) -> Recall:
    """Recall@`top` over queries, one a row of `vectors`. It leaves the transaction without the index."""
    found, times = [], []
    for vector in vectors:
        begun = time.perf_counter()
        found.append(set(store.nearest(vector, top)))
        times.append((time.perf_counter() - begun) * 1000)
    store.without_index()
    true = [set(store.nearest(vector, top)) for vector in vectors]
    times.sort()
    shares = (len(near & right) / len(right) for near, right in zip(found, true, strict=True))
    return Recall(fmean(shares), times[len(times) // 2], times[len(times) * 95 // 100])
