"""Orders: BM25 over words, and reciprocal rank fusion of several orders into one."""

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)

K = 60  # how slowly a rank loses weight in a fused order


def fuse(orders: Iterable[Sequence[Item]], k: int = K) -> list[tuple[Item, float]]:
    """Items with their fused scores, best first: each order gives 1 / (k + rank), ranks from 1, to what it holds.

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods",
    SIGIR 2009, which found k = 60. Of equal scores, the one that was seen first stays first.
    """
    scores: dict[Item, float] = {}
    for order in orders:
        for rank, item in enumerate(order, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    return sorted(scores.items(), key=lambda scored: -scored[1])


class BM25:
    """Okapi BM25 over a fixed list of texts.

    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; `k1` says how soon
    repetition stops to count, `b` how much a long text is held against it.
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        self._k1 = k1
        self._counts = [Counter(words(text)) for text in texts]
        lengths = [sum(counts.values()) for counts in self._counts]
        average = sum(lengths) / len(lengths) if lengths else 0.0
        self._damping = [k1 * (1 - b + b * length / average) for length in lengths]
        self._holders = Counter(word for counts in self._counts for word in counts)

    def order(self, question: str) -> list[int]:
        """The places of the texts that share a word with the question, best first."""
        asked = set(words(question))
        scores = [self._score(asked, place) for place in range(len(self._counts))]
        return sorted((place for place, score in enumerate(scores) if score > 0), key=lambda place: -scores[place])

    def _score(self, asked: set[str], place: int) -> float:
        counts, damping = self._counts[place], self._damping[place]
        # sorted: a sum of floats depends on its order, and a set has none
        shared = sorted(asked & counts.keys())
        return sum(self._rarity(word) * counts[word] * (self._k1 + 1) / (counts[word] + damping) for word in shared)

    def _rarity(self, word: str) -> float:
        holders = self._holders[word]
        return math.log(1 + (len(self._counts) - holders + 0.5) / (holders + 0.5))


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return re.findall(r"\w+", text.lower())
